"""Where a stack's data is, beside what its settings say now; nothing of it is registered here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import pulumi

from components.azure_lookup import Found
from components.shares.adoption import DataNames, HostNames, find_data
from components.state import FILES, FILES_ACCOUNT, FILES_GROUP, FOLDER, SHARE, recorded
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import as_spelt, region_of
from stacks.login import subscription
from stacks.owner import default_base, stack_label
from stacks.settings import Settings

# a storage account's name takes 24 characters, of which the hash gets what keeps two users in the world apart
READABLE, HASHED = 12, 12


def driver_defaults(settings: Settings) -> dict[str, str]:
    """Options of volumes that name no protocol, such as those typed by hand."""
    shares = settings.shares
    if isinstance(shares, AzureSharesSettings):
        return {"protocol": shares.protocol, "account": _account(shares)}
    return {"protocol": shares.kind}


def insist_on_data(settings: Settings) -> None:
    """Checks what `file_shares` refuses, before anything of the data is registered.

    Raises:
        pulumi.RunError: if there is data that would be deleted although it is to be kept, that can't become what the
            settings say, or is in use by others.
    """
    _refuse_loss(settings)
    if isinstance(settings.shares, AzureSharesSettings):
        find(settings, settings.shares)


def _refuse_loss(settings: Settings) -> None:
    """A share that no volume names any more goes by what was said of it at the last update.

    Raises:
        pulumi.RunError: if that was to delete it, and the settings say now that data is kept.
    """
    if not settings.shares.retain:
        return
    kind, ending = (SHARE, "files") if isinstance(settings.shares, AzureSharesSettings) else (FOLDER, "folder")
    stay = {(kind, f"{name}-share-{ending}") for name in share_names(settings)}
    of_account = recorded().get(FILES, {}).get("retain")
    for (typ, resource), known in recorded().items():
        kept = known.get("retain") if typ == FOLDER else of_account if typ == SHARE else True
        if kept is False and (typ, resource) not in stay:
            raise pulumi.RunError(
                f"share {resource.removesuffix('-files').removesuffix('-folder').removesuffix('-share')}: its data "
                "would be deleted, since shares.retain was false at the last up: put its volume back and say up with "
                "shares.retain: true, and then take the volume out (or say false if the data may go)"
            )


def _refuse_change(shares: AzureSharesSettings, location: str, data: DataNames, found: Mapping[str, Found]) -> None:
    """What Azure moves and changes in no account would be replaced, with the data that is in it.

    Raises:
        pulumi.RunError: if there is data by the same name elsewhere, or served in another way.
    """
    from components.shares.azure import KINDS

    def known(resource: tuple[str, str]) -> Mapping[str, Any]:
        there = found.get(resource[1])
        return there.known if there else recorded().get(resource, {})

    group, account = known(FILES_GROUP), known(FILES_ACCOUNT)
    for there, name in ((group, data["group"]), (account, data["account"])):
        region = region_of(there, location)
        if there.get("name") == name and region != location:
            # whose location is the host's, since Azure serves NFS within a region only
            setting = "host" if shares.protocol == "nfs" else "shares"
            other = ", and leave shares.location out" if setting == "host" and shares.location else ""
            raise pulumi.RunError(f"{name}: the data is in {region}: set datadocker:{setting}.location to it{other}")
    kept = recorded().get(FILES, {}).get("retain", shares.retain)
    was = str(recorded().get(FILES_ACCOUNT, {}).get("name") or data["account"])
    if was != data["account"] and not kept:
        raise pulumi.RunError(
            f"{was}: its data would be deleted, since shares.retain is false: set datadocker:shares.account back and "
            "shares.retain to true, up, and then name another account (the data stays in this one); or destroy first"
        )
    if account.get("name") != data["account"]:
        return
    stood = str(recorded().get(FILES_GROUP, {}).get("name") or data["group"])
    if FILES_ACCOUNT[1] not in found and stood.lower() != data["group"].lower():
        raise pulumi.RunError(
            f"{data['account']}: the data is in resource group {stood}: set datadocker:shares.resourceGroup to it"
        )
    first = "" if kept else ", after an up with shares.retain: true"
    other = f"or name another account by datadocker:shares.account (the data stays in this one){first}"
    kind = account.get("kind") or KINDS[shares.performance]
    if kind != KINDS[shares.performance]:
        speed = next((performance for performance, of in KINDS.items() if of == kind), kind)
        raise pulumi.RunError(
            f"{data['account']}: its shares are {speed}, and stay so: set datadocker:shares.performance back, {other}"
        )
    redundancy = str((account.get("sku") or {}).get("name") or shares.redundancy).rpartition("_")[2]
    if ("ZRS" in redundancy) != ("ZRS" in shares.redundancy):
        raise pulumi.RunError(
            f"{data['account']}: it is {redundancy}, and Azure makes it {shares.redundancy} by a migration only (az "
            f"storage account migration start, then ./pulumiw refresh --stack {pulumi.get_stack()}): set "
            f"datadocker:shares.redundancy back, {other}"
        )
    for resource, name in data["shares"].items():
        served = known((SHARE, resource)).get("enabledProtocols") or shares.protocol
        if str(served).lower() != shares.protocol:
            raise pulumi.RunError(
                f"share {name}: it is served by {served}, and stays so: set datadocker:shares.protocol back, {other}"
            )


def account_name(project: str, stack: str, subscription_id: str) -> str:
    """The storage account's name where the settings have none: the same each time, and nobody else's."""
    readable = re.sub("[^a-z0-9]", "", f"{project}{stack}".lower())
    digest = hashlib.sha256(f"{subscription_id.lower()}/{project}/{stack}".encode()).hexdigest()
    return readable[:READABLE] + digest[:HASHED]


def _account(shares: AzureSharesSettings) -> str:
    return shares.account or account_name(pulumi.get_project(), pulumi.get_stack(), subscription())


def share_names(settings: Settings) -> list[str]:
    """Names of the shares that volumes are on, each once."""
    return list(dict.fromkeys(settings.share_of(volume) for volume in settings.volumes))


def _host_names(settings: Settings) -> HostNames | None:
    machine, base = settings.host, default_base()
    if not isinstance(machine, AzureHostSettings):
        return None
    return {"group": machine.group(base), "machine": machine.base(base), "subnet": machine.network.subnet_id}


def location(settings: Settings, shares: AzureSharesSettings) -> str:
    """The region of the data, by default the host's; nothing where neither is on Azure."""
    return shares.location or (settings.host.location if isinstance(settings.host, AzureHostSettings) else "")


def find(settings: Settings, shares: AzureSharesSettings) -> tuple[DataNames, Mapping[str, Found]]:
    """Names of the data, and what is there of it and not in the state, once it is sure that it can be had."""
    group = as_spelt(recorded().get(FILES_GROUP, {}), shares.group(default_base()))
    data: DataNames = {
        "stack": stack_label(),
        "group": group,
        "account": _account(shares),
        "shares": {f"{name}-share-files": name for name in share_names(settings)},
        "host": _host_names(settings),
    }
    found = find_data(data)
    if there := found.get(FILES_GROUP[1]):
        data["group"] = as_spelt(there.known, group)
    _refuse_change(shares, location(settings, shares), data, found)
    return data, found
