"""The data's account is exchanged for another one, and taken back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.standin import StandIn

# shares of NFS need nothing of a host, and no machine boots
SHARES = """
from stacks.config import read_settings
from stacks.shares import file_shares

file_shares(read_settings(), None, None)
"""

# nor do those of SMB, but for a file with their account's key
SMB = """
from types import SimpleNamespace

from components.shares.azure import AzureFileShares

AzureFileShares._key_on_host = lambda self, name: SimpleNamespace(account=self.account)
"""

# what the state has of a volume, and no engine
VOLUME = """
import pulumi

made = pulumi.ComponentResource("docker:index/volume:Volume", "dbs-volume")
made.register_outputs({"name": "dbs", "driverOpts": {"share": "dbs", "account": "first"}})
"""


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(SHARES)
    for setting, value in (("performance", "premium"), ("protocol", "nfs"), ("resourceGroup", "demo-data")):
        set_shares(made, setting, value)
    return made


def put(clone: Clone, setting: str, value: str) -> None:
    clone.pulumi("config", "set", "--path", f"datadocker:{setting}", value)


def set_shares(clone: Clone, setting: str, value: str) -> None:
    put(clone, f"shares.{setting}", value)


def accounts(azure: StandIn) -> dict[str, int]:
    """Name of each account, with the number of its shares."""
    found = azure.cloud.resources.values()
    shares = [r.id for r in found if r.kind.token.endswith(":FileShare")]
    names = [r.name for r in found if r.kind.token.endswith(":StorageAccount")]
    return {name: sum(f"/storageAccounts/{name}/" in share for share in shares) for name in names}


def test_an_account_that_was_left_is_taken_back(clone: Clone, azure: StandIn) -> None:
    for name in ("first", "second", "first"):
        set_shares(clone, "account", name)
        clone.change("up")
    # what each of them has is kept
    assert accounts(azure) == {"first": 4, "second": 4}
    assert clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    clone.change("destroy")
    assert accounts(azure) == {"first": 4, "second": 4}


def test_shares_of_smb_are_taken_back(clone: Clone, azure: StandIn) -> None:
    """Azure does not say that a standard share is one of SMB, which is no reason to replace it."""
    (clone.checkout / "__main__.py").write_text(SMB + SHARES)
    set_shares(clone, "protocol", "smb")
    set_shares(clone, "performance", "standard")
    clone.change("up")
    made = accounts(azure)
    clone.change("destroy")
    set_shares(clone, "location", "eastus")
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "the data is in westeurope: set datadocker:shares.location to it" in said
    assert accounts(azure) == made
    set_shares(clone, "location", "westeurope")
    clone.change("up")
    assert list(made.values()) == [4]
    assert accounts(azure) == made
    clone.change("refresh")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_share_that_was_deleted_under_a_volume_comes_back_by_hand(clone: Clone, azure: StandIn) -> None:
    (clone.checkout / "__main__.py").write_text(SHARES + VOLUME)
    set_shares(clone, "account", "first")
    clone.change("up")
    (share,) = [key for key in azure.cloud.resources if key.endswith("/shares/dbs")]
    deleted = azure.cloud.resources.pop(share)
    # by the first of which the state forgets it
    for arguments in (["preview", "--refresh"], ["up", "--yes", "--skip-preview", "--refresh"], ["preview"]):
        code, said = clone.run(*arguments)
        assert code
        assert "share dbs of account first is gone: undelete it" in said
        assert accounts(azure) == {"first": 3}
    azure.cloud.resources[share] = deleted
    clone.change("up", "--refresh")
    assert accounts(azure) == {"first": 4}


@pytest.mark.parametrize("retain", ["true", "false"])
def test_a_name_that_is_taken_costs_nothing(clone: Clone, azure: StandIn, retain: str) -> None:
    set_shares(clone, "account", "first")
    clone.change("up")
    set_shares(clone, "retain", retain)
    azure.faults.taken_names = {"taken"}
    set_shares(clone, "account", "taken")
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "StorageAccountAlreadyTaken" in said
    assert accounts(azure) == {"first": 4}
    set_shares(clone, "account", "first")
    clone.change("up")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert accounts(azure) == {"first": 4}


@pytest.mark.parametrize("account", ["first", "second"])
def test_an_exchange_that_failed_half_way_is_taken_back_or_gone_on_with(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    set_shares(clone, "account", "first")
    clone.change("up")
    set_shares(clone, "account", "second")
    put, made = Cloud.put, threading.Event()

    def refuse(self: Cloud, kind: Any, inputs: dict[str, Any]) -> Any:
        share = kind.token.endswith(":FileShare")
        if share and inputs["shareName"] != "logs":
            # Pulumi begins nothing more after the first refusal
            made.wait(60)
            raise AzureError(500, "InternalServerError", "for a moment")
        resource = put(self, kind, inputs)
        if share:
            made.set()
        return resource

    monkeypatch.setattr(Cloud, "put", refuse)
    assert clone.run("up", "--yes", "--skip-preview")[0]
    monkeypatch.setattr(Cloud, "put", put)
    set_shares(clone, "account", account)
    clone.change("up")
    assert accounts(azure) == {"first": 4, "second": 1 if account == "first" else 4}
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_another_account_deletes_no_data(clone: Clone, azure: StandIn) -> None:
    set_shares(clone, "account", "first")
    set_shares(clone, "retain", "false")
    clone.change("up")
    set_shares(clone, "account", "second")
    for retain in ("false", "true"):
        set_shares(clone, "retain", retain)
        code, said = clone.run("up", "--yes", "--skip-preview")
        assert code
        assert "first: its data would be deleted" in said
        assert accounts(azure) == {"first": 4}
    for name in ("first", "second"):
        set_shares(clone, "account", name)
        clone.change("up")
    assert accounts(azure) == {"first": 4, "second": 4}


def test_what_would_be_replaced_is_refused(clone: Clone, azure: StandIn) -> None:
    set_shares(clone, "account", "first")
    set_shares(clone, "retain", "false")
    clone.change("up")
    for setting, value, was in (("resourceGroup", "other", "demo-data"), ("protocol", "smb", "nfs")):
        set_shares(clone, setting, value)
        code, said = clone.run("up", "--yes", "--skip-preview")
        assert code
        assert f"shares.{setting}" in said
        assert accounts(azure) == {"first": 4}
        set_shares(clone, setting, was)
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_what_was_left_is_not_changed_to_what_it_can_not_be(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    clone.change("destroy")
    left = {key: resource.inputs for key, resource in azure.cloud.resources.items()}
    for setting, value, was in (
        ("host.location", "eastus", "westeurope"),
        ("shares.protocol", "smb", "nfs"),
        ("shares.redundancy", "ZRS", "LRS"),
    ):
        put(clone, setting, value)
        code, said = clone.run("up", "--yes", "--skip-preview")
        assert code
        assert f"set datadocker:{setting}" in said
        assert {key: resource.inputs for key, resource in azure.cloud.resources.items()} == left
        put(clone, setting, was)
    clone.change("up")


def test_a_part_is_not_updated_while_data_is_to_be_taken_back(clone: Clone, azure: StandIn) -> None:
    """Pulumi would take back what is outside of the part, too, and write a state that no command reads."""
    clone.change("up")
    clone.change("destroy")
    part = "urn:pulumi:staging::datadocker::datadocker:index:AzureFileShares$azure-native:resources:ResourceGroup**"
    code, said = clone.run("up", "--yes", "--skip-preview", "--target", part)
    assert code
    assert "say up without --target once" in said
    clone.change("up")
    clone.change("up", "--target", part)


@pytest.mark.parametrize("retain", ["true", "false"])
def test_a_group_in_another_case_is_the_same_one(clone: Clone, azure: StandIn, retain: str) -> None:
    set_shares(clone, "account", "first")
    set_shares(clone, "retain", retain)
    clone.change("up")
    set_shares(clone, "resourceGroup", "Demo-Data")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    set_shares(clone, "retain", "true")
    clone.change("up")
    clone.change("destroy")
    # as is one that is taken back
    clone.change("up")
    set_shares(clone, "resourceGroup", "demo-data")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert accounts(azure) == {"first": 4}
