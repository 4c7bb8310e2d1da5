"""Rules of networks, their subnets and public addresses."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tests.azure.addresses import is_cidr, network
from tests.azure.errors import AzureError, bad_request, not_parsed
from tests.azure.rules import rule
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

SUBNET = "azure-native:network:Subnet"
_TAKEN = ("224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32")
TAKEN = [network(text) for text in _TAKEN]
# addresses, of a /29
SMALLEST = 8


@rule(
    "network:VirtualNetwork",
    source="https://learn.microsoft.com/rest/api/virtualnetwork/virtual-networks/create-or-update",
)
def a_network_has_a_range(cloud: Cloud, new: Resource) -> AzureError | None:
    space = new.inputs.get("addressSpace", {})
    if not space.get("addressPrefixes") and not space.get("ipamPoolPrefixAllocations"):
        # that it does is known, in which words is not
        return not_parsed(new.kind, "addressSpace", space)
    return None


@rule("network:VirtualNetwork", source="https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq")
def some_ranges_are_no_networks(cloud: Cloud, new: Resource) -> AzureError | None:
    for prefix in _spaces(new):
        if any(network(prefix).overlaps(taken) for taken in TAKEN):
            # that it does is known, in which words is not
            return bad_request(
                "InvalidAddressPrefix",
                f"Address prefix {prefix} of resource {new.id} is in a range that is not allowed.",
            )
    return None


@rule("network:VirtualNetwork", source="https://learn.microsoft.com/azure/virtual-network/manage-virtual-network")
def ranges_of_a_network_do_not_overlap(cloud: Cloud, new: Resource) -> AzureError | None:
    for one_range, other in itertools.combinations(_spaces(new), 2):
        if network(one_range).overlaps(network(other)):
            # that it does is known, in which words is not
            return bad_request(
                "InvalidAddressPrefix", f"{one_range} and {other} of one address space overlap in {new.id}."
            )
    return None


@rule("network:VirtualNetwork", source="https://github.com/MicrosoftDocs/azure-docs/pull/123869")
def a_network_keeps_the_ranges_of_its_subnets(cloud: Cloud, new: Resource) -> AzureError | None:
    # those of a list are asked by themselves
    staying = cloud.children(new.id, SUBNET) if new.inputs.get("subnets") is None else []
    return next((error for subnet in staying if (error := _outside(subnet, new))), None)


@rule("network:Subnet", source="https://learn.microsoft.com/rest/api/virtualnetwork/subnets/create-or-update")
def a_subnet_has_a_range(cloud: Cloud, new: Resource) -> AzureError | None:
    if not prefixes(new.inputs) and not new.inputs.get("ipamPoolPrefixAllocations"):
        # that it does is known, in which words is not
        return not_parsed(new.kind, "addressPrefix", None)
    return None


@rule("network:Subnet", source="https://github.com/MicrosoftDocs/azure-docs/pull/123869")
def a_subnet_lies_inside_its_network(cloud: Cloud, new: Resource) -> AzureError | None:
    return _outside(new, cloud.parent(new))


@rule("network:Subnet", source="https://github.com/MicrosoftDocs/azure-docs/pull/123869")
def subnets_do_not_overlap(cloud: Cloud, new: Resource) -> AzureError | None:
    parent = cloud.parent(new)
    for other in cloud.children(parent.id, new.kind.token):
        if other.key == new.key:
            continue
        pairs = itertools.product(prefixes(new.inputs), prefixes(other.inputs))
        if any(network(a).overlaps(network(b)) for a, b in pairs):
            return bad_request(
                "NetcfgSubnetRangesOverlap",
                f"Subnet '{new.name}' is not valid because its IP address range overlaps with that of an existing "
                f"subnet in virtual network '{parent.name}'.",
            )
    return None


@rule("network:Subnet", source="https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq")
def a_subnet_has_room(cloud: Cloud, new: Resource) -> AzureError | None:
    # Azure keeps five addresses of each
    if any(network(prefix).num_addresses < SMALLEST for prefix in prefixes(new.inputs)):
        return bad_request(
            "NetcfgInvalidSubnet", f"Subnet '{new.name}' is not valid in virtual network '{cloud.parent(new).name}'."
        )
    return None


@rule(
    "network:Subnet",
    source="https://learn.microsoft.com/azure/storage/common/storage-network-security-virtual-networks",
)
def a_subnet_has_one_endpoint_of_storage(cloud: Cloud, new: Resource) -> AzureError | None:
    services = new.inputs_at("serviceEndpoints[].service")
    if len(services) > len(set(services)) or {"Microsoft.Storage", "Microsoft.Storage.Global"} <= set(services):
        # that it does is known, in which words is not
        return bad_request(
            "InvalidServiceEndpoints", f"Subnet {new.id} has service endpoints that exclude each other: {services}."
        )
    return None


@rule(
    "network:NetworkInterface",
    "network:NetworkSecurityGroup",
    "network:VirtualNetwork",
    source="https://github.com/hashicorp/terraform-provider-azurerm/issues?q=DuplicateResourceName",
)
def children_have_names_of_their_own(cloud: Cloud, new: Resource) -> AzureError | None:
    for inside in (*new.kind.inline, "ipConfigurations"):
        names = [name.lower() for name in new.inputs_at(f"{inside}[].name")]
        for name in names:
            if names.count(name) > 1:
                return bad_request(
                    "DuplicateResourceName", f"Resource {new.id} has two child resources with the same name ({name})."
                )
    return None


@rule("network:Subnet", source="https://github.com/Azure/azure-cli/issues?q=InUsePrefixCannotBeDeleted")
def an_address_range_in_use_stays(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    if old is None or not any(cloud.users(new.id)):
        return None
    for prefix in prefixes(old.inputs):
        if prefix not in prefixes(new.inputs):
            return bad_request(
                "InUsePrefixCannotBeDeleted",
                f"IpPrefix {prefix} on Subnet {new.name} has active allocations and cannot be deleted.",
            )
    return None


@rule("network:PublicIPAddress", source="https://github.com/MicrosoftDocs/azure-docs/issues/42889")
def a_standard_address_is_static(cloud: Cloud, new: Resource) -> AzureError | None:
    if one(new.inputs, "sku.name") == "Standard" and one(new.inputs, "publicIPAllocationMethod") != "Static":
        return bad_request(
            "StandardSkuPublicIPAddressesMustBeStatic",
            f"Standard sku publicIp {new.id} must have AllocationMethod set to Static.",
        )
    return None


@rule("network:PublicIPAddress", source="https://github.com/daveprowse/tac-course/issues/5")
def basic_addresses_are_retired(cloud: Cloud, new: Resource) -> AzureError | None:
    if one(new.inputs, "sku.name", "Basic") == "Basic":
        return bad_request(
            "IPv4BasicSkuPublicIpCountLimitReached",
            "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
        )
    return None


@rule("network:PublicIPAddress", source="https://github.com/scarolan/azure-terraform-beginners/issues/20")
def a_dns_label_is_unique_in_its_region(cloud: Cloud, new: Resource) -> AzureError | None:
    label = one(new.inputs, "dnsSettings.domainNameLabel")
    name = f"{label}.{new.location}.cloudapp.azure.com"
    others = (o for o in cloud.of_type(new.kind.token) if o.key != new.key and o.location == new.location)
    taken = label and any(one(o.inputs, "dnsSettings.domainNameLabel") == label for o in others)
    if taken or name in cloud.faults.taken_names:
        return bad_request("DnsRecordInUse", f"DNS record {name} is already used by another public IP.")
    return None


def prefixes(subnet: Any) -> list[str]:
    """Returns a subnet's address ranges."""
    found = [subnet.get("addressPrefix"), *subnet.get("addressPrefixes", [])]
    return [p for p in found if p and is_cidr(p)]


def _spaces(whole: Resource) -> list[str]:
    return list(one(whole.inputs, "addressSpace.addressPrefixes", []))


def _outside(subnet: Resource, whole: Resource) -> AzureError | None:
    spaces = [network(prefix) for prefix in _spaces(whole)]
    for prefix in prefixes(subnet.inputs) if spaces else ():
        if not any(_inside(network(prefix), space) for space in spaces):
            return bad_request(
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{subnet.name}' is not valid because its IP address range is outside the IP address range of "
                f"virtual network '{whole.name}'.",
            )
    return None


def _inside(part: Any, whole: Any) -> bool:
    return part.version == whole.version and bool(part.subnet_of(whole))
