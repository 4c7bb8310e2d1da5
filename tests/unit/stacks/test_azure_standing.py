"""A machine on Azure that stands: what it keeps, and what goes and comes with it."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import azure_lookup, state
from components.hosts.azure import AzureHost
from tests.azure.compute_rules import IMMUTABLE
from tests.unit.azure_parts import (
    ACCOUNT,
    ADDRESS,
    CARD,
    ENGINE,
    GROUP,
    HOST,
    NETWORK,
    RUN,
    SET,
    SHARE,
    STOP,
    SUBNET,
    SUBNETWORK,
    VM,
    AzureRecorder,
    logged_in,
    stand,
)
from tests.unit.conftest import Build, Options, waited_for

IMAGE = "docker:index/remoteImage:RemoteImage"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("change", "there", "refused"),
    [
        ({"name": "other"}, {}, None),
        ({"resourceGroup": "ours", "name": "other"}, {"group": "ours"}, "name"),
        ({"existingResourceGroup": "ours", "name": "other"}, {}, "name"),
        ({"existingResourceGroup": "ours", "location": "eastus"}, {}, "location"),
        ({"existingResourceGroup": "ours"}, {}, None),
        # a group of the stack's own goes where the machine goes
        ({"resourceGroup": "ours", "location": "eastus"}, {"group": "ours"}, None),
        ({"resourceGroup": "new", "name": "other"}, {"group": "ours"}, None),
    ],
)
def test_a_machine_in_a_group_that_stays_keeps_name_and_region(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    change: dict[str, str],
    there: dict[str, str],
    refused: str | None,
) -> None:
    recorder.in_state[CARD, "host-net-card"] = {"name": "datadocker-staging-nic", "location": "West Europe"}
    if "existingResourceGroup" not in change:
        recorder.in_state[GROUP, "host-group"] = {"name": there.get("group", "datadocker-staging")}
    stood = pytest.raises(pulumi.RunError, match=f"set datadocker:host.{refused} back") if refused else nullcontext()
    with stood:
        stand(build, exported, host=HOST | change)


@pytest.mark.parametrize(("stood", "named"), [("Datadocker-Staging", ""), ("ours", " and set .*resourceGroup to ours")])
def test_a_group_that_the_stack_made_is_gone_back_to_by_its_name(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], stood: str, named: str
) -> None:
    recorder.in_state[GROUP, "host-group"] = {"name": stood}
    # without the second the default counts, another group, and the machine would be replaced
    with pytest.raises(pulumi.RunError, match=f"leave datadocker:host.existingResourceGroup out{named}, or destroy"):
        stand(build, exported, host=HOST | {"existingResourceGroup": "theirs"})


OTHER_SUBNET = SUBNET.replace("/v/", "/w/")


@pytest.mark.parametrize(
    ("there", "made", "change", "refused"),
    [
        (SUBNET, None, {"network": {"subnetId": SUBNET}}, None),
        (SUBNET.lower(), None, {"network": {"subnetId": SUBNET}}, None),
        (SUBNET, None, {"network": {"subnetId": OTHER_SUBNET}}, SUBNET),
        (SUBNET, None, {}, SUBNET),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {}, None),
        ("own", {"addressPrefixes": ["10.60.0.0/24"]}, {}, None),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"subnetId": SUBNET}}, "10.60.0.0/24"),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"addressSpace": "10.61.0.0/16"}}, "10.60.0.0/24"),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"subnet": "10.60.1.0/24"}}, "10.60.0.0/24"),
        # a network may become larger
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"addressSpace": "10.60.0.0/15"}}, None),
        # all of it is another one, in a group of its own
        (SUBNET, None, {"resourceGroup": "new"}, None),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"resourceGroup": "new", "network": {"subnetId": SUBNET}}, None),
        # a killed run was making it: only what it asked for is known
        ("", None, {"network": {"subnetId": SUBNET}}, None),
    ],
)
def test_a_machine_that_stays_keeps_its_subnet(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    there: str,
    made: dict[str, Any] | None,
    change: dict[str, Any],
    refused: str | None,
) -> None:
    card = SUBNET.replace("/n/", "/datadocker-staging/").split("virtualNetworks")[0] + "networkInterfaces/x"
    recorder.in_state[CARD, "host-net-card"] = {
        "name": "datadocker-staging-nic",
        "location": "westeurope",
        "ipConfigurations": [
            {"name": "primary"} | ({"id": f"{card}/ipConfigurations/primary", "subnet": {"id": there}} if there else {})
        ],
    }
    if "existingResourceGroup" not in change:
        recorder.in_state[GROUP, "host-group"] = {"name": "datadocker-staging"}
    if made:
        recorder.in_state[SUBNETWORK, "host-net-subnet"] = made
    services = [{"service": "Microsoft.Storage"}]
    recorder.existing["azure-native:network:getSubnet"] = {"id": SUBNET, "serviceEndpoints": services}
    said = f"^datadocker-staging is in the subnet {refused}, .*: set datadocker:host.network back"
    with pytest.raises(pulumi.RunError, match=said) if refused else nullcontext():
        stand(build, exported, host=HOST | change)
    assert bool(recorder.all(CARD)) is not bool(refused)


def test_all_that_is_on_the_machine_shares_its_fate(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], options: Options
) -> None:
    stand(build, exported, images={"mysql": "mysql:8.4"})
    assert (IMAGE, "mysql-pull") in options
    on_host = {
        key: opts
        for key, opts in options.items()
        if key[0].startswith(("docker:", "datadocker-engine:")) and key[0] != STOP
    }
    assert len(on_host) > 10
    for key, opts in on_host.items():
        assert opts.deleted_with is not None, key
        assert opts.replacement_trigger is not None, key
        # one that can't be pulled costs nobody a container, and its deletion deletes nothing
        pulled = key[1].endswith("-pull")
        assert opts.delete_before_replace is not pulled, key
        assert "host-stop" in waited_for(opts), key
    # and that comes after the bootstrap, also where mocks answer in another order
    assert waited_for(options[STOP, "host-stop"]) == ["host-machine-ready"]
    assert waited_for(options[ENGINE, "host-engine"]) == ["host-stop"]
    # which goes with a machine that does not answer, and is waited for on another one
    bootstrap = options[RUN, "host-machine-ready"]
    assert bootstrap.deleted_with is not None
    assert bootstrap.replacement_trigger is not None
    # its own deletion is what stops the containers, so it is never skipped
    assert options[STOP, "host-stop"].deleted_with is None
    assert recorder.one(STOP, "host-stop")["machine"] == "4711-of-this-machine"
    machine = options[VM, "host-machine-vm"]
    assert machine.delete_before_replace is True
    replaced = set(machine.replace_on_changes or [])
    # but the disk's name, which is left to Azure, and a password, which no machine of ours has
    ours = set(IMMUTABLE) - {"storageProfile.osDisk.name", "osProfile.adminPassword", *(machine.ignore_changes or [])}
    assert machine.ignore_changes == ["osProfile.customData"]
    assert all(any(path.startswith(by) for by in replaced) for path in ours)
    # a size changes in place, and what others may set there
    assert not [path for path in replaced if "hardware" in path or path.endswith(("linuxConfiguration", "osDisk"))]


def test_nothing_of_dockers_has_a_property_of_the_machine(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else Pulumi would delete it by itself, on a machine that may hang, before that is replaced."""
    given: dict[str, Any] = {}
    register = pulumi.runtime.resource.register_resource

    def watched(res: Any, typ: str, name: str, custom: bool, remote: bool, new: Any, props: Any, *more: Any) -> Any:
        given[f"{typ} {name}"] = props
        return register(res, typ, name, custom, remote, new, props, *more)

    monkeypatch.setattr("pulumi.resource.register_resource", watched)
    stand(build, exported)
    found = {key: _sources(props) for key, props in given.items() if key.startswith("docker:")}
    assert len(found) > 5
    assert any("azurefile-plugin" in sources for sources in found.values())
    assert [key for key, sources in found.items() if {"host-machine-vm", "host-stop"} & sources] == []


