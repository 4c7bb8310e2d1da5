"""What is wrong in the settings for Azure only in relation to the rest of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import MACHINE_NAME
from stacks.azure_regions import WITHOUT_PAIR, WITHOUT_ZONES
from stacks.azure_sections import PREMIUM_TOTAL, check_host, check_shares
from stacks.complaints import Complaint, Places
from stacks.settings import Settings

SSH_PORT = 22
# Docker's, with TLS and without: what docker-machine opened
ENGINE_PORTS = (2375, 2376)


def check_azure(settings: Settings, at: Places, base: str) -> Iterable[Complaint]:
    """Yields what does not go together, in a section or between them.

    `at` says where in the file each volume and database stands; names begin with `base` where none is set.
    """
    host, shares = settings.host, settings.shares
    on_azure, files = isinstance(host, AzureHostSettings), isinstance(shares, AzureSharesSettings)
    if isinstance(host, AzureHostSettings):
        yield from check_host(host)
    if isinstance(shares, AzureSharesSettings):
        yield from check_shares(shares)
        beside = host.location if isinstance(host, AzureHostSettings) else None
        region = shares.location or beside
        yield from _check_redundancy(shares, region)
        # learn.microsoft.com/troubleshoot/azure/azure-storage/files/security/files-troubleshoot-linux-nfs
        if shares.protocol == "nfs" and beside not in (None, region):
            yield Complaint(
                "shares.location",
                f"Azure serves nfs to networks of its own region only, {region}, and the host is in {beside}: use one "
                "region for both, or smb",
                ("host.location", "shares.location", "shares.protocol"),
            )
        count = len({settings.share_of(volume) for volume in settings.volumes})
        # one that is too large by itself is said there
        if shares.performance == "premium" and shares.gib <= PREMIUM_TOTAL < shares.gib * count:
            yield Complaint(
                "shares.quota",
                f"{count} shares of {shares.gib} GiB are more than the {PREMIUM_TOTAL} that a premium account has: at "
                f"most {PREMIUM_TOTAL // count} can be had",
                ("shares.quota", "shares.performance"),
            )
    if not on_azure:
        for i, database in enumerate(settings.databases):
            if database.allow_from:
                yield Complaint(
                    f"{at['databases'][i]}.allowFrom",
                    f"only a host of kind azure has a firewall of ours, and this one is {host.kind}: leave it out",
                    ("host.kind",),
                )
    if on_azure and not files and shares.retain:
        # where that is allowed
        or_go = "" if settings.production else ", or say retain: false if the data may go"
        yield Complaint(
            "shares.kind",
            f"local shares are on the machine's own disk, which is deleted with it: set shares.kind to azure{or_go}",
            ("shares.retain",),
        )
    if isinstance(shares, AzureSharesSettings) and not on_azure:
        if not shares.allow_from and shares.protocol == "smb":
            yield Complaint(
                "shares.allowFrom",
                f"a host of kind {host.kind} reaches the shares by a public address, and none is let in: name it",
                ("host.kind", "shares.allowFrom"),
            )
        if shares.protocol == "nfs":
            yield Complaint(
                "shares.protocol",
                f"Azure serves nfs to its own networks only, and the host is {host.kind}: use smb",
                ("host.kind",),
            )
        if not shares.location:
            yield Complaint(
                "shares.location",
                f"is missing; a host of kind {host.kind} has none to take: name a region",
                ("host.kind", "shares.location"),
            )
    if isinstance(host, AzureHostSettings):
        # a stack's own name may have periods, which Azure takes inside of a name, too
        if not re.fullmatch(MACHINE_NAME, host.base(base).replace(".", "-")):
            yield Complaint(
                "host.name",
                f"is missing, and {base!r} is no name for a machine: Azure takes 1 to 50 lowercase letters, digits and "
                "inner hyphens here; write one",
                ("host.name",),
            )
        for i, database in enumerate(settings.databases):
            if database.port == SSH_PORT:
                yield Complaint(f"{at['databases'][i]}.port", f"{SSH_PORT} is SSH's on the machine: choose another")
            if database.port in ENGINE_PORTS and database.allow_from:
                yield Complaint(
                    f"{at['databases'][i]}.port",
                    f"{database.port} is known as the Docker engine's, and is opened to nobody: choose another",
                )
        if isinstance(shares, AzureSharesSettings) and host.group(base).lower() == shares.group(base).lower():
            yield Complaint(
                "shares.resourceGroup",
                f"{shares.group(base)!r} is the host's, and a group is deleted with all that is in it: "
                "give each one of its own",
                ("host.name", "host.resourceGroup", "host.existingResourceGroup", "shares.resourceGroup"),
            )


def _check_redundancy(shares: AzureSharesSettings, region: str | None) -> Iterable[Complaint]:
    for copies, regions, missing in (
        ("ZRS", WITHOUT_ZONES, "has no availability zones"),
        ("G", WITHOUT_PAIR, "is paired with no other one"),
    ):
        if copies in shares.redundancy and region in regions:
            yield Complaint(
                "shares.redundancy",
                f"{shares.redundancy}: region {region} {missing}: take another redundancy, or another region",
                ("host.location", "shares.location", "shares.redundancy"),
            )
