"""A destroy that fails or is killed half way: the state says what stands, and the next up makes the rest."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.kinds import kind_of
from tests.azure.standin import StandIn

# shares of NFS need nothing on the host, and no machine boots
BOTH = """
from stacks.config import read_settings
from stacks.hosts import docker_host
from stacks.shares import file_shares

settings = read_settings()
host, _ = docker_host(settings)
file_shares(settings, host, None)
"""
SECONDS = 120


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(BOTH)
    for setting, value in (("performance", "premium"), ("protocol", "nfs")):
        made.pulumi("config", "set", "--path", f"datadocker:shares.{setting}", value)
    made.change("up")
    return made


class Deletion:
    """The deletion of the first resource of a kind, which is refused; with `wait` only once it is told to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str, *, wait: bool = False) -> None:
        self.begun, self.ends = threading.Event(), threading.Event()
        if not wait:
            self.ends.set()
        self._kind = kind
        self._delete = Cloud.delete
        monkeypatch.setattr(Cloud, "delete", lambda cloud, resource_id: self._refuse(cloud, resource_id))

    def _refuse(self, cloud: Cloud, resource_id: str) -> None:
        kind = kind_of(resource_id)
        if kind and kind.token.endswith(f":{self._kind}") and not self.begun.is_set():
            self.begun.set()
            self.ends.wait(SECONDS)
            raise AzureError(409, "Conflict", "blocked")
        self._delete(cloud, resource_id)


def in_state(clone: Clone) -> list[str]:
    return sorted(typ for typ in clone.resources() if typ.startswith("azure-native:"))


def on_azure(azure: StandIn) -> list[str]:
    # a disk is its machine's
    found = [r.kind.token for r in azure.cloud.resources.values()]
    return sorted(token for token in found if not token.endswith((":Disk", ":SecurityRule")))


def is_whole(clone: Clone, azure: StandIn, whole: list[str]) -> bool:
    clone.change("up")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    return in_state(clone) == on_azure(azure) == whole


@pytest.mark.parametrize("kind", ["ResourceGroup", "VirtualMachine", "NetworkInterface"])
def test_what_could_not_be_deleted_is_in_the_state(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    whole = on_azure(azure)
    clone.pulumi("config", "set", "--path", "datadocker:shares.retain", "false")
    clone.change("up")
    Deletion(monkeypatch, kind)
    assert clone.run("destroy", "--yes", "--skip-preview")[0]
    left = [typ for typ in in_state(clone) if not typ.endswith(":VirtualMachineRunCommandByVirtualMachine")]
    assert left == [typ for typ in on_azure(azure) if not typ.endswith(":VirtualMachineRunCommandByVirtualMachine")]
    assert is_whole(clone, azure, whole)
    clone.change("destroy")
    assert (in_state(clone), on_azure(azure)) == ([], [])


def test_a_machine_whose_bootstrap_failed_is_not_taken_back_as_ready(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = on_azure(azure)
    azure.cloud.only("compute:VirtualMachineRunCommandByVirtualMachine").facts["provisioningState"] = "Failed"
    Deletion(monkeypatch, "VirtualMachine")
    assert clone.run("destroy", "--yes", "--skip-preview")[0]
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "datadocker-staging: its bootstrap has not succeeded (Failed): if it goes on, say up again later" in said
    clone.change("up", "--replace", "**azure-native:compute:VirtualMachine::**")
    assert is_whole(clone, azure, whole)


def test_a_destroy_that_was_killed_is_taken_back(clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = on_azure(azure)
    deletion = Deletion(monkeypatch, "ResourceGroup", wait=True)
    clone.killed(deletion.begun, "destroy", "--yes", "--skip-preview")
    deletion.ends.set()
    assert is_whole(clone, azure, whole)


def test_protected_data_leaves_no_host_that_the_state_forgot(clone: Clone, azure: StandIn) -> None:
    whole = on_azure(azure)
    clone.pulumi("config", "set", "--path", "datadocker:shares.protect", "true")
    clone.change("up")
    assert clone.run("destroy", "--yes", "--skip-preview")[0]
    assert in_state(clone) == on_azure(azure)
    assert is_whole(clone, azure, whole)
    clone.pulumi("config", "set", "--path", "datadocker:shares.protect", "false")
    clone.change("up")
    clone.change("destroy")
    assert in_state(clone) == []
