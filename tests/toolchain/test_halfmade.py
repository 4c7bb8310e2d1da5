"""What a killed run was making on Azure is asked for again, however often putting it right fails itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.toolchain.killed import Killed
from toolchain.halfmade import GROUP
from toolchain.progress import ToolchainError

URN = f"urn:pulumi:one::datadocker::{GROUP}::host-group"
ID = "/subscriptions/s/resourceGroups/staging"


class Cli:
    """The CLI with one state, which an import changes, and forgets what was pending."""

    def __init__(self, killed: Killed, folder: Path) -> None:
        self._deployment = folder / "deployment"
        self._deployment.write_text(json.dumps({"deployment": {"resources": []}}))
        (folder / "nothing").write_text(json.dumps({"checkpoint": {"latest": {}}}))
        self._broken = folder / "broken"
        killed.backend.cli.program.write_text(
            f'#!/bin/sh\necho "$1 $2" >> {killed.called}\n'
            'case "$1 $2" in\n'
            f'"stack export") cat {self._deployment};;\n'
            f'"stack import") cp "$4" {self._deployment}; cp {folder}/nothing {killed.state};;\n'
            f'"refresh --yes") [ ! -e {self._broken} ];;\n'
            "esac\n"
        )

    def breaks(self, broken: bool) -> None:
        """Whether a refresh fails from now on."""
        self._broken.unlink(missing_ok=True)
        if broken:
            self._broken.touch()

    def refreshed(self) -> None:
        """Calls what the state has sound, as a refresh does."""
        kept = self.resources()
        for resource in kept:
            resource.pop("initErrors", None)
        self._deployment.write_text(json.dumps({"deployment": {"resources": kept}}))

    def made_by_hand(self) -> None:
        """Makes what the state has, as plain `pulumi up` does in between."""
        kept = [known | {"created": "2026-01-01T00:00:00Z", "inputs": {}} for known in self.resources()]
        self._deployment.write_text(json.dumps({"deployment": {"resources": kept}}))

    def resources(self) -> list[dict[str, Any]]:
        return list(json.loads(self._deployment.read_text())["deployment"]["resources"])


@pytest.fixture
def cli(killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Of a stack whose run was killed while it made a resource group, and whose refresh fails."""
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "s")
    killed.during("creating", "staging", kind=GROUP)
    state = json.loads(killed.state.read_text())
    made = state["checkpoint"]["latest"]["pending_operations"][0]["resource"]
    # of one that replaces another Pulumi has the time of that one here
    made |= {
        "urn": URN,
        "created": "2025-01-01T00:00:00Z",
        "inputs": {"resourceGroupName": "staging", "tags": {"of": "us"}},
    }
    killed.state.write_text(json.dumps(state))
    broken = Cli(killed, tmp_path)
    broken.breaks(True)
    return broken


def test_what_was_being_made_is_unfinished_to_the_next_up_though_putting_it_right_failed(
    killed: Killed, tmp_path: Path, cli: Cli
) -> None:
    # the state tells of nothing pending from the first one on
    for _ in range(2):
        with pytest.raises(ToolchainError, match=r"^pulumi refresh .* failed:"):
            killed.recover()
        assert [known["id"] for known in cli.resources()] == [ID]
        (kept,) = tmp_path.rglob("datadocker-taken-one.json")
        assert kept.stat().st_mode & 0o777 == 0o600
        cli.refreshed()
    cli.breaks(False)
    killed.recover()
    (group,) = cli.resources()
    assert group["initErrors"] == ["a run was killed while it was being made"]
    killed.called.unlink()
    killed.recover()
    assert not killed.called.exists()


def test_what_is_kept_goes_with_its_stack(killed: Killed, tmp_path: Path, cli: Cli) -> None:
    with pytest.raises(ToolchainError):
        killed.recover()
    # as `stack rm --force` does it
    killed.state.unlink()
    killed.called.unlink()
    killed.recover()
    assert not killed.called.exists()
    assert not list(tmp_path.rglob("datadocker-taken-*"))


def test_what_pulumi_itself_has_made_since_is_left_as_it_is(killed: Killed, cli: Cli) -> None:
    with pytest.raises(ToolchainError):
        killed.recover()
    cli.refreshed()
    cli.made_by_hand()
    cli.breaks(False)
    killed.recover()
    (group,) = cli.resources()
    assert group["inputs"] == {}
    assert "initErrors" not in group
