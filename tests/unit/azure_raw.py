"""Settings for Azure as a file has them, and what is said of them."""

from __future__ import annotations

from typing import Any

from tests.unit import raw as dev
from tests.unit.azure_parts import SUBNET

HOST: dict[str, Any] = {"kind": "azure", "location": "westeurope", "sshFrom": ["203.0.113.7/32"]}
SHARES: dict[str, Any] = {"kind": "azure"}
IDENTITY = f"{SUBNET.split('/Microsoft')[0]}/Microsoft.ManagedIdentity/userAssignedIdentities/me"
INSIDE = {"publicIp": False, "privateRoute": True}
RAW: dict[str, Any] = {"host": HOST, "shares": SHARES, "volumes": ["logs", "config", "dbs"]}
MYDB = {"name": "mydb", "volume": "dbs", "port": 6603}
LOCAL = {"kind": "local"}
HERE: dict[str, Any] = {"host": LOCAL, "shares": LOCAL}
PROD = "Pulumi.prod.yaml"
OTHER = {"name": "more", "options": {"account": "other"}}


def complaints(raw: dict[str, Any], file: str = "Pulumi.staging.yaml", **more: Any) -> list[str]:
    return dev.complaints(raw, file, **more)
