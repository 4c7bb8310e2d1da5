"""Small programs under the unmodified SDK and the real CLI: what a stack lives through."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.azure.kinds import KINDS
from tests.azure.machines import Ran, RecordingRoom
from tests.azure.programs import GROUP, KEY, NETWORK, SHARES, machine, shares
from tests.azure.project import Project
from tests.azure.standin import StandIn

VM = "compute:VirtualMachine"
REPLACED = "opts=pulumi.ResourceOptions(replace_on_changes=['osProfile.customData'], delete_before_replace=True)"
READY = """
compute.VirtualMachineRunCommandByVirtualMachine(
    "ready", resource_group_name=group.name, vm_name=vm.name, source={"script": "cloud-init status --wait"},
    treat_failure_as_deployment_failure=True,
)
"""


def room(azure: StandIn) -> RecordingRoom:
    assert isinstance(azure.cloud.machines, RecordingRoom)
    return azure.cloud.machines


def test_up_again_and_down(project: Project, azure: StandIn) -> None:
    project.write(machine())
    preview = project.pulumi("preview")
    assert "9 to create" in preview
    assert not azure.cloud.resources
    project.up()
    (order,) = room(azure).orders.values()
    assert project.outputs()["ip"] == order.address == "127.0.1.1"
    project.up(None, "--expect-no-changes")
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not azure.cloud.resources
    assert not room(azure).orders


def test_a_size_changes_in_place_and_custom_data_does_not(project: Project, azure: StandIn) -> None:
    project.up(machine())
    first = project.outputs()["vmId"]
    project.up(machine(size="Standard_D2s_v5"))
    assert project.outputs()["vmId"] == first
    assert ("restart", "demo-vm", "Standard_D2s_v5") in room(azure).calls
    text = project.fails(machine(size="Standard_D2s_v5", custom_data="#!/bin/sh\n"))
    assert (
        'Status=409 Code="PropertyChangeNotAllowed" Message="Changing property \'osProfile.customData\' is not' in text
    )
    # what is there is as it was
    project.up(machine(size="Standard_D2s_v5"), "--expect-no-changes")


def test_a_machine_is_replaced_where_the_program_says_so(project: Project, azure: StandIn) -> None:
    project.up(machine(more=REPLACED))
    first = project.outputs()["vmId"]
    project.up(machine(custom_data="#!/bin/sh\n", more=REPLACED))
    assert project.outputs()["vmId"] != first
    (order,) = room(azure).orders.values()
    assert order.custom_data == b"#!/bin/sh\n"
    # the name is a part of the id: another one is another machine, and the interface moves over
    project.up(machine(custom_data="#!/bin/sh\n", more=REPLACED, name="demo-vm2"))
    assert [call for call in room(azure).calls if call[0] == "delete"] == [("delete", "demo-vm")] * 2


def test_a_machine_deleted_behind_our_back_comes_again(project: Project, azure: StandIn) -> None:
    project.up(machine() + READY)
    azure.cloud.remove(azure.cloud.only(VM).id)
    # nobody looks
    project.up(None, "--expect-no-changes")
    text = project.up(None, "--refresh")
    assert "2 created" in text
    assert len(room(azure).orders) == 1
    assert [call[0] for call in room(azure).calls].count("run_command") == 2


def test_a_change_by_somebody_else_is_found_and_undone(project: Project, azure: StandIn) -> None:
    project.up(SHARES)
    share = azure.cloud.only("storage:FileShare")
    azure.cloud.put(share.kind, {**share.inputs, "shareQuota": 500})
    project.pulumi("refresh", "--yes", "--skip-preview")
    assert project.state()["logs"]["inputs"]["shareQuota"] == 500
    assert "1 updated" in project.up()
    assert azure.cloud.only("storage:FileShare").inputs["shareQuota"] == 100


def test_what_exists_is_adopted_and_never_created_again(project: Project, azure: StandIn) -> None:
    names = ("group", "account", "logs")
    kept = shares(**dict.fromkeys(names, "retain_on_delete=True"))
    project.up(kept)
    key = project.outputs()["key"]
    ids = {name: project.state()[name]["id"] for name in names}
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert {r.id for r in azure.cloud.resources.values()} == set(ids.values())
    assert f"cannot create already existing resource '{ids['group']}'" in project.fails()
    project.up(shares(**{name: f"retain_on_delete=True, import_={ids[name]!r}" for name in names}))
    assert project.outputs()["key"] == key
    project.up(kept, "--expect-no-changes")


def test_keys_are_secret_where_the_program_says_so_and_work_across_stacks(project: Project, azure: StandIn) -> None:
    project.up(SHARES)
    account = azure.cloud.only("storage:StorageAccount")
    assert project.outputs()["key"] == account.facts["keys"][0]
    assert project.outputs()["endpoint"] == "https://demodata1.file.core.windows.net/"
    assert account.facts["keys"][0] not in project.pulumi("stack", "output")


def test_names_that_are_not_given(project: Project, azure: StandIn) -> None:
    program = """
    group = resources.ResourceGroup("group", location="westeurope")
    name = group.name
    net = network.VirtualNetwork("net", resource_group_name=name, address_space={"address_prefixes": ["10.1.0.0/16"]})
    network.Subnet("hosts", resource_group_name=name, virtual_network_name=net.name, address_prefix="10.1.0.0/24")
    """
    project.up(program)
    names = {r.kind.token.rsplit(":", 1)[1]: r.name for r in azure.cloud.resources.values()}
    assert names["ResourceGroup"].startswith("group")
    assert len(names["ResourceGroup"]) == len("group") + 8
    assert len(names["VirtualNetwork"]) == len("net") + 8
    assert names["Subnet"] == "hosts"
    project.up(None, "--expect-no-changes")


def test_a_new_place_is_a_new_group_with_all_that_is_in_it(project: Project, azure: StandIn) -> None:
    project.up(NETWORK)
    project.up(NETWORK.replace("West Europe", "northeurope"))
    assert {r.location for r in azure.cloud.resources.values()} == {"northeurope", ""}


def test_what_the_sdk_knows_is_refused_before_azure_is_asked(project: Project, azure: StandIn) -> None:
    text = project.fails(
        SHARES.replace('"demodata1"', f'"{"x" * 30}"').replace('{"name": "Standard_LRS"}', '{"nme": "Standard_LRS"}'),
        "preview",
    )
    assert "'accountName' is too long (30): at most 24 characters allowed" in text
    assert "missing required property 'sku.name'" in text
    assert "unknown property 'sku.nme', did you mean 'name'?" in text
    assert not azure.cloud.resources


def test_a_bootstrap_that_fails_fails_the_up_and_can_be_mended(project: Project, azure: StandIn) -> None:
    azure.faults.bootstrap = Ran(2, "step one", "E: no such package")
    text = project.fails(machine() + READY)
    assert 'Code="VMExtensionProvisioningError"' in text
    assert "E: no such package" in text
    assert project.state()["ready"]["initErrors"]
    azure.faults.bootstrap = None
    # the same command is not run again: its failure stands
    assert "E: no such package" in project.fails()
    project.up(machine() + READY.replace("--wait", "--wait --long"))
    project.up(None, "--expect-no-changes")


def test_a_new_machine_mends_a_bootstrap_by_the_line_that_the_guide_gives(project: Project, azure: StandIn) -> None:
    program = (
        NETWORK
        + f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from components.hosts.azure_machine import AzureMachine
AzureMachine("host-machine", {{
    "base": "demo", "group": group.name, "location": "westeurope", "interface_id": nic.id, "size": "Standard_B2s_v2",
    "image": "Debian:debian-12:12-gen2:latest", "disk_gib": 32, "disk_type": "StandardSSD_LRS", "user": "datadocker",
    "public_key": {KEY!r}, "custom_data": "I2Nsb3VkLWNvbmZpZwo=", "more": "", "system_identity": False,
    "identities": [], "tags": {{}},
}})
"""
    )
    (guided,) = re.findall(r"`\./pulumiw up --stack staging (--replace) '([^']+)'`", Path("docs/azure.md").read_text())
    azure.faults.bootstrap = Ran(2, "step one", "E: no such package")
    assert "E: no such package" in project.fails(program)
    azure.faults.bootstrap = None
    assert "E: no such package" in project.fails()
    project.up(None, *guided)
    assert [call[0] for call in room(azure).calls].count("start") == 2
    project.up(None, "--expect-no-changes")


