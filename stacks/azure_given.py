"""What the settings say is on Azure already, looked at before anything is made."""

from __future__ import annotations

import re

import pulumi

from components.azure_lookup import STACK_TAG, Found, look_up
from components.state import HOST_GROUP, recorded
from stacks.azure import AzureHostSettings
from stacks.azure_names import network
from stacks.login import subscription
from stacks.owner import stack_label

SUBNET_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/[^/]+/virtualNetworks/([^/]+)/subnets/([^/]+)", re.I
)
STORAGE, STORAGE_GLOBAL = "Microsoft.Storage", "Microsoft.Storage.Global"
# addresses and names for documentation, which nobody has: RFC 5737 and 2606
NOBODYS = tuple(network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
NOBODYS_NAMES = re.compile(r"(.*@)?(.*\.)?example\.(com|net|org)(:\d+)?", re.I)


def check_given(machine: AzureHostSettings, group: str, *, shares: bool, far: bool) -> None:
    """Checks that the group and the subnet that `machine` is to be in are there; warns of what is only an example.

    Args:
        machine: The host.
        group: Its resource group, which is there if the settings say so, and is made otherwise.
        shares: Whether shares on Azure let its subnet in.
        far: Whether these are in another region.

    Raises:
        pulumi.RunError: for what is not there, is there and is to be made, or does not lead to the shares.
    """
    _warn_of_examples(machine)
    existing = machine.existing_resource_group
    if existing or HOST_GROUP not in recorded():
        there = look_up("azure-native:resources:getResourceGroup", resourceGroupName=group)
        if existing and not there:
            raise pulumi.RunError(
                f"resource group {group} is not in subscription {subscription()}: mend "
                "datadocker:host.existingResourceGroup, or leave it out and one is made"
            )
        if there and not existing:
            raise pulumi.RunError(taken(group, there))
    if machine.network.subnet_id:
        _look_at_subnet(machine.network.subnet_id, shares=shares, far=far)


def _warn_of_examples(machine: AzureHostSettings) -> None:
    for source in machine.ssh_from:
        if source[0].isdigit() and any(network(source).subnet_of(known) for known in NOBODYS):
            pulumi.log.warn(
                f"datadocker:host.sshFrom: {source} is an example that nobody has, and so nobody, this command "
                "neither, can log in to the machine, and up ends there: write your own address"
            )
    if machine.jump_host and NOBODYS_NAMES.fullmatch(machine.jump_host):
        pulumi.log.warn(
            f"datadocker:host.jumpHost: {machine.jump_host} is an example: write there by which host ssh gets in"
        )


def taken(group: str, there: Found) -> str:
    """Says why a resource group that is `there` can't be made."""
    tag = (there.known.get("tags") or {}).get(STACK_TAG)
    if tag == stack_label():
        return (
            f"resource group {group} is this stack's, and its state does not know it: use the checkout or back end "
            f"whose state does, or see what is in it (az resource list -g {group} -o table), and delete it if that is "
            "no data"
        )
    return (
        f"resource group {group} exists{f', of stack {tag}' if tag else ''}, and the stack makes its own: name another "
        "by datadocker:host.resourceGroup"
    )


def _look_at_subnet(subnet: str, *, shares: bool, far: bool) -> None:
    parts = SUBNET_ID.fullmatch(subnet)
    # azure-native's functions look for nothing in another subscription
    if parts is None or parts[1].lower() != subscription().lower():
        return
    names = dict(zip(("resourceGroupName", "virtualNetworkName", "subnetName"), parts.groups()[1:], strict=True))
    try:
        found = look_up("azure-native:network:getSubnet", **names)
    except pulumi.RunError as error:
        if "AuthorizationFailed" not in str(error):
            raise
        # who may join it need not be allowed to read it
        pulumi.log.warn(f"subnet {subnet} could not be looked at before: {error}")
        return
    if not found:
        raise pulumi.RunError(
            f"subnet {subnet} does not exist: mend datadocker:host.network.subnetId (az network vnet subnet list "
            "shows what there is), or leave it out and a network is made"
        )
    services = {endpoint.get("service") for endpoint in found.known.get("serviceEndpoints") or []}
    if shares and far and services & {STORAGE} and not services & {STORAGE_GLOBAL}:
        pulumi.log.warn(
            f"subnet {subnet} has the service endpoint {STORAGE}, which reaches shares of its own region and of the "
            f"one that it is paired with: for others it needs {STORAGE_GLOBAL} instead"
        )
    elif shares and not services & {STORAGE, STORAGE_GLOBAL}:
        raise pulumi.RunError(
            f"subnet {subnet} has no service endpoint for storage, and the shares would not let it in: az network "
            f"vnet subnet update --ids {subnet} --service-endpoints {STORAGE_GLOBAL if far else STORAGE} (and "
            "those that it has), or name another by datadocker:host.network.subnetId"
        )
