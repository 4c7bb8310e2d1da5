"""Who is logged in to Azure, and what is said where nobody is."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from stacks import login
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import AzureRecorder, logged_in, settings_of
from tests.unit.conftest import Build


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_SUBSCRIPTION_ID", "ARM_USE_MSI", "ARM_USE_OIDC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_nobody_logged_in_is_one_line_and_nothing_is_made(build: Build, recorder: AzureRecorder, nobody: Path) -> None:
    def program() -> None:
        settings = parse(settings_of("staging"), file="Pulumi.staging.yaml")
        build_stack(settings, *docker_host(settings))

    with pytest.raises(pulumi.RunError, match=r"^not logged in to Azure: say az login and .* docs/azure.md") as caught:
        build(program)
    assert "\n" not in str(caught.value)
    assert [m for m in recorder.made if m.typ.startswith("azure-native")] == []


def test_who_is_logged_in_is_read_from_where_az_notes_it(recorder: AzureRecorder, nobody: Path) -> None:
    (nobody / "az").touch(mode=0o755)
    listed = {"subscriptions": [{"id": "first"}, {"id": "second", "isDefault": True}, {"id": "x", "state": "Disabled"}]}
    (nobody / "azureProfile.json").write_text(json.dumps(listed), "utf-8-sig")
    assert login.subscription() == "second"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ARM_CLIENT_ID": "x"}, "ARM_CLIENT_ID is set, and no secret or certificate with it"),
        ({"ARM_CLIENT_ID": "x", "ARM_CLIENT_SECRET": "y"}, "which subscription"),
        ({"ARM_USE_MSI": "true"}, "which subscription"),
    ],
)
def test_half_a_login(
    recorder: AzureRecorder, nobody: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(pulumi.RunError, match=said):
        login.subscription()
