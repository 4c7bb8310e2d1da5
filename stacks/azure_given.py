"""What the settings say is on Azure already, looked at before anything is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network

import pulumi

from components.azure_lookup import STACK_TAG, Found, look_up
from components.state import HOST_GROUP, recorded
from stacks.azure import AzureHostSettings
from stacks.azure_names import network, region_of
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
        pulumi.RunError: for what is not there, is there and is to be made, is no place for the machine, or does not
            lead to the shares.
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
        _look_at_subnet(machine, machine.network.subnet_id, shares=shares, far=far)


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


def _look_at_subnet(machine: AzureHostSettings, subnet: str, *, shares: bool, far: bool) -> None:
    parts = SUBNET_ID.fullmatch(subnet)
    # azure-native's functions look for nothing in another subscription
    if parts is None or parts[1].lower() != subscription().lower():
        return
    of_network = {"resourceGroupName": parts[2], "virtualNetworkName": parts[3]}
    with _may_be_unreadable(f"subnet {subnet}"):
        found = look_up("azure-native:network:getSubnet", **of_network, subnetName=parts[4])
        _check_subnet(machine, subnet, found, shares=shares, far=far)
        with _may_be_unreadable(f"the network of subnet {subnet}"):
            _check_region(machine, subnet, look_up("azure-native:network:getVirtualNetwork", **of_network))


@contextmanager
def _may_be_unreadable(what: str) -> Iterator[None]:
    try:
        yield
    except pulumi.RunError as error:
        if "AuthorizationFailed" not in str(error):
            raise
        # who may join it need not be allowed to read it
        pulumi.log.warn(f"{what} could not be looked at before: {error}")


def _check_subnet(machine: AzureHostSettings, subnet: str, found: Found | None, *, shares: bool, far: bool) -> None:
    if not found:
        raise pulumi.RunError(
            f"subnet {subnet} does not exist: mend datadocker:host.network.subnetId (az network vnet subnet list "
            "shows what there is), or leave it out and a network is made"
        )
    _check_ways(machine, subnet, found)
    if shares:
        _check_way_to_shares(subnet, found, far=far)


def _check_region(machine: AzureHostSettings, subnet: str, whole: Found | None) -> None:
    region = region_of(whole.known if whole else {}, machine.location)
    if region != machine.location:
        raise pulumi.RunError(
            f"subnet {subnet} is in {region}, and a machine is in its network's region: set datadocker:host.location "
            "to that, or name another subnet by datadocker:host.network.subnetId"
        )


def _check_ways(machine: AzureHostSettings, subnet: str, found: Found) -> None:
    prefixes = found.known.get("addressPrefixes") or [found.known.get("addressPrefix") or ""]
    ranges = [IPv4Network(p) for p in prefixes if "." in p]
    if machine.private_ip and ranges and not any(IPv4Address(machine.private_ip) in known for known in ranges):
        raise pulumi.RunError(
            f"datadocker:host.privateIp: {machine.private_ip} is not one of subnet {subnet}, which has "
            f"{', '.join(map(str, ranges))}: name another, or leave it out"
        )
    ways_out = [found.known.get(way) for way in ("natGateway", "routeTable")]
    if not machine.public_ip and found.known.get("defaultOutboundAccess") is False and not any(ways_out):
        # its network's gateway may know one by BGP
        pulumi.log.warn(
            f"subnet {subnet} has no NAT gateway, no route table and no default outbound access: if there is no other "
            "way to Debian's mirrors and PyPI, the machine's bootstrap fails"
        )


def _check_way_to_shares(subnet: str, found: Found, *, far: bool) -> None:
    services = {endpoint.get("service") for endpoint in found.known.get("serviceEndpoints") or []}
    if far and services & {STORAGE} and not services & {STORAGE_GLOBAL}:
        pulumi.log.warn(
            f"subnet {subnet} has the service endpoint {STORAGE}, which reaches shares of its own region and of the "
            f"one that it is paired with: for others it needs {STORAGE_GLOBAL} instead"
        )
    elif not services & {STORAGE, STORAGE_GLOBAL}:
        raise pulumi.RunError(
            f"subnet {subnet} has no service endpoint for storage, and the shares would not let it in: az network "
            f"vnet subnet update --ids {subnet} --service-endpoints {STORAGE_GLOBAL if far else STORAGE} (and "
            "those that it has), or name another by datadocker:host.network.subnetId"
        )
