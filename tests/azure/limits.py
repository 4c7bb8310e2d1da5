"""Published limits of single values: who publishes them, what they are, and in which words Azure refuses.

`CHECKED` are the ones that azure-native knows from Azure's REST specifications: it refuses before it asks Azure.
Azure's own are `REFUSED` in network_limits.py, compute_limits.py and storage_limits.py. A path goes down by dots, `[]`
goes into each item of an array.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SPECIFICATIONS = "https://github.com/Azure/azure-rest-api-specs"
NAMES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
# https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-reserved-resource-name
_RESERVED = """
access app_code app_themes app_data app_globalresources app_localresources app_webreferences app_browsers azure bing
bizspark biztalk cortana directx dotnet dynamics excel exchange forefront groove hololens hyperv kinect lync msdn o365
office office365 onedrive onenote outlook powerpoint sharepoint skype visio visualstudio web.config xbox
"""
RESERVED = tuple(_RESERVED.split())


@dataclass(frozen=True)
class Checked:
    """A limit of a string or a number that stands in the specification of a property."""

    path: str
    source: str
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""


GROUP_NAME = Checked("resourceGroupName", SPECIFICATIONS, 1, 90)
CHECKED: dict[str, list[Checked]] = {
    "azure-native:resources:ResourceGroup": [
        Checked("resourceGroupName", SPECIFICATIONS, 1, 90, r"^[-\w\._\(\)]+$"),
    ],
    "azure-native:storage:StorageAccount": [GROUP_NAME, Checked("accountName", SPECIFICATIONS, 3, 24)],
    "azure-native:storage:FileShare": [
        GROUP_NAME,
        Checked("accountName", SPECIFICATIONS, 3, 24),
        Checked("shareName", SPECIFICATIONS, 3, 63),
    ],
    "azure-native:storage:FileServiceProperties": [
        GROUP_NAME,
        Checked("accountName", SPECIFICATIONS, 3, 24),
        Checked("shareDeleteRetentionPolicy.days", SPECIFICATIONS, 1, 365),
    ],
}


@dataclass(frozen=True)
class Refused:
    """A limit of Azure's own. `message` may name {value}, {id}, {name}, {regions} and {network}."""

    path: str
    source: str
    holds: Callable[[Any], bool]
    code: str
    message: str
    status: int = 400


_REGIONS = """
eastasia southeastasia australiaeast australiasoutheast brazilsouth canadacentral canadaeast switzerlandnorth
germanywestcentral eastus2 eastus centralus northcentralus francecentral uksouth ukwest centralindia southindia
italynorth japaneast japanwest koreacentral koreasouth mexicocentral northeurope norwayeast polandcentral qatarcentral
spaincentral swedencentral uaenorth westcentralus westeurope westus2 westus southcentralus westus3 southafricanorth
australiacentral israelcentral westindia
"""
REGIONS = tuple(_REGIONS.split())


def region(name: str) -> str:
    """Returns a region's name as Azure keeps it: "West Europe" is westeurope."""
    return name.replace(" ", "").lower()


def matches(pattern: str) -> Callable[[Any], bool]:
    """Returns whether a string is of a pattern, from its first character to its last."""
    return lambda value: re.fullmatch(pattern, str(value)) is not None


def is_unreserved(name: Any) -> bool:
    """Whether neither a name, nor a word in it, is one that Azure keeps for itself."""
    text = str(name).lower()
    return not (text in RESERVED or "microsoft" in text or "windows" in text or text.startswith("login"))


def between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high
