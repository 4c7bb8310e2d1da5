"""Sizes of virtual machines and images of disks, as Azure's documentation lists them; a choice of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """A size from https://learn.microsoft.com/azure/virtual-machines/sizes/overview."""

    cores: int
    family: str
    """As quotas name it."""
    premium: bool = True
    """Whether it takes premium disks."""
    accelerated: bool = True
    """Whether it takes accelerated networking."""
    generations: frozenset[int] = frozenset({1, 2})
    """Of the images that it boots, https://learn.microsoft.com/azure/virtual-machines/generation-2."""


FIRST, SECOND = frozenset({1}), frozenset({2})


def _series(
    pattern: str, cores: list[int], family: str, *, generations: frozenset[int] = FIRST | SECOND
) -> dict[str, Size]:
    return {pattern.format(n): Size(n, family, generations=generations) for n in cores}


SIZES: dict[str, Size] = {
    "Standard_B1ls": Size(1, "standardBSFamily", accelerated=False),
    "Standard_B1s": Size(1, "standardBSFamily", accelerated=False),
    "Standard_B1ms": Size(1, "standardBSFamily", accelerated=False),
    "Standard_B2s": Size(2, "standardBSFamily", accelerated=False),
    "Standard_B2ms": Size(2, "standardBSFamily", accelerated=False),
    "Standard_B4ms": Size(4, "standardBSFamily", accelerated=False),
    "Standard_B8ms": Size(8, "standardBSFamily", accelerated=False),
    "Standard_A1_v2": Size(1, "standardAv2Family", premium=False, accelerated=False, generations=FIRST),
    "Standard_A2_v2": Size(2, "standardAv2Family", premium=False, accelerated=False, generations=FIRST),
    "Standard_A4_v2": Size(4, "standardAv2Family", premium=False, accelerated=False, generations=FIRST),
    "Standard_DS1_v2": Size(1, "standardDSv2Family", accelerated=False),
    "Standard_DS2_v2": Size(2, "standardDSv2Family"),
    "Standard_DS3_v2": Size(4, "standardDSv2Family"),
    "Standard_D2_v3": Size(2, "standardDv3Family", premium=False, accelerated=False, generations=FIRST),
    "Standard_D4_v3": Size(4, "standardDv3Family", premium=False, generations=FIRST),
    "Standard_B2ts_v2": Size(2, "standardBsv2Family"),
    "Standard_B2ls_v2": Size(2, "standardBsv2Family"),
    **_series("Standard_B{}s_v2", [2, 4, 8, 16, 32], "standardBsv2Family"),
    **_series("Standard_B{}as_v2", [2, 4, 8, 16, 32], "standardBasv2Family"),
    **_series("Standard_D{}s_v3", [2, 4, 8, 16, 32, 48, 64], "standardDSv3Family"),
    **_series("Standard_D{}s_v4", [2, 4, 8, 16, 32, 48, 64], "standardDSv4Family"),
    **_series("Standard_D{}s_v5", [2, 4, 8, 16, 32, 48, 64, 96], "standardDSv5Family"),
    **_series("Standard_D{}as_v5", [2, 4, 8, 16, 32, 48, 64, 96], "standardDASv5Family"),
    **_series("Standard_D{}ds_v5", [2, 4, 8, 16, 32, 48, 64, 96], "standardDDSv5Family"),
    **_series("Standard_D{}ads_v5", [2, 4, 8, 16, 32, 48, 64, 96], "standardDADSv5Family"),
    **_series("Standard_D{}s_v6", [2, 4, 8, 16, 32, 48, 64, 96], "standardDSv6Family", generations=SECOND),
    **_series("Standard_E{}s_v5", [2, 4, 8, 16, 20, 32, 48, 64], "standardESv5Family"),
    **_series("Standard_F{}s_v2", [2, 4, 8, 16, 32, 48, 64, 72], "standardFSv2Family"),
}

# regions with availability zones, https://learn.microsoft.com/azure/reliability/regions-list
_ZONED = """
australiaeast brazilsouth canadacentral centralindia centralus eastasia eastus eastus2 francecentral
germanywestcentral israelcentral italynorth japaneast koreacentral mexicocentral northeurope norwayeast polandcentral
qatarcentral southafricanorth southcentralus southeastasia spaincentral swedencentral switzerlandnorth uaenorth
uksouth westeurope westus2 westus3
"""
ZONED = frozenset(_ZONED.split())
UNPAIRED = frozenset(["israelcentral", "italynorth", "mexicocentral", "polandcentral", "qatarcentral", "spaincentral"])

# publisher:offer:sku in lower case, and the size of its disk in GB, from `az vm image list --all`
IMAGES: dict[str, int] = {
    "debian:debian-11:11": 30,
    "debian:debian-11:11-gen2": 30,
    "debian:debian-12:12": 30,
    "debian:debian-12:12-gen2": 30,
    "debian:debian-13:13": 30,
    "debian:debian-13:13-gen2": 30,
    "canonical:0001-com-ubuntu-server-jammy:22_04-lts": 30,
    "canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2": 30,
    "canonical:ubuntu-24_04-lts:server": 30,
    "canonical:ubuntu-24_04-lts:server-gen1": 30,
}


def generation(image: str) -> int:
    """Returns the generation of an image, which its sku tells, or its publisher's choice."""
    return 2 if image.endswith("-gen2") or image == "canonical:ubuntu-24_04-lts:server" else 1
