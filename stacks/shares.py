"""The shares that the settings name."""

from __future__ import annotations

import hashlib
import re

import pulumi

from components.hosts import DockerHost
from components.plugin import AzureFilePlugin
from components.shares import FileShare, LocalShare
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.hosts import azure_base
from stacks.login import subscription
from stacks.owner import stack_label
from stacks.settings import Settings

# a storage account's name takes 24 characters, of which the hash gets what keeps two users in the world apart
READABLE, HASHED = 12, 12


def driver_defaults(settings: Settings) -> dict[str, str]:
    """Options of volumes that name no protocol, such as those typed by hand."""
    shares = settings.shares
    if isinstance(shares, AzureSharesSettings):
        return {"protocol": shares.protocol, "account": _account(shares)}
    return {"protocol": shares.kind}


def file_shares(settings: Settings, host: DockerHost, plugin: AzureFilePlugin) -> dict[str, FileShare]:
    """Registers the shares of all volumes, name → share."""
    names = list(dict.fromkeys(settings.share_of(v) for v in settings.volumes))
    shares = settings.shares
    if isinstance(shares, AzureSharesSettings):
        return _azure(settings, shares, names, host, plugin)
    return {
        name: LocalShare(
            f"{name}-share",
            {"host": host, "plugin": plugin, "share": name, "retain": shares.retain},
        )
        for name in names
    }


def account_name(project: str, stack: str, subscription_id: str) -> str:
    """The storage account's name where the settings have none: the same each time, and nobody else's."""
    readable = re.sub("[^a-z0-9]", "", f"{project}{stack}".lower())
    digest = hashlib.sha256(f"{subscription_id.lower()}/{project}/{stack}".encode()).hexdigest()
    return readable[:READABLE] + digest[:HASHED]


def _account(shares: AzureSharesSettings) -> str:
    return shares.account or account_name(pulumi.get_project(), pulumi.get_stack(), subscription())


def _azure(
    settings: Settings, shares: AzureSharesSettings, names: list[str], host: DockerHost, plugin: AzureFilePlugin
) -> dict[str, FileShare]:
    # its SDK takes a second to import
    from components.shares.azure import AzureFileShares, AzureShare

    machine = settings.host if isinstance(settings.host, AzureHostSettings) else None
    files = AzureFileShares(
        "files",
        {
            "host": host,
            "plugin": plugin,
            "stack": stack_label(),
            "account": _account(shares),
            "group": shares.resource_group or f"{azure_base(settings)}-data",
            "location": shares.location or (machine.location if machine else ""),
            "nfs": shares.protocol == "nfs",
            "premium": shares.performance == "premium",
            "redundancy": shares.redundancy,
            "subnet_id": getattr(host, "subnet_id", None),
            "allow_from": shares.allow_from,
            "key": shares.key,
            "soft_delete_days": shares.soft_delete_days,
            "retain": shares.retain,
            "protect": settings.production if shares.protect is None else shares.protect,
            "tags": shares.tags,
        },
    )
    tier = shares.tier or ("TransactionOptimized" if shares.performance == "standard" else None)
    return {
        name: AzureShare(f"{name}-share", {"files": files, "share": name, "gib": shares.gib, "tier": tier})
        for name in names
    }
