"""The data's account and the network that it lets in, made in one update."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.azure.clone import Clone
from tests.azure.standin import StandIn

# shares of NFS need nothing of an engine, and no machine boots
PROGRAM = """
from stacks.config import read_settings
from stacks.hosts import docker_host
from stacks.shares import file_shares

settings = read_settings()
file_shares(settings, docker_host(settings)[0], None)
"""


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(PROGRAM)
    for setting, value in (
        ("shares.performance", "premium"),
        ("shares.protocol", "nfs"),
        ("host.size", "Standard_D2s_v5"),
    ):
        made.pulumi("config", "set", "--path", f"datadocker:{setting}", value)
    return made


def test_the_subnet_is_let_in_once_the_interface_is_in_it(clone: Clone, azure: StandIn) -> None:
    azure.faults.slow(2, kind="NetworkInterface")
    clone.change("up")
    rules = azure.cloud.only("storage:StorageAccount").inputs["networkRuleSet"]["virtualNetworkRules"]
    subnet = azure.cloud.only("network:Subnet").id
    assert [rule["virtualNetworkResourceId"] for rule in rules] == [subnet]
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    # and with another interface there the account stays as it is
    clone.pulumi("config", "set", "--path", "datadocker:host.acceleratedNetworking", "true")
    for printed in (clone.pulumi("preview"), clone.change("up")):
        assert "NetworkInterface host-net-card" in printed
        assert "StorageAccount" not in printed
