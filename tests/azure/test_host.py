"""A stack's host by itself: what others add to its network, another subnet, another size, another region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.kinds import KINDS, Kind
from tests.azure.machines import RecordingRoom
from tests.azure.resource import Resource
from tests.azure.standin import StandIn

# the stack's host without what stands on it, since no machine boots
HOST = """
from stacks.config import read_settings
from stacks.hosts import docker_host

docker_host(read_settings())
"""
BASTION = {
    "resourceGroupName": "datadocker-staging",
    "virtualNetworkName": "datadocker-staging-vnet",
    "subnetName": "AzureBastionSubnet",
    "addressPrefix": "10.60.200.0/26",
}


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(HOST)
    return made


def test_a_subnet_that_others_add_stays(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    added = azure.cloud.put(KINDS["azure-native:network:Subnet"], BASTION)
    clone.pulumi("config", "set", "--path", "datadocker:host.tags.team", "data")
    clone.change("up", "--refresh")
    assert azure.cloud.only("network:VirtualNetwork").inputs["tags"] == {"team": "data"}
    assert azure.cloud.lookup(added.id)
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


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


def refuse_once(monkeypatch: pytest.MonkeyPatch, azure: StandIn, kind: str) -> None:
    """Lets the next creation of a resource of that kind fail."""
    refused: list[str] = []

    def put(self: Cloud, made: Kind, inputs: dict[str, Any]) -> Resource:
        if made.token.endswith(f":{kind}") and not refused:
            refused.append(kind)
            raise AzureError(500, "InternalServerError", "for a moment")
        return whole(self, made, inputs)

    whole = Cloud.put
    monkeypatch.setattr(Cloud, "put", put)


@pytest.mark.parametrize("kind", ["ResourceGroup", "VirtualNetwork"])
@pytest.mark.parametrize("region", ["westeurope", "northeurope"])
def test_a_move_that_failed_half_way_is_finished_or_taken_back(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch, kind: str, region: str
) -> None:
    clone.change("up")
    before = sorted(azure.cloud.resources)
    clone.pulumi("config", "set", "--path", "datadocker:host.location", "northeurope")
    refuse_once(monkeypatch, azure, kind)
    assert clone.run("up", "--yes", "--skip-preview")[0]
    clone.pulumi("config", "set", "--path", "datadocker:host.location", region)
    clone.change("up")
    assert sorted(azure.cloud.resources) == before
    assert {r.location for r in azure.cloud.resources.values() if r.location} == {region}
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
