"""A stack's host by itself: what others add to its network, another subnet, another size, another region."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stacks.azure_regions import REGIONS
from tests.azure import effects, limits
from tests.azure.clone import Clone
from tests.azure.kinds import KINDS
from tests.azure.machines import RecordingRoom
from tests.azure.standin import StandIn

GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/identities"
RUN = "compute:VirtualMachineRunCommandByVirtualMachine"
JUMP = {"resourceGroupName": "jump", "location": "westeurope"}
BASTION = {
    "resourceGroupName": "datadocker-staging",
    "virtualNetworkName": "datadocker-staging-vnet",
    "subnetName": "AzureBastionSubnet",
    "addressPrefix": "10.60.200.0/26",
}


def test_a_port_is_open_to_the_networks_that_the_settings_name_for_it_alone(clone: Clone, azure: StandIn) -> None:
    clone.pulumi("config", "set", "--path", "datadocker:databases[0].allowFrom[0]", "198.51.100.0/24")
    azure.cloud.client = "192.0.2.1"
    clone.change("up")
    room = azure.cloud.machines
    assert isinstance(room, RecordingRoom)
    for client, ports in (("192.0.2.1", {22}), ("198.51.100.7", {6603}), ("203.0.113.9", set())):
        azure.cloud.client = client
        effects.refresh_ports(azure.cloud)
        (order,) = room.orders.values()
        assert order.ports == ports


def test_a_subnet_that_others_add_stays(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    added = azure.cloud.put(KINDS["azure-native:network:Subnet"], BASTION)
    clone.pulumi("config", "set", "--path", "datadocker:host.tags.team", "data")
    clone.change("up", "--refresh")
    assert azure.cloud.only("network:VirtualNetwork").inputs["tags"] == {"team": "data"}
    assert azure.cloud.lookup(added.id)
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_peering_that_others_add_stays(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    network = azure.cloud.only("network:VirtualNetwork")
    azure.cloud.put(KINDS["azure-native:resources:ResourceGroup"], JUMP)
    remote = azure.cloud.put(
        network.kind, {**JUMP, "virtualNetworkName": "jump", "addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    )
    peerings = [{"name": "to-jump", "allowVirtualNetworkAccess": True, "remoteVirtualNetwork": {"id": remote.id}}]
    network.inputs["virtualNetworkPeerings"] = peerings
    clone.pulumi("refresh", "--yes", "--skip-preview")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    clone.pulumi("config", "set", "--path", "datadocker:host.tags.team", "data")
    clone.change("up", "--refresh")
    changed = azure.cloud.lookup(network.id)
    assert changed
    assert changed.inputs["tags"] == {"team": "data"}
    assert changed.inputs["virtualNetworkPeerings"] == peerings


@pytest.mark.parametrize("standing", [False, True])
def test_identities_are_given_to_the_machine_and_stay(clone: Clone, azure: StandIn, standing: bool) -> None:
    if standing:
        clone.change("up")
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/backup"
    clone.pulumi("config", "set", "--path", "datadocker:host.identities[0]", identity)
    clone.pulumi("preview")
    clone.change("up")
    machine = azure.cloud.only("compute:VirtualMachine")
    assert machine.inputs["identity"] == {"type": "UserAssigned", "userAssignedIdentities": [identity]}
    known = azure.cloud.get(machine.id)["identity"]
    assert set(known["userAssignedIdentities"][identity]) == {"clientId", "principalId"}
    assert "principalId" not in known
    clone.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")


def test_an_identity_that_is_taken_back_is_taken_from_the_machine(clone: Clone, azure: StandIn) -> None:
    clone.pulumi("config", "set", "--path", "datadocker:host.systemIdentity", "true")
    clone.change("up")
    machine = azure.cloud.only("compute:VirtualMachine")
    assert azure.cloud.get(machine.id)["identity"]["principalId"]
    clone.pulumi("config", "set", "--path", "datadocker:host.systemIdentity", "false")
    clone.change("up")
    # Azure leaves alone what is left out
    assert azure.cloud.only("compute:VirtualMachine").inputs["identity"] == {"type": "None"}
    assert "identity" not in azure.cloud.get(machine.id)
    clone.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")


def test_what_others_may_change_on_a_machine_makes_no_new_one(clone: Clone, azure: StandIn) -> None:
    """Such as a policy that has Azure look for patches."""
    clone.change("up")
    machine = azure.cloud.only("compute:VirtualMachine")
    life = azure.cloud.get(machine.id)["vmId"]
    machine.inputs["osProfile"]["linuxConfiguration"]["patchSettings"] = {"assessmentMode": "AutomaticByPlatform"}
    machine.inputs["storageProfile"]["osDisk"]["writeAcceleratorEnabled"] = False
    clone.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert azure.cloud.get(machine.id)["vmId"] == life


def test_a_machine_that_was_stopped_is_the_same_one_when_it_runs_again(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    life = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
    azure.faults.deallocated = True
    clone.change("refresh")
    azure.faults.deallocated = False
    clone.change("up")
    assert azure.cloud.only("compute:VirtualMachine").facts["vmId"] == life
    clone.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")


def test_a_machine_that_was_stopped_can_be_tagged(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    azure.faults.deallocated = True
    clone.pulumi("config", "set", "--path", "datadocker:host.tags.team", "data")
    clone.change("up")
    assert azure.cloud.only("compute:VirtualMachine").inputs["tags"] == {"team": "data"}
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    # what is made anew has them
    azure.faults.deallocated = False
    set_host(clone, "disk.size", "64")
    clone.change("up")
    assert azure.cloud.only(RUN).inputs["tags"] == {"team": "data"}


@pytest.mark.parametrize(("setting", "value"), [("disk.size", "64"), ("disk.type", "Premium_LRS")])
def test_another_disk_comes_with_another_machine(clone: Clone, azure: StandIn, setting: str, value: str) -> None:
    set_host(clone, "size", "Standard_D2s_v5")
    clone.change("up")
    life = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
    # whatever a refresh of a stopped one has left of it
    azure.faults.deallocated = True
    clone.change("refresh")
    azure.faults.deallocated = False
    set_host(clone, setting, value)
    printed = clone.change("up")
    assert azure.cloud.only("compute:VirtualMachine").facts["vmId"] != life
    # its containers are stopped first
    assert 0 < printed.find("host-stop deleted original") < printed.find("host-machine-vm deleting original")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_disk_that_somebody_kept_is_in_nobodys_way(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    machine = azure.cloud.only("compute:VirtualMachine")
    machine.inputs["storageProfile"]["osDisk"]["deleteOption"] = "Detach"
    kept = azure.cloud.os_disk_id(machine)
    azure.cloud.delete(machine.id)
    clone.pulumi("up", "--yes", "--skip-preview", "--refresh")
    assert azure.cloud.only("compute:VirtualMachine")
    assert azure.cloud.lookup(kept)


def test_a_machine_that_stands_keeps_its_subnet(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    before = {key: {**found.inputs} for key, found in azure.cloud.resources.items()}
    clone.pulumi("config", "set", "--path", "datadocker:host.network.addressSpace", "10.61.0.0/16")
    code, printed = clone.run("up", "--yes", "--skip-preview")
    assert code != 0
    assert "datadocker-staging is in the subnet 10.60.0.0/24" in printed
    assert {key: found.inputs for key, found in azure.cloud.resources.items()} == before
    clone.pulumi("config", "set", "--path", "datadocker:host.network.addressSpace", "10.60.0.0/15")
    clone.change("up")
    assert azure.cloud.only("network:VirtualNetwork").inputs["addressSpace"] == {"addressPrefixes": ["10.60.0.0/15"]}


def set_host(clone: Clone, setting: str, value: str) -> None:
    clone.pulumi("config", "set", "--path", f"datadocker:host.{setting}", value)


def make_key(file: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)


def test_another_key_at_the_same_path_makes_no_machine_anew(clone: Clone, azure: StandIn, tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    set_host(clone, "identityFile", str(tmp_path / "key"))
    clone.change("up")
    first = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
    public = " ".join((tmp_path / "key.pub").read_text().split()[:2])
    for file in ("key", "key.pub"):
        (tmp_path / file).unlink()
    make_key(tmp_path / "key")
    code, printed = clone.run("up", "--yes", "--skip-preview")
    assert code != 0
    assert f"key is another key than the machine was made with, {public}: put that one there" in " ".join(
        printed.split()
    )
    assert azure.cloud.only("compute:VirtualMachine").facts["vmId"] == first
    # by another name it is meant
    make_key(tmp_path / "new")
    set_host(clone, "identityFile", str(tmp_path / "new"))
    clone.change("up")
    assert azure.cloud.only("compute:VirtualMachine").facts["vmId"] != first


def test_accelerated_networking_comes_and_goes_with_another_machine(clone: Clone, azure: StandIn) -> None:
    room = azure.cloud.machines
    assert isinstance(room, RecordingRoom)
    clone.change("up")
    # settings, and whether the machine stays
    for change, stays in (
        ({"size": "Standard_D2s_v5"}, True),
        ({"acceleratedNetworking": "true"}, False),
        ({"size": "Standard_D4s_v5"}, True),
        ({"acceleratedNetworking": "false"}, False),
        ({"size": "Standard_B2s"}, True),
        ({"size": "Standard_D2s_v5", "acceleratedNetworking": "true"}, False),
        ({"size": "Standard_B2s", "acceleratedNetworking": "false"}, False),
    ):
        before = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
        for setting, value in change.items():
            set_host(clone, setting, value)
        printed = clone.change("up")
        machine = azure.cloud.only("compute:VirtualMachine")
        assert (machine.facts["vmId"] == before) is stays, change
        card = azure.cloud.only("network:NetworkInterface").inputs
        wanted = change.get("acceleratedNetworking")
        assert wanted is None or card["enableAcceleratedNetworking"] is (wanted == "true")
        if not stays:
            # its containers are stopped first
            assert 0 < printed.find("host-stop deleted original") < printed.find("host-machine-vm deleting original")
        clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_another_size_is_waited_for(clone: Clone, azure: StandIn) -> None:
    room = azure.cloud.machines
    assert isinstance(room, RecordingRoom)
    clone.change("up")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert [call[0] for call in room.calls].count("run_command") == 1
    clone.pulumi("config", "set", "--path", "datadocker:host.size", "Standard_B4ms")
    clone.change("up")
    assert [call[0] for call in room.calls][-2:] == ["restart", "run_command"]
    assert "delete" not in [call[0] for call in room.calls]
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_machine_is_made_anew_with_another_size_where_it_can_not_be_resized(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    life = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
    set_host(clone, "size", "Standard_D2s_v6")
    # as docs/azure.md says it
    printed = clone.change("up", "--replace", "**azure-native:compute:VirtualMachine::**")
    machine = azure.cloud.only("compute:VirtualMachine")
    assert machine.facts["vmId"] != life
    assert machine.inputs["hardwareProfile"] == {"vmSize": "Standard_D2s_v6"}
    # its containers are stopped first
    assert 0 < printed.find("host-stop deleted original") < printed.find("host-machine-vm deleting original")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.parametrize("reason", ["--replace", "disk.size", "image", "customData", "gone"])
def test_a_newer_checkout_leaves_a_machine_alone_and_boots_the_next_one(
    clone: Clone, azure: StandIn, reason: str
) -> None:
    room = azure.cloud.machines
    assert isinstance(room, RecordingRoom)
    clone.change("up")
    life = azure.cloud.only("compute:VirtualMachine").facts["vmId"]
    bootstrap = clone.checkout / "components/hosts/azure_bootstrap.py"
    bootstrap.write_text(bootstrap.read_text().replace('"nfs-common"', '"nfs-common", "newer"'))
    for _ in range(2):
        clone.change("up")
        assert azure.cloud.only("compute:VirtualMachine").facts["vmId"] == life
    more: list[str] = []
    if reason == "--replace":
        more = ["--replace", "**azure-native:compute:VirtualMachine::**"]
    elif reason == "gone":
        azure.cloud.remove(azure.cloud.only("compute:VirtualMachine").id)
        more = ["--refresh"]
    else:
        file = clone.folder / "mine"
        file.write_text("#!/bin/sh\n")
        values = {"disk.size": "64", "image": "Debian:debian-13:13-gen2:latest", "customData": str(file)}
        set_host(clone, reason, values[reason])
    clone.change("up", *more)
    machine = azure.cloud.only("compute:VirtualMachine")
    assert machine.facts["vmId"] != life
    (order,) = room.orders.values()
    assert b"newer" in order.custom_data
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_every_region_of_azure_is_known() -> None:
    assert set(limits.REGIONS) <= REGIONS