def test_the_cloud_outlives_its_server(tmp_path: Path) -> None:
    state = tmp_path / "cloud.json"
    folder = tmp_path / "project"
    folder.mkdir()
    with StandIn(state) as azure:
        project = Project(folder, azure)
        project.up(SHARES)
    with StandIn(state) as again:
        project.azure = again
        project.up(None, "--expect-no-changes")
        project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")


def test_functions_answer_for_what_exists_and_fail_for_what_does_not(project: Project, azure: StandIn) -> None:
    group = KINDS["azure-native:resources:ResourceGroup"]
    azure.cloud.put(group, {"resourceGroupName": "there", "location": "westeurope"})
    program = """
    from pulumi_azure_native import authorization
    pulumi.export("subscription", authorization.get_client_config().subscription_id)
    pulumi.export("location", resources.get_resource_group("there").location)
    """
    project.up(program)
    assert project.outputs() == {"location": "westeurope", "subscription": azure.cloud.subscription}
    text = project.fails(program.replace("there", "gone"))
    assert "request failed /subscriptions/" in text
    assert 'Code="ResourceGroupNotFound" Message="Resource group \'gone\' could not be found."' in text


def test_a_type_that_the_stand_in_lacks_is_said_at_once(project: Project) -> None:
    text = project.fails(GROUP + 'network.LoadBalancer("lb", resource_group_name=group.name)')
    assert "the stand-in for Azure has no azure-native:network:LoadBalancer: add it to tests/azure/kinds.py" in text


@pytest.mark.parametrize("parallel", ["1", "32"])
def test_order_of_deletion_is_respected_however_parallel(project: Project, azure: StandIn, parallel: str) -> None:
    project.up(machine() + READY)
    project.pulumi("destroy", "--yes", "--skip-preview", "--parallel", parallel)
    assert not azure.cloud.resources
