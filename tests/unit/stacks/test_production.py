"""What must not be in production is refused with the reason, before anything is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.config import parse
from tests.unit.azure_raw import HERE, HOST, MYDB, PROD, RAW, SHARES, complaints

# of a server of one's own, beside local shares
THERE = {"protocol": "smb", "server": "there"}
PLAIN = {"name": "more", "options": THERE | {"seal": False}}
OLD = {"name": "more", "options": THERE | {"vers": "2.1"}}
SHOUTED = {"name": "more", "options": THERE | {"Seal": False}}
NUMBER = {"name": "more", "options": THERE | {"VERS": 2.1}}


EXCHANGE = "stack change-secrets-provider passphrase"
SECURE: dict[str, Any] = {"databases": [MYDB | {"rootPassword": "s3cret"}]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"production": False}, "production: false: not in production: a stack named prod is production"),
        ({"host": HOST | {"sshFrom": ["Internet"]}}, "host.sshFrom: Internet: not in production"),
        ({"shares": SHARES | {"retain": False}}, "shares.retain: false: not in production: destroy would delete"),
        ({"images": {"mysql": "mysql:9.7.0"}}, "images.mysql: 'mysql:9.7.0': not in production: a tag alone"),
        (HERE | {"volumes": ["logs", "config", PLAIN]}, "volumes[2].options.seal: false: not in"),
        (HERE | {"volumes": ["logs", "config", OLD]}, "volumes[2].options.vers: 2.1: not in"),
        (HERE | {"volumes": ["logs", "config", SHOUTED]}, "volumes[2].options.seal: false: not in"),
        (HERE | {"volumes": ["logs", "config", NUMBER]}, "volumes[2].options.vers: 2.1: not in"),
        ({"databases": [MYDB | {"allowFrom": ["Internet"]}]}, "databases[0].allowFrom: Internet: not in production"),
        (SECURE, "databases[0].rootPassword: not in production: it is readable in the file"),
        ({"databases": [MYDB | {"users": [{"name": "u", "password": "p"}]}]}, "databases[0].users[0].password: not in"),
    ],
)  # fmt: skip
def test_what_must_not_be_in_production(change: dict[str, Any], expected: str) -> None:
    said = complaints(RAW | change, file="Pulumi.prod.yaml")
    assert len(said) == 1, said
    assert expected in said[0]
    if "production" not in change:
        # a trial may have it
        parse(RAW | change, file="Pulumi.staging.yaml")


def test_what_is_encrypted_may_be_in_production() -> None:
    assert parse(RAW | SECURE, file="Pulumi.prod.yaml", secret=["databases"]).databases[0].root_password


@pytest.mark.parametrize("name", ["clientSecret", "clientCertificatePassword", "oidcToken", "oidcRequestToken"])
def test_a_login_that_is_readable_in_the_file_is_not_for_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    # no file, as where --config-file names another one
    monkeypatch.chdir(tmp_path)
    key, beside = f"azure-native:{name}", {"azure-native:clientId": "x", "azure-native:location": "westeurope"}
    try:
        pulumi.runtime.set_all_config(beside | {key: "canary"}, [])
        (said,) = complaints(RAW, PROD)
        assert said.startswith(
            f"{PROD}: {key}: not in production: it is readable in the file; set it by ./pulumiw config"
        )
        assert f"--secret '{key}' --stack {pulumi.get_stack()}, or leave it out and set ARM_" in said
        assert "canary" not in said
        pulumi.runtime.set_all_config(beside | {key: "canary"}, [key])
        parse(RAW, file=PROD)
    finally:
        pulumi.runtime.set_all_config({}, [])


@pytest.mark.parametrize("variable", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
def test_the_published_passphrase_is_not_for_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    file = tmp_path / "passphrase"
    file.write_text("datadocker\n")
    monkeypatch.setenv(variable, str(file) if variable.endswith("FILE") else "datadocker")
    monkeypatch.chdir(tmp_path)
    parse(RAW, file="Pulumi.staging.yaml")
    published = f"{variable} is the passphrase that this project publishes for dev"
    assert f"{published}; unset it, or have a key vault" in complaints(RAW, PROD)[0]
    # the salt opens by that alone
    Path(PROD).write_text("encryptionsalt: v1:x\n")
    exchanged = f"set another (./pulumiw {EXCHANGE} --stack {pulumi.get_stack()} asks for it), or have a key vault"
    assert f"{published}; {exchanged}" in complaints(RAW, PROD)[0]
    # it encrypts nothing where a key vault does
    Path(PROD).write_text("secretsprovider: azurekeyvault://VAULT.vault.azure.net/keys/KEY\n")
    parse(RAW, file=PROD)


def test_an_empty_passphrase_is_not_for_production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.chdir(tmp_path)
    # another secrets provider encrypts
    parse(RAW, file=PROD)
    Path(PROD).write_text("encryptionsalt: v1:x\n")
    nothing = "PULUMI_CONFIG_PASSPHRASE is set to nothing, which encrypts nothing"
    exchanged = f"set another (./pulumiw {EXCHANGE} --stack {pulumi.get_stack()} asks for it), or have a key vault"
    assert f"{nothing}; {exchanged}" in complaints(RAW, PROD)[0]


def test_any_stack_can_be_production() -> None:
    said = complaints(RAW | {"production": True, "shares": SHARES | {"retain": False}}, file="Pulumi.live.yaml")
    assert "shares.retain: false: not in production" in said[0]
