"""A stack's network, and what others add to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.azure.clone import Clone
from tests.azure.kinds import KINDS
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
