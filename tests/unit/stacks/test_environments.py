"""The three committed stacks, each built from its own file: what is made, what is secret, kept and protected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import ACCOUNT, NAT, RULES, SERVICE, SHARE, VM, AzureRecorder, logged_in, settings_of
from tests.unit.conftest import SECRET, Build, Options
from tests.unit.fake_engine import FakeEngine

TALK = [
    "docker1-container", "docker2-container", "docker3-container", "mydb-container", "reader-container",
    "config-volume", "dbs-volume", "logs-volume", "simpledb-volume", "azurefile-plugin", "host-engine", "volumes",
]  # fmt: skip
ON_AZURE = [
    "host-group", "host-net-network", "host-net-subnet", "host-net-rules", "host-net-card", "host-machine-vm",
    "host-machine-ready", "host-stop", "files-group", "files-account", "files-service",
]  # fmt: skip
FOLDERS = ["config-share-folder", "dbs-share-folder", "logs-share-folder", "simpledb-share-folder"]
SHARES = ["config-share-files", "dbs-share-files", "logs-share-files", "simpledb-share-files"]
MADE = {
    "dev": [*TALK, "shares", *FOLDERS],
    "staging": [*TALK, *ON_AZURE, *SHARES, "host-net-ip", "files-key"],
    # a database alone, by NFS, on a machine without an address
    "prod": [
        "mydb-container", "dbs-volume", "azurefile-plugin", "host-engine", "volumes",
        *ON_AZURE, "dbs-share-files", "host-net-nat", "host-net-nat-ip",
    ],
}  # fmt: skip
KEPT = {
    "dev": FOLDERS,
    "staging": ["files-group", "files-account", "files-service", *SHARES],
    "prod": ["files-group", "files-account", "files-service", "dbs-share-files"],
}
PASSWORDS = {"mydb-container.uploads", "mydb-root-kept.input"}
KEYS = {"host-login-kept.input", "host-hostkey-kept.input", "host-machine-vm.osProfile", "host-stop.key"}
SECRETS = {"dev": PASSWORDS, "staging": PASSWORDS | KEYS | {"files-key.key"}, "prod": PASSWORDS | KEYS}

Environment = Callable[..., tuple[AzureRecorder, dict[str, Any]]]


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: FakeEngine, build: Build, exported: dict[str, Any]
) -> Environment:
    """Builds a committed stack, with what is given besides; returns what was made, and its outputs."""
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)

    def made(stack: str, **given: Any) -> tuple[AzureRecorder, dict[str, Any]]:
        recorder = logged_in(monkeypatch, tmp_path)
        pulumi.runtime.set_mocks(recorder, project="datadocker", stack=stack, preview=False)
        raw = settings_of(stack) | given
        if raw["host"]["kind"] == "local":
            raw["host"]["socket"] = engine.path

        def program() -> dict[str, Any]:
            settings = parse(raw, file=f"Pulumi.{stack}.yaml")
            build_stack(settings, *docker_host(settings))
            return exported

        return recorder, build(program)

    return made


@pytest.mark.parametrize("stack", MADE)
def test_what_is_made_kept_protected_and_secret(stack: str, environment: Environment, options: Options) -> None:
    recorder, outputs = environment(stack)
    # components are what these are made of; images have their content in their names
    made = {m.name for m in recorder.made if not m.typ.startswith("datadocker:") and "mage" not in m.typ}
    assert made - {name for name in made if name.endswith("-kept")} - {"checkout"} == set(MADE[stack])
    assert {name for (_, name), given in options.items() if given and given.retain_on_delete} == set(KEPT[stack])
    protected = {name for (_, name), given in options.items() if given and given.protect}
    assert protected == (set(KEPT[stack]) if stack == "prod" else set())
    secret = {
        f"{m.name}.{key}"
        for m in recorder.made
        for key, value in m.inputs.items()
        if isinstance(value, dict) and SECRET in value
    }
    assert secret == SECRETS[stack]
    assert [name for name in outputs if outputs.get(f"{name} is secret")] == ["databases"]


def test_a_host_of_staging_is_reached_from_named_networks_and_shares_are_smb(environment: Environment) -> None:
    recorder, outputs = environment("staging")
    assert recorder.one(ACCOUNT, "files-account")["sku"]["name"] == "Standard_LRS"
    assert recorder.one(SHARE, "dbs-share-files")["enabledProtocols"] == "SMB"
    (ssh,) = [r for r in recorder.one(RULES, "host-net-rules")["securityRules"] if r["access"] == "Allow"]
    assert (ssh["destinationPortRange"], ssh["sourceAddressPrefix"]) == ("22", "192.0.2.1/32")
    assert outputs["dockerHost"] == "ssh://datadocker@203.0.113.10:22"


def test_prod_is_on_three_zones_of_premium_files_and_the_internet_does_not_see_it(environment: Environment) -> None:
    recorder, outputs = environment("prod")
    machine = recorder.one(VM, "host-machine-vm")
    assert (machine["hardwareProfile"]["vmSize"], machine["zones"]) == ("Standard_D2s_v5", ["1"])
    disk = machine["storageProfile"]["osDisk"]
    assert (disk["diskSizeGB"], disk["managedDisk"]["storageAccountType"]) == (64, "Premium_LRS")
    account = recorder.one(ACCOUNT, "files-account")
    assert (account["kind"], account["sku"]["name"]) == ("FileStorage", "Premium_ZRS")
    share = recorder.one(SHARE, "dbs-share-files")
    assert (share["enabledProtocols"], share["shareQuota"]) == ("NFS", 256)
    assert recorder.one(SERVICE, "files-service")["shareDeleteRetentionPolicy"] == {"enabled": True, "days": 14}
    card = recorder.one("azure-native:network:NetworkInterface", "host-net-card")
    assert card["enableAcceleratedNetworking"] is True
    assert "publicIPAddress" not in card["ipConfigurations"][0]
    assert list(recorder.all(NAT)) == ["host-net-nat"]
    assert outputs["dockerHost"] == "ssh://datadocker@10.60.0.4:22"


def test_a_host_that_goes_over_to_shares_elsewhere_asks_for_the_data_that_would_go(environment: Environment) -> None:
    """The guard is updated before Pulumi deletes what the stack no longer has; without it nobody would ask."""
    elsewhere = {"kind": "azure", "location": "westeurope", "allowFrom": ["52.174.3.80"], "retain": False}
    recorder, _ = environment("dev", shares=elsewhere)
    guard = recorder.one("datadocker-engine:index:ShareGuard", "shares")
    assert (guard["shares"], guard["retain"]) == ([], False)
