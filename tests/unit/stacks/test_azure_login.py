"""Who is logged in to Azure, and what is said where nobody is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pytest

from stacks import login
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import AzureRecorder, logged_in, settings_of
from tests.unit.conftest import Build
from toolchain import login as early
from toolchain.progress import ToolchainError


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith(("ARM_", "ACTIONS_ID_TOKEN_")):
            monkeypatch.delenv(name)
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


NOT_LOGGED_IN = f"not logged in to Azure: {login.HOW}"
FIRST, DEFAULT = {"id": "first"}, {"id": "default", "isDefault": True}
WARNED, PAST_DUE = {"id": "warned", "state": "Warned"}, {"id": "due", "state": "PastDue"}


@pytest.mark.parametrize(
    ("noted", "taken"),
    [
        ({"subscriptions": [FIRST, DEFAULT, WARNED]}, "default"),
        ({"subscriptions": [FIRST | {"state": "Enabled"}, DEFAULT | {"state": "Enabled"}]}, "default"),
        ({"subscriptions": [FIRST | {"state": "Enabled"}, WARNED | {"isDefault": True}]}, "warned"),
        ({"subscriptions": [PAST_DUE]}, "due"),
        ({"subscriptions": [PAST_DUE | {"isDefault": True}]}, "due"),
        ({"subscriptions": [FIRST, {"id": "second"}]}, "first"),
        ({"subscriptions": [{"isDefault": True}, FIRST]}, "first"),
        ({"subscriptions": [{"state": "Enabled"}]}, ""),
        ({"subscriptions": None}, ""),
        ([], ""),
    ],
)
def test_who_is_logged_in_is_read_from_where_az_notes_it(
    recorder: AzureRecorder, nobody: Path, monkeypatch: pytest.MonkeyPatch, noted: object, taken: str
) -> None:
    (nobody / "az").touch(mode=0o755)
    (nobody / "azureProfile.json").write_text(json.dumps(noted), "utf-8-sig")
    # what a killed run left is looked for where the program would have made it
    assert early.default_subscription() == taken
    if taken:
        assert login.subscription() == taken
        early.check(nobody, "staging", ["up"])
    else:
        with pytest.raises(ToolchainError, match=f"^{re.escape(NOT_LOGGED_IN)}$"):
            early.check(nobody, "staging", ["up"])
        with pytest.raises(pulumi.RunError, match=r"^not logged in to Azure"):
            login.subscription()
    # another subscription is chosen besides, which needs a login all the same
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "chosen")
    if taken:
        assert login.subscription() == "chosen"
    else:
        with pytest.raises(pulumi.RunError, match=r"^not logged in to Azure"):
            login.subscription()


@pytest.fixture
def configured() -> Iterator[Callable[[dict[str, str]], None]]:
    def configure(given: dict[str, str]) -> None:
        pulumi.runtime.set_all_config({f"azure-native:{key}": value for key, value in given.items()})

    yield configure
    pulumi.runtime.set_all_config({})


@pytest.mark.parametrize(
    ("variables", "settings"),
    [
        ({"ARM_CLIENT_ID": "x", "ARM_CLIENT_SECRET": "y"}, {"clientId": "x", "clientSecret": "y"}),
        (
            {"ARM_CLIENT_ID": "x", "ARM_CLIENT_CERTIFICATE_PATH": "/y"},
            {"clientId": "x", "clientCertificatePath": "/y"},
        ),
        (
            {"ARM_CLIENT_ID": "x", "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN": "y"},
            {"clientId": "x", "useOidc": "true", "oidcToken": "y"},
        ),
        (
            {"ARM_CLIENT_ID": "x", "ARM_USE_OIDC": "true", "ARM_OIDC_TOKEN_FILE_PATH": "/y"},
            {"clientId": "x", "useOidc": "true", "oidcTokenFilePath": "/y"},
        ),
        (
            {"ARM_CLIENT_ID": "x", "ARM_USE_OIDC": "true", "ARM_OIDC_REQUEST_TOKEN": "y", "ARM_OIDC_REQUEST_URL": "z"},
            {"clientId": "x", "useOidc": "true", "oidcRequestToken": "y", "oidcRequestUrl": "z"},
        ),
        ({"ARM_CLIENT_ID": "x", "ARM_USE_OIDC": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "y"}, {}),
        ({"ARM_USE_MSI": "true"}, {"useMsi": "true"}),
        ({"ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true"}, {"useDefaultAzureCredential": "true"}),
    ],
)
def test_every_login_of_azure_native_is_one(
    recorder: AzureRecorder,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: Callable[[dict[str, str]], None],
    variables: dict[str, str],
    settings: dict[str, str],
) -> None:
    if settings:
        configured(settings | {"subscriptionId": "mine"})
        assert login.subscription() == "mine"
        file = nobody / "Pulumi.staging.yaml"
        file.write_text("config:\n" + "".join(f"  azure-native:{k}: {v}\n" for k, v in settings.items()))
        # what the program lets pass is not refused before there is one
        early.check(nobody, "staging", ["up"])
        file.unlink()
    configured({})
    for name, value in (variables | {"ARM_SUBSCRIPTION_ID": "mine"}).items():
        monkeypatch.setenv(name, value)
    assert login.subscription() == "mine"
    early.check(nobody, "staging", ["up"])


@pytest.mark.parametrize(
    ("variables", "settings", "said"),
    [
        ({"ARM_CLIENT_ID": "x"}, {}, "ARM_CLIENT_ID is set, and no secret or certificate with it, nor ARM_USE_OIDC"),
        ({}, {"clientId": "x"}, "^Azure: azure-native:clientId is set, and no secret or certificate with it"),
        # azure-native looks at a token with this switch alone, and takes no other spelling
        ({"ARM_CLIENT_ID": "x", "ARM_OIDC_TOKEN": "y"}, {}, "ARM_CLIENT_ID is set, and no"),
        ({"ARM_CLIENT_ID": "x", "ARM_OIDC_TOKEN": "y", "ARM_USE_OIDC": "1"}, {}, "ARM_CLIENT_ID is set, and no"),
        ({"ARM_CLIENT_ID": "x", "ARM_USE_OIDC": "true"}, {}, "ARM_USE_OIDC is set, and no token with it"),
        ({"ARM_OIDC_TOKEN": "y"}, {"useOidc": "true"}, "azure-native:useOidc is set, and no id of a client with it"),
        ({"ARM_USE_MSI": "true"}, {"useMsi": "false"}, "^not logged in to Azure"),
        ({"ARM_CLIENT_ID": "x", "ARM_CLIENT_SECRET": "y"}, {}, "which subscription"),
        ({"ARM_USE_MSI": "true"}, {}, "which subscription"),
        ({}, {"useDefaultAzureCredential": "true"}, "which subscription"),
    ],
)
def test_half_a_login(
    recorder: AzureRecorder,
    nobody: Path,
    monkeypatch: pytest.MonkeyPatch,
    configured: Callable[[dict[str, str]], None],
    variables: dict[str, str],
    settings: dict[str, str],
    said: str,
) -> None:
    configured(settings)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(pulumi.RunError, match=said):
        login.subscription()


def test_the_id_of_a_client_alone_leaves_the_login_to_az(
    recorder: AzureRecorder, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobody / "az").touch(mode=0o755)
    (nobody / "azureProfile.json").write_text(json.dumps({"subscriptions": [FIRST, DEFAULT]}))
    monkeypatch.setenv("ARM_CLIENT_ID", "x")
    assert login.subscription() == "default"
    # which azure-native asks for before az
    monkeypatch.setenv("ARM_USE_OIDC", "true")
    with pytest.raises(pulumi.RunError, match="ARM_USE_OIDC is set, and no token with it"):
        login.subscription()
