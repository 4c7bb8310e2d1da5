"""Rules of networks, addresses and their security."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tests.azure.errors import AzureError, bad_request
from tests.azure.limits import is_cidr, network
from tests.azure.rules import rule
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


@rule("network:Subnet", source="https://github.com/MicrosoftDocs/azure-docs/pull/123869")
def a_subnet_lies_inside_its_network(cloud: Cloud, new: Resource) -> AzureError | None:
    parent = cloud.parent(new)
    spaces = [network(p) for p in one(parent.inputs, "addressSpace.addressPrefixes", [])]
    for prefix in prefixes(new.inputs):
        if not any(_inside(network(prefix), space) for space in spaces):
            return bad_request(
                "NetcfgSubnetRangeOutsideVnet",
                f"Subnet '{new.name}' is not valid because its IP address range is outside the IP address range of "
                f"virtual network '{parent.name}'.",
            )
    return None


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


@rule("network:SecurityRule", source="https://github.com/Azure/aks-engine/issues/2106")
def no_two_security_rules_have_one_priority(cloud: Cloud, new: Resource) -> AzureError | None:
    for other in cloud.children(cloud.parent(new).id, new.kind.token):
        if other.key != new.key and _order(other.inputs) == _order(new.inputs):
            return bad_request(
                "SecurityRuleConflict",
                f"Security rule {new.name} conflicts with rule {other.name}. Rules cannot have the same Priority and "
                "Direction. To learn more, see aka.ms/nsgrules.",
            )
    return None


@rule("network:SecurityRule", source="https://github.com/ansible-collections/azure/issues/639")
def a_tag_stands_by_itself(cloud: Cloud, new: Resource) -> AzureError | None:
    for end in ("Source", "Destination"):
        for prefix in _several(new, end):
            if not is_cidr(prefix):
                return bad_request(
                    "SecurityRuleParameterContainsUnsupportedValue",
                    f"Security rule parameter {end}AddressPrefix for rule with Id {new.id} cannot specify existing "
                    "VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported value used: "
                    f"{prefix}.",
                )
    return None


@rule("network:SecurityRule", source="https://github.com/alan-turing-institute/data-safe-haven/issues/2077")
def ranges_of_a_security_rule_do_not_overlap(cloud: Cloud, new: Resource) -> AzureError | None:
    for end in ("Source", "Destination"):
        given = [p for p in _several(new, end) if is_cidr(p)]
        for one_range, other in itertools.combinations(given, 2):
            if network(one_range).overlaps(network(other)):
                return bad_request(
                    "OverlappingSubnetsNotPermittedInSecurityRule",
                    f"Security rule parameter {end}AddressPrefix for rule with Id {new.id} cannot specify overlapping "
                    f"subnets. Overlapping subnets are: {one_range}, {other}.",
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


@rule(
    "network:NetworkInterface",
    "network:NatGateway",
    source="https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-public-ip-address",
)
def a_public_address_has_one_owner(cloud: Cloud, new: Resource) -> AzureError | None:
    for path, address in new.references():
        if "/publicipaddresses/" not in address.lower():
            continue
        for owner, _ in cloud.users(address):
            if owner.key != new.key:
                return bad_request(
                    "PublicIPAddressInUse",
                    f"Resource {cloud.inner_id(new, path)} is referencing public IP address {address} that is already "
                    f"allocated to resource {owner.id}.",
                )
    return None


def prefixes(subnet: Any) -> list[str]:
    """Returns a subnet's address ranges."""
    found = [subnet.get("addressPrefix"), *subnet.get("addressPrefixes", [])]
    return [p for p in found if p and is_cidr(p)]


def _several(rule_: Resource, end: str) -> list[str]:
    return list(rule_.inputs.get(f"{end.lower()}AddressPrefixes") or [])


def _inside(part: Any, whole: Any) -> bool:
    return part.version == whole.version and bool(part.subnet_of(whole))


def _order(security_rule: Any) -> tuple[Any, Any]:
    return security_rule.get("priority"), security_rule.get("direction")
