"""Azure under Pulumi's mocks: what it would answer to what the components ask."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components import azure_lookup, state
from components.databases import readiness
from components.hosts import keys
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.conftest import Build, Recorder

VM = "azure-native:compute:VirtualMachine"
RUN = "azure-native:compute:VirtualMachineRunCommandByVirtualMachine"
SET = "azure-native:compute:AvailabilitySet"
GROUP = "azure-native:resources:ResourceGroup"
RULES = "azure-native:network:NetworkSecurityGroup"
NETWORK = "azure-native:network:VirtualNetwork"
SUBNETWORK = "azure-native:network:Subnet"
ADDRESS = "azure-native:network:PublicIPAddress"
CARD = "azure-native:network:NetworkInterface"
NAT = "azure-native:network:NatGateway"
ACCOUNT = "azure-native:storage:StorageAccount"
SERVICE = "azure-native:storage:FileServiceProperties"
SHARE = "azure-native:storage:FileShare"
STOP = "datadocker-engine:index:GracefulStop"
KEY = "datadocker-engine:index:AccountKey"
ENGINE = "pulumi:providers:docker"
SUBSCRIPTION = "00aabbcc-1111-2222-3333-44ddeeff4444"
SUBNET = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/n/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
HOST: dict[str, Any] = {"kind": "azure", "location": "westeurope", "sshFrom": ["203.0.113.7/32", "198.51.100.0/24"]}


@dataclass
class AzureRecorder(Recorder):
    """Answers as Azure does."""

    existing: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    refusal: str = "Code=ResourceNotFound: 404"

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        identity, outputs = super().new_resource(args)
        if args.typ == VM:
            outputs |= {"vmId": "4711-of-this-machine", "name": outputs["vmName"]}
        elif args.typ == NETWORK:
            outputs |= {"name": outputs["virtualNetworkName"], "resourceGuid": "4711-of-this-network"}
        elif args.typ == ADDRESS:
            outputs |= {"ipAddress": "203.0.113.10"}
        elif args.typ == CARD:
            outputs["ipConfigurations"][0]["privateIPAddress"] = "10.60.0.4"
        elif args.typ in (GROUP, ACCOUNT, SHARE):
            outputs["name"] = outputs.get("shareName") or outputs.get("accountName") or outputs["resourceGroupName"]
            if args.typ == ACCOUNT:
                outputs["primaryEndpoints"] = {"file": f"https://{outputs['name']}.file.core.windows.net/"}
        return identity, outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked.append(args.token)
        if args.token == "pulumi:pulumi:readStackResourceOutputs":
            return super().call(args)
        if args.token == "azure-native:storage:listStorageAccountKeys":
            return {
                "keys": [
                    {"keyName": "key1", "value": "one==", "permissions": "Full", "creationTime": ""},
                    {"keyName": "key2", "value": "two==", "permissions": "Full", "creationTime": ""},
                ]
            }
        if args.token in self.existing:
            return self.existing[args.token]
        raise Exception(self.refusal)


def settings_of(stack: str) -> dict[str, Any]:
    """What Pulumi.<stack>.yaml says, without the project's prefix."""
    config = yaml.safe_load(Path(f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("datadocker:"): value for key, value in config.items()}


PAIR = keys.Pair(private="-----BEGIN OPENSSH PRIVATE KEY-----\nnone\n", public="ssh-ed25519 AAAAmade")


def public_key(kind: str, *numbers: bytes) -> str:
    """An OpenSSH public key of these numbers."""
    fields = (kind.encode(), *numbers)
    return f"{kind} {base64.b64encode(b''.join(len(f).to_bytes(4, 'big') + f for f in fields)).decode()}"


def logged_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AzureRecorder:
    """Mocks of a stack staging whose user is logged in to Azure; keys are written into `folder`."""
    mocks = AzureRecorder()
    pulumi.runtime.set_mocks(mocks, project="datadocker", stack="staging", preview=False)
    state._recorded.cache_clear()
    azure_lookup._looked_up.cache_clear()
    monkeypatch.setattr(keys, "make_pair", lambda: PAIR)
    monkeypatch.setattr(readiness, "_wait", lambda *_: None)
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    for name in ("ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", SUBSCRIPTION)
    return mocks


def stand(
    build: Build, exported: dict[str, Any], *, file: str = "Pulumi.staging.yaml", **change: Any
) -> dict[str, Any]:
    """Builds a stack like staging and returns its outputs, which `exported` collects."""
    raw = settings_of("staging") | {"host": HOST} | change

    def program() -> dict[str, Any]:
        settings = parse(raw, file=file)
        build_stack(settings, *docker_host(settings))
        return exported

    return dict(build(program))
