"""A stack's host goes to another region, and its data stays: the account lets the new subnet in."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.azure.clone import Clone
from tests.azure.shares import RecordingShares
from tests.azure.standin import StandIn
from toolchain.backend import Backend
from toolchain.cli import Cli
from toolchain.wrapper import environment

# what stands on the host is left out, since no machine boots
BOTH = """
from stacks.config import read_settings
from stacks.hosts import docker_host
from stacks.shares import file_shares

settings = read_settings()
file_shares(settings, docker_host(settings)[0], None)
"""
# shares of NFS need nothing of a host, nor do those of SMB, but for a file with their account's key
SMB = """
from types import SimpleNamespace

from components.shares.azure import AzureFileShares

AzureFileShares._key_on_host = lambda self, name: SimpleNamespace(account=self.account)
"""
SUBNET = "network:Subnet"


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(BOTH)
    for setting, value in (("performance", "premium"), ("protocol", "nfs")):
        put(made, f"shares.{setting}", value)
    made.change("up")
    return made


@pytest.fixture
def smb(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(SMB + BOTH)
    made.change("up")
    return made


def put(clone: Clone, setting: str, value: str) -> None:
    clone.pulumi("config", "set", "--path", f"datadocker:{setting}", value)


def settled(clone: Clone, azure: StandIn) -> bool:
    """Whether the account lets the subnet in, and nobody finds anything to do."""
    shares = azure.cloud.shares
    assert isinstance(shares, RecordingShares)
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    clone.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    return list(shares.let_in.values()) == [(azure.cloud.only(SUBNET).id,)]


def test_a_machine_that_moves_reaches_its_data(smb: Clone, azure: StandIn) -> None:
    assert settled(smb, azure)
    made = azure.cloud.only("storage:StorageAccount").facts["creationTime"]
    put(smb, "host.location", "northeurope")
    put(smb, "shares.location", "westeurope")
    smb.change("up")
    assert settled(smb, azure)
    assert azure.cloud.only("storage:StorageAccount").facts["creationTime"] == made


def test_what_is_taken_back_lets_the_new_subnet_in(clone: Clone, azure: StandIn) -> None:
    clone.change("destroy")
    assert not azure.cloud.of_type(SUBNET)
    clone.change("up")
    assert settled(clone, azure)


def test_an_account_that_was_left_before_lets_the_new_subnet_in(clone: Clone, azure: StandIn) -> None:
    put(clone, "shares.account", "another1")
    clone.change("up")
    clone.change("destroy")
    clone.change("up")
    clone.pulumi("config", "rm", "--path", "datadocker:shares.account")
    clone.change("up")
    shares = azure.cloud.shares
    assert isinstance(shares, RecordingShares)
    assert list(shares.let_in.values()) == [(azure.cloud.only(SUBNET).id,)] * 2


def test_the_subnet_of_a_network_that_others_deleted_is_let_in(clone: Clone, azure: StandIn) -> None:
    for token in ("compute:VirtualMachine", "network:NetworkInterface", "network:VirtualNetwork"):
        azure.cloud.remove(azure.cloud.only(token).id)
    clone.change("up", "--refresh")
    assert settled(clone, azure)


def test_a_subnet_that_others_deleted_is_let_in_once_its_rule_is_removed(clone: Clone, azure: StandIn) -> None:
    azure.cloud.remove(azure.cloud.only(SUBNET).id)
    code, said = clone.run("up", "--refresh", "--yes", "--skip-preview")
    assert code
    assert "NetworkAclsNetworkSourceDeleted" in said
    # az storage account network-rule remove
    azure.cloud.only("storage:StorageAccount").inputs["networkRuleSet"]["virtualNetworkRules"] = []
    clone.change("up", "--refresh")
    assert settled(clone, azure)


def test_a_preview_of_another_tag_changes_no_account(clone: Clone, azure: StandIn) -> None:
    put(clone, "host.tags.team", "data")
    assert "storage:StorageAccount" not in clone.pulumi("preview")


def test_a_stack_that_was_renamed_keeps_what_it_has_and_can_go_back(clone: Clone, azure: StandIn) -> None:
    before = {key: resource.inputs for key, resource in azure.cloud.resources.items()}
    code, said = clone.run("stack", "rename", "qa")
    assert code
    assert "stack staging can't be renamed while it stands" in said
    # the CLI alone does it
    env = environment(clone.checkout / ".toolchain") | {"PULUMI_CREDENTIALS_PATH": str(clone.folder / "credentials")}
    cli = clone.checkout / ".toolchain/bin/pulumi"
    Backend(clone.checkout, Cli(cli, env, clone.checkout)).passphrases.choose("staging")
    subprocess.run(
        [cli, "stack", "rename", "qa", "--stack", "staging"], cwd=clone.checkout, env=env, check=True, timeout=60
    )
    clone.stack = "qa"
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "./pulumiw stack rename staging --stack qa" in said
    assert {key: resource.inputs for key, resource in azure.cloud.resources.items()} == before
    clone.pulumi("stack", "rename", "staging")
    clone.stack = "staging"
    assert settled(clone, azure)


def test_an_expired_login_is_found_out_while_the_containers_still_run(clone: Clone, azure: StandIn) -> None:
    azure.faults.login_expired = True
    # nothing is to be done, and nobody asked
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    put(clone, "host.disk.size", "64")
    code, printed = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "Azure could not be asked for what is there" in printed
    # whose deletion stops the containers
    assert "datadocker-engine:index:GracefulStop" in clone.resources()
    azure.faults.login_expired = False
    clone.change("up")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
