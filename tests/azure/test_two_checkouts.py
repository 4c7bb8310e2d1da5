"""Two checkouts of one stack, each with a state of its own: neither takes what the other one lives on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.azure.clone import Clone
from tests.azure.kinds import KINDS
from tests.azure.standin import StandIn
from tests.azure.test_moved_machine import BOTH, put, settled


@pytest.fixture
def clones(tmp_path: Path, azure: StandIn) -> tuple[Clone, Clone]:
    made = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        clone = Clone(tmp_path / name, azure, "staging")
        (clone.checkout / "__main__.py").write_text(BOTH)
        # shares of NFS need nothing of a host
        for setting, value in (("performance", "premium"), ("protocol", "nfs")):
            put(clone, f"shares.{setting}", value)
        made.append(clone)
    return made[0], made[1]


def test_data_in_use_is_refused_before_anything_changes(clones: tuple[Clone, Clone], azure: StandIn) -> None:
    first, second = clones
    first.change("up")
    put(second, "shares.retain", "false")
    for name in ("datadocker-staging", "another"):
        put(second, "host.name", name)
        before = {key: resource.inputs for key, resource in azure.cloud.resources.items()}
        code, said = second.run("up", "--yes", "--skip-preview")
        assert code
        assert "is in use by a host in resource group datadocker-staging, which this state does not know" in said
        assert {key: resource.inputs for key, resource in azure.cloud.resources.items()} == before
    second.change("destroy")
    assert settled(first, azure)


def test_data_that_was_left_is_taken_by_a_checkout_that_never_saw_it(
    clones: tuple[Clone, Clone], azure: StandIn
) -> None:
    first, second = clones
    first.change("up")
    made = azure.cloud.only("storage:StorageAccount").facts["creationTime"]
    first.change("destroy")
    second.change("up")
    assert settled(second, azure)
    assert azure.cloud.only("storage:StorageAccount").facts["creationTime"] == made


def test_data_behind_a_subnet_that_was_given_is_taken_once_its_host_is_gone(
    clones: tuple[Clone, Clone], azure: StandIn
) -> None:
    first, second = clones
    net = {"resourceGroupName": "net", "location": "westeurope", "virtualNetworkName": "net"}
    ranges = {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}}
    storage = {"addressPrefix": "10.9.1.0/24", "serviceEndpoints": [{"service": "Microsoft.Storage"}]}
    azure.cloud.put(KINDS["azure-native:resources:ResourceGroup"], net)
    azure.cloud.put(KINDS["azure-native:network:VirtualNetwork"], net | ranges)
    azure.cloud.put(KINDS["azure-native:network:Subnet"], net | storage | {"subnetName": "given"})
    for clone in clones:
        put(clone, "host.network.subnetId", azure.cloud.only("network:Subnet").id)
    first.change("up")
    code, said = second.run("up", "--yes", "--skip-preview")
    assert code
    assert "is in use by a host in resource group datadocker-staging" in said
    first.change("destroy")
    second.change("up")
    second.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
