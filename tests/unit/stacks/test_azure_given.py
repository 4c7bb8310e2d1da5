"""What the settings say is on Azure already is looked at before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import azure_lookup, state
from components.state import HOST_GROUP
from stacks.azure import AzureHostSettings
from stacks.azure_given import STORAGE, STORAGE_GLOBAL, check_given
from tests.unit.azure_parts import SUBNET, SUBSCRIPTION, AzureRecorder, logged_in
from tests.unit.azure_raw import HOST
from tests.unit.conftest import Build

GET_GROUP, GET_SUBNET = "azure-native:resources:getResourceGroup", "azure-native:network:getSubnet"
GET_NETWORK = "azure-native:network:getVirtualNetwork"
INSIDE: dict[str, Any] = {"network": {"subnetId": SUBNET}}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


def check(build: Build, *, shares: bool = True, far: bool = False, **change: Any) -> None:
    azure_lookup._looked_up.cache_clear()
    machine = AzureHostSettings.model_validate(HOST | change)
    build(lambda: check_given(machine, machine.group("datadocker-staging"), shares=shares, far=far))


def test_a_group_that_is_not_there(build: Build, recorder: AzureRecorder) -> None:
    with pytest.raises(pulumi.RunError, match=rf"^resource group ours is not in subscription {SUBSCRIPTION}: mend "):
        check(build, existingResourceGroup="ours")
    recorder.existing[GET_GROUP] = {"id": "/ours"}
    check(build, existingResourceGroup="ours")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (
            None,
            "resource group datadocker-staging exists, and the stack makes its own: name another by datadocker:",
        ),
        ({"datadocker-stack": "other/dev"}, "resource group datadocker-staging exists, of stack other/dev, and the"),
        (
            {"datadocker-stack": "datadocker/staging"},
            "resource group datadocker-staging is this stack's, and its state",
        ),
    ],
)
def test_a_group_that_is_to_be_made_and_is_there(
    build: Build, recorder: AzureRecorder, tags: dict[str, str] | None, said: str
) -> None:
    check(build)
    recorder.existing[GET_GROUP] = {"id": "/theirs", "tags": tags}
    with pytest.raises(pulumi.RunError, match=f"^{said}"):
        check(build)
    # what the state knows was made by it
    recorder.in_state = {HOST_GROUP: {"name": "datadocker-staging"}}
    state._recorded.cache_clear()
    check(build)


def test_a_subnet_that_is_not_there(build: Build, recorder: AzureRecorder) -> None:
    with pytest.raises(pulumi.RunError, match=f"^subnet {SUBNET} does not exist: mend datadocker:host.network.subnet"):
        check(build, shares=False, **INSIDE)
    recorder.existing[GET_SUBNET] = {"id": SUBNET}
    check(build, shares=False, **INSIDE)


@pytest.mark.parametrize(
    ("services", "far", "lacking"),
    [
        ([], False, STORAGE),
        (["Microsoft.Sql"], False, STORAGE),
        ([STORAGE], False, None),
        ([STORAGE_GLOBAL], False, None),
        ([], True, STORAGE_GLOBAL),
        ([STORAGE], True, None),
        ([STORAGE_GLOBAL], True, None),
    ],
)
def test_a_subnet_that_shares_would_not_let_in(
    build: Build, recorder: AzureRecorder, services: list[str], far: bool, lacking: str | None
) -> None:
    recorder.existing[GET_SUBNET] = {"id": SUBNET, "serviceEndpoints": [{"service": service} for service in services]}
    if lacking is None:
        check(build, far=far, **INSIDE)
        return
    with pytest.raises(pulumi.RunError, match=f"no service endpoint for storage, .* --service-endpoints {lacking} "):
        check(build, far=far, **INSIDE)
    # shares on the machine itself let everybody in
    check(build, shares=False, **INSIDE)


def test_a_subnet_in_another_region(build: Build, recorder: AzureRecorder) -> None:
    recorder.existing |= {GET_SUBNET: {"id": SUBNET}, GET_NETWORK: {"id": "/network", "location": "northeurope"}}
    with pytest.raises(pulumi.RunError, match=f"^subnet {SUBNET} is in northeurope, .*: set datadocker:host.location "):
        check(build, shares=False, **INSIDE)
    recorder.existing[GET_NETWORK] = {"id": "/network", "location": "West Europe"}
    check(build, shares=False, **INSIDE)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"addressPrefix": "10.1.0.0/24"}, "10.1.0.0/24"),
        ({"addressPrefixes": ["10.1.0.0/24", "fd00::/64", "10.2.0.0/24"]}, "10.1.0.0/24, 10.2.0.0/24"),
        ({"addressPrefixes": ["10.1.0.0/24", "10.60.1.0/24"]}, None),
        ({}, None),
    ],
)
def test_an_address_that_is_not_the_subnets(
    build: Build, recorder: AzureRecorder, known: dict[str, Any], said: str | None
) -> None:
    recorder.existing[GET_SUBNET] = {"id": SUBNET, **known}
    if said is None:
        check(build, shares=False, privateIp="10.60.1.9", **INSIDE)
        return
    with pytest.raises(pulumi.RunError, match=f"^datadocker:host.privateIp: 10.60.1.9 is not one of .* has {said}: "):
        check(build, shares=False, privateIp="10.60.1.9", **INSIDE)
    check(build, shares=False, **INSIDE)


@pytest.mark.parametrize(
    ("known", "warned"),
    [
        ({"defaultOutboundAccess": False}, True),
        ({"defaultOutboundAccess": True}, False),
        ({}, False),
        ({"defaultOutboundAccess": False, "natGateway": {"id": "/nat"}}, False),
        ({"defaultOutboundAccess": False, "routeTable": {"id": "/routes"}}, False),
    ],
)
def test_a_subnet_that_leads_nowhere_is_warned_of_where_the_machine_has_no_address(
    build: Build, recorder: AzureRecorder, monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], warned: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    recorder.existing[GET_SUBNET] = {"id": SUBNET, **known}
    within: dict[str, Any] = {"publicIp": False, "privateRoute": True, "sshFrom": ["10.0.0.0/24"]}
    check(build, shares=False, **within, network={"subnetId": SUBNET, "outbound": "given"})
    assert ["no NAT gateway" in text for text in said] == [True] * warned
    said.clear()
    check(build, shares=False, sshFrom=["10.0.0.0/24"], **INSIDE)
    assert said == []


def test_a_subnet_that_may_be_joined_and_not_read_is_warned_of(
    build: Build, recorder: AzureRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    recorder.refusal = 'Status=403 Code="AuthorizationFailed" Message="no subnets/read"'
    recorder.existing[GET_GROUP] = {"id": "/ours"}
    inside = INSIDE | {"existingResourceGroup": "ours"}
    check(build, sshFrom=["10.0.0.0/24"], **inside)
    assert len(said) == 1
    recorder.refusal = "AADSTS700082: expired"
    with pytest.raises(pulumi.RunError, match="AADSTS700082"):
        check(build, **inside)


def test_a_network_that_may_not_be_read_keeps_nothing_of_its_subnet_from_being_said(
    build: Build, recorder: AzureRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    look_up = azure_lookup.look_up

    def refused(token: str, **arguments: str) -> azure_lookup.Found | None:
        if token == GET_NETWORK:
            raise pulumi.RunError('Code="AuthorizationFailed" Message="no virtualNetworks/read"')
        return look_up(token, **arguments)

    monkeypatch.setattr("stacks.azure_given.look_up", refused)
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    recorder.existing[GET_SUBNET] = {"id": SUBNET, "serviceEndpoints": []}
    check(build, shares=False, sshFrom=["10.0.0.0/24"], **INSIDE)
    assert [text.split(" could not be")[0] for text in said] == [f"the network of subnet {SUBNET}"]
    with pytest.raises(pulumi.RunError, match="no service endpoint for storage"):
        check(build, **INSIDE)


def test_what_is_in_another_subscription_can_not_be_looked_at(build: Build, recorder: AzureRecorder) -> None:
    elsewhere = SUBNET.replace(SUBSCRIPTION, "11111111-2222-3333-4444-555555555555")
    check(build, network={"subnetId": elsewhere})
    assert GET_SUBNET not in recorder.asked


@pytest.mark.parametrize(
    ("change", "warned"),
    [
        ({"sshFrom": ["192.0.2.1/32"]}, "datadocker:host.sshFrom: 192.0.2.1/32 is an example that nobody has"),
        ({"sshFrom": ["10.0.0.0/24"]}, None),
        ({"sshFrom": ["Internet"]}, None),
        ({"publicIp": False, "jumpHost": "jump@jump.example.com:22"}, "jump@jump.example.com:22 is an example"),
        ({"publicIp": False, "jumpHost": "jump.examples.com"}, None),
    ],
)
def test_an_example_that_was_left_in_the_file_is_warned_of(
    build: Build,
    recorder: AzureRecorder,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    warned: str | None,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    check(build, **({"sshFrom": ["10.0.0.0/24"]} | change))
    assert len(said) == (warned is not None)
    assert warned is None or warned in said[0]
