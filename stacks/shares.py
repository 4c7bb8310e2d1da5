"""The shares that the settings name."""

from __future__ import annotations

from components.hosts import DockerHost
from components.plugin import AzureFilePlugin
from components.shares import FileShare, LocalShare
from stacks.azure import AzureSharesSettings
from stacks.data import find, location, share_names
from stacks.owner import stack_label
from stacks.settings import Settings


def file_shares(settings: Settings, host: DockerHost, plugin: AzureFilePlugin) -> dict[str, FileShare]:
    """Registers the shares of all volumes, name → share."""
    shares = settings.shares
    if isinstance(shares, AzureSharesSettings):
        return _azure(settings, shares, host, plugin)
    own = settings.local_shares()
    return {
        name: LocalShare(
            f"{name}-share",
            # what is on a server is not the stack's to delete, and a folder of that name may be another's by now
            {"host": host, "plugin": plugin, "share": name, "retain": shares.retain or name not in own},
        )
        for name in share_names(settings)
    }


def _azure(
    settings: Settings, shares: AzureSharesSettings, host: DockerHost, plugin: AzureFilePlugin
) -> dict[str, FileShare]:
    # its SDK takes a second to import
    from components.shares.azure import AzureFileShares, AzureShare

    data, found = find(settings, shares)
    files = AzureFileShares(
        "files",
        {
            "host": host,
            "plugin": plugin,
            "stack": stack_label(),
            "account": data["account"],
            "group": data["group"],
            "location": location(settings, shares),
            "nfs": shares.protocol == "nfs",
            "premium": shares.performance == "premium",
            "gib": shares.gib,
            "redundancy": shares.redundancy,
            "subnet_id": getattr(host, "subnet_id", None),
            "allow_from": shares.allow_from,
            "key": shares.key,
            "soft_delete_days": shares.soft_delete_days,
            "retain": shares.retain,
            "protect": settings.production if shares.protect is None else shares.protect,
            "tags": shares.tags,
            "found": found,
        },
    )
    tier = shares.tier or ("TransactionOptimized" if shares.performance == "standard" else None)
    return {
        name: AzureShare(f"{name}-share", {"files": files, "share": name, "gib": shares.gib, "tier": tier})
        for name in share_names(settings)
    }