def _sources(value: Any) -> set[str]:
    """Names of the resources that outputs in it are of."""
    if isinstance(value, pulumi.Output):

        async def look() -> set[str]:
            return {resource._name for resource in await value.resources()}

        # not by asyncio.run, which would leave the tests after this without a loop
        loop = asyncio.new_event_loop()
        try:
            return loop.run_until_complete(look())
        finally:
            loop.close()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return set().union(*map(_sources, inner))


def test_what_azure_adds_to_a_resource_is_no_change_after_a_refresh(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], options: Options
) -> None:
    stand(build, exported, host=HOST | {"availabilitySet": "two", "publicIp": False, "privateRoute": True})
    assert options[SET, "host-machine-set"].ignore_changes == ["virtualMachines"]
    assert options[ADDRESS, "host-net-nat-ip"].ignore_changes == ["natGateway"]


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_of_a_change_in_place_replaces_nothing(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], preview: bool, tmp_path: Path
) -> None:
    recorder.in_state = {
        (VM, "host-machine-vm"): {"vmId": "the-one-before"},
        (NETWORK, "host-net-network"): {"resourceGuid": "the-network-before"},
    }
    pulumi.runtime.set_mocks(recorder, project="datadocker", stack="staging", preview=preview)
    stand(build, exported)
    assert (tmp_path / "home/.cache/datadocker").exists() is not preview
    # in an update it is Azure's word that counts
    machine, network = (
        ("the-one-before", "the-network-before") if preview else ("4711-of-this-machine", "4711-of-this-network")
    )
    assert recorder.one(STOP, "host-stop")["machine"] == machine
    assert recorder.one(SUBNETWORK, "host-net-subnet")["subnetName"] == f"host-{network[:8]}"


