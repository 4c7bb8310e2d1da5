"""Taking back what an earlier life of the stack left on Azure.

Azure does not create what exists. What was retained is there, and not in the state: it is imported, and then
changed to what the settings say, in the same update.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import pulumi

from components.azure_lookup import GROUP, STACK_TAG, Found, look_up
from components.state import recorded

ACCOUNT = "azure-native:storage:StorageAccount"
SHARE = "azure-native:storage:FileShare"


class DataNames(TypedDict):
    """Names of the data of a stack, as Azure knows them."""

    stack: str
    """project/stack: whose the data is, as its tag says."""
    group: str
    """Resource group."""
    account: str
    """Storage account."""
    shares: Mapping[str, str]
    """Name of a share's resource → the share."""


def find_data(names: DataNames, group: str, account: str) -> dict[str, Found]:
    """Looks for what Azure has of the data and the state has not; returns it by its resource's name.

    `group` and `account` are the names of their resources. What the state has is not looked up, unless it is there by
    another name.

    Raises:
        pulumi.RunError: if it is somebody else's, or Azure can't be asked.
    """
    found: dict[str, Found] = {}
    of_group, of_account = {"resourceGroupName": names["group"]}, {"accountName": names["account"]}
    if not _is_recorded(GROUP, group, names["group"]):
        there = look_up("azure-native:resources:getResourceGroup", **of_group)
        # nothing is in a group or account that is not there: Azure need not be asked
        if there is None:
            return found
        found[group] = _owned(there, names["stack"])
    is_recorded = _is_recorded(ACCOUNT, account, names["account"])
    if not is_recorded:
        there = look_up("azure-native:storage:getStorageAccount", **of_group, **of_account)
        if there is None:
            return found
        found[account] = _owned(there, names["stack"])
    for resource, share in names["shares"].items():
        # of the account that the state has
        if is_recorded and (SHARE, resource) in recorded():
            continue
        there = look_up("azure-native:storage:getFileShare", **of_group, **of_account, shareName=share)
        if there is not None:
            found[resource] = there
    return found


def _is_recorded(typ: str, name: str, wanted: str) -> bool:
    """Whether the state has the resource `name`, and as what Azure knows as `wanted`."""
    known = recorded().get((typ, name))
    return known is not None and str(known.get("name") or wanted).lower() == wanted.lower()


def _owned(found: Found, owner: str) -> Found:
    if (found.known.get("tags") or {}).get(STACK_TAG) != owner:
        raise pulumi.RunError(
            f"{found.id} exists and is not this stack's: it lacks the tag {STACK_TAG}={owner}. "
            f"Name another by datadocker:shares.account and shares.resourceGroup, or tag it so if it is yours"
        )
    return found
