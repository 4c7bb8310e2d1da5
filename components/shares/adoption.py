"""Taking back what an earlier life of the stack left on Azure.

Azure does not create what exists. What was retained is there, and not in the state: it is imported, and then
changed to what the settings say, in the same update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi

from components.azure_lookup import STACK_TAG, Found, look_up
from components.state import FILES_ACCOUNT, FILES_GROUP, HOST_MACHINE, HOST_SUBNET, SHARE, recorded

# a subnet that a stack made for its host: see `AzureNetwork`
MADE = re.compile(
    r".*/resourceGroups/([^/]+)/providers/Microsoft\.Network/virtualNetworks/([^/]+-vnet)"
    r"/subnets/(host(?:-[0-9a-f]{8})?)",
    re.I,
)


class HostNames(TypedDict):
    """Names of the stack's host on Azure."""

    group: str
    """Resource group."""
    machine: str
    """Virtual machine."""
    subnet: str | None
    """Id of the subnet that is given; None where the stack makes one."""


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
    host: NotRequired[HostNames | None]
    """Of the host, if it is on Azure."""


def find_data(names: DataNames) -> dict[str, Found]:
    """Looks for what Azure has of the data and the state has not; returns it by its resource's name.

    What the state has is not looked up, unless it is there by another name.

    Raises:
        pulumi.RunError: if it is somebody else's, if a host is in use of it that the state does not know, or if Azure
            can't be asked.
    """
    found: dict[str, Found] = {}
    of_group, of_account = {"resourceGroupName": names["group"]}, {"accountName": names["account"]}
    if not _is_recorded(FILES_GROUP, names["group"]):
        there = look_up("azure-native:resources:getResourceGroup", **of_group)
        # nothing is in a group or account that is not there: Azure need not be asked
        if there is None:
            return found
        found[FILES_GROUP[1]] = _owned(there, names["stack"])
    is_recorded = _is_recorded(FILES_ACCOUNT, names["account"])
    if not is_recorded:
        there = look_up("azure-native:storage:getStorageAccount", **of_group, **of_account)
        if there is None:
            return found
        found[FILES_ACCOUNT[1]] = _owned(there, names["stack"])
        if user := _unknown_host(there, names.get("host")):
            raise pulumi.RunError(
                f"{names['account']} in resource group {names['group']} is in use by a host in resource group {user}, "
                "which this state does not know: it is another checkout's, or its state got lost. Use that checkout's "
                "state, or name other data by datadocker:shares.account and shares.resourceGroup, or another stack"
            )
    for resource, share in names["shares"].items():
        # of the account that the state has
        if is_recorded and (SHARE, resource) in recorded():
            continue
        there = look_up("azure-native:storage:getFileShare", **of_group, **of_account, shareName=share)
        if there is not None:
            found[resource] = there
    return found


def _is_recorded(resource: tuple[str, str], wanted: str) -> bool:
    """Whether the state has the resource of that type and name, and as what Azure knows as `wanted`."""
    known = recorded().get(resource)
    return known is not None and str(known.get("name") or wanted).lower() == wanted.lower()


def _owned(found: Found, owner: str) -> Found:
    if (found.known.get("tags") or {}).get(STACK_TAG) != owner:
        raise pulumi.RunError(
            f"{found.id} exists and is not this stack's: it lacks the tag {STACK_TAG}={owner}. "
            "Name another by datadocker:shares.account and shares.resourceGroup; or, if it is yours and for this stack "
            "alone, tag it so: up then changes its tags and firewall, and destroy deletes it if shares.retain is false"
        )
    return found


def _unknown_host(account: Found, host: HostNames | None) -> str | None:
    """The resource group of a host that lives on the account, and is not in the state."""
    rules = (account.known.get("networkRuleSet") or {}).get("virtualNetworkRules") or []
    own = {str(recorded().get(HOST_SUBNET, {}).get("id")).lower(), str(host and host["subnet"]).lower()}
    for rule in rules:
        subnet = str(rule.get("virtualNetworkResourceId"))
        made = MADE.fullmatch(subnet)
        # one that was given says nothing of who is in it; the rule of one that is gone stays
        if made and subnet.lower() not in own:
            names = {"resourceGroupName": made[1], "virtualNetworkName": made[2], "subnetName": made[3]}
            if look_up("azure-native:network:getSubnet", **names):
                return made[1]
    if host is None or HOST_MACHINE in recorded():
        return None
    machine = {"resourceGroupName": host["group"], "vmName": host["machine"]}
    return host["group"] if look_up("azure-native:compute:getVirtualMachine", **machine) else None