@pytest.mark.parametrize(
    ("network", "subnet", "region", "named"),
    [
        ("4711-of-this-network", "host", "West Europe", "host"),
        ("4711-of-this-network", None, "westeurope", "host-4711-of-"),
        ("the-network-before", "host", "westeurope", "host-4711-of-"),
        ("the-network-before", "host-the-netw", "westeurope", "host-4711-of-"),
        # a run that ended early left it to be replaced
        ("4711-of-this-network", "host-the-netw", "westeurope", "host-4711-of-"),
        ("4711-of-this-network", "host", "northeurope", "host-4711-of-"),
    ],
)
def test_a_subnet_is_named_anew_in_another_network_and_stays_as_it_is_in_its_own(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    network: str,
    subnet: str | None,
    region: str,
    named: str,
) -> None:
    recorder.in_state = {
        (NETWORK, "host-net-network"): {"resourceGuid": network},
        state.HOST_INTERFACE: {"location": region},
        state.HOST_GROUP: {"name": "datadocker-staging"},
    }
    if subnet:
        recorder.in_state[SUBNETWORK, "host-net-subnet"] = {"name": subnet}
    stand(build, exported)
    assert recorder.one(SUBNETWORK, "host-net-subnet")["subnetName"] == named


@pytest.mark.parametrize(("location", "looked_at"), [("northeurope", True), ("westeurope", False)])
def test_a_subnet_that_is_given_is_looked_at_before_a_machine_moves(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], location: str, looked_at: bool
) -> None:
    """Azure would refuse it once the machine, its interface and its group are gone."""
    given = HOST | {"location": location, "network": {"subnetId": SUBNET}}
    recorder.in_state = {
        state.HOST_INTERFACE: {
            "location": "westeurope",
            "ipConfigurations": [{"id": "/x/resourceGroups/datadocker-staging/y", "subnet": {"id": SUBNET}}],
        },
        state.HOST_GROUP: {"name": "datadocker-staging", "location": "westeurope"},
    }
    with pytest.raises(pulumi.RunError, match=f"^subnet {SUBNET} does not exist") if looked_at else nullcontext():
        stand(build, exported, host=given)


def test_azure_is_asked_once_for_each_thing(build: Build, recorder: AzureRecorder, exported: dict[str, Any]) -> None:
    stand(build, exported)
    # the machine's and the data's
    assert recorder.asked.count("azure-native:resources:getResourceGroup") == 2


@pytest.mark.parametrize(
    ("change", "recipe", "asked"), [({}, None, False), ({"disk": {"size": 64}}, None, True), ({}, "older", True)]
)
def test_azure_is_asked_before_a_change_and_only_then(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    recipe: str | None,
    asked: bool,
) -> None:
    outputs: dict[str, Any] = {}
    monkeypatch.setattr(AzureHost, "register_outputs", lambda _, known: outputs.update(known))
    stand(build, exported)
    known = {"group": "datadocker-staging", "recipe": recipe or outputs["recipe"]}
    recorder.in_state["datadocker:index:AzureHost", "host"] = known
    state._recorded.cache_clear()
    azure_lookup._looked_up.cache_clear()
    recorder.refusal = "AADSTS700082: the token has expired"
    recorder.in_state |= {(GROUP, "host-group"): {}, (GROUP, "files-group"): {}, (ACCOUNT, "files-account"): {}}
    recorder.in_state |= {(SHARE, name): {} for name in recorder.all(SHARE)}
    said = "could not be asked for what is there: AADSTS700082"
    with pytest.raises(pulumi.RunError, match=said) if asked else nullcontext():
        stand(build, exported, host=HOST | change)
