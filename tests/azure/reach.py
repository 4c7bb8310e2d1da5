"""Which address a machine is reached at, and which of its ports its security groups let in."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

RULE = "azure-native:network:SecurityRule"
INSIDE = frozenset({"VirtualNetwork", "AzureLoadBalancer"})
"""Service tags that hold nobody outside."""


def address_of(cloud: Cloud, machine: Resource) -> str | None:
    """Returns a machine's public address, if it has one."""
    for interface in _interfaces(cloud, machine):
        for reference in interface.inputs_at("ipConfigurations[].publicIPAddress.id"):
            if found := cloud.lookup(reference):
                return str(found.facts["ipAddress"])
    return None


def subnets_of(cloud: Cloud, machine: Resource) -> frozenset[str]:
    """Returns the ids of the subnets that a machine is in, in lower case."""
    interfaces = _interfaces(cloud, machine)
    return frozenset(str(i).lower() for found in interfaces for i in found.inputs_at("ipConfigurations[].subnet.id"))


def open_ports(cloud: Cloud, machine: Resource) -> frozenset[int]:
    """Returns the TCP ports that are open from outside.

    A public address of the Standard kind is closed unless a security group opens it; where a subnet and an interface
    both have a group, both must.
    """
    found: set[int] = set()
    for interface in _interfaces(cloud, machine):
        groups = list(_groups(cloud, interface))
        if groups:
            sets = [_opened(cloud, group) for group in groups]
            found |= set.intersection(*sets)
    return frozenset(found)


def _interfaces(cloud: Cloud, machine: Resource) -> Iterator[Resource]:
    for reference in machine.inputs_at("networkProfile.networkInterfaces[].id"):
        if found := cloud.lookup(reference):
            yield found


def _groups(cloud: Cloud, interface: Resource) -> Iterator[Resource]:
    references = [one(interface.inputs, "networkSecurityGroup.id")]
    for subnet_id in interface.inputs_at("ipConfigurations[].subnet.id"):
        if subnet := cloud.lookup(subnet_id):
            references.append(one(subnet.inputs, "networkSecurityGroup.id"))
    for reference in references:
        if reference and (found := cloud.lookup(reference)):
            yield found


def _opened(cloud: Cloud, group: Resource) -> set[int]:
    rules = [r.inputs for r in cloud.children(group.id, RULE)]
    inbound = [r for r in rules if r["direction"] == "Inbound" and r["protocol"] in ("Tcp", "*")]
    inbound = [r for r in inbound if _matches_client(r, cloud.client)]
    inbound.sort(key=lambda r: r["priority"])
    ports = {port for r in inbound for port in _ports(r)}
    return {port for port in ports if next(r["access"] for r in inbound if port in _ports(r)) == "Allow"}


def _matches_client(rule: Any, client: str | None) -> bool:
    sources = [rule.get("sourceAddressPrefix"), *rule.get("sourceAddressPrefixes", [])]
    for source in sources:
        if source is None or source in INSIDE:
            continue
        if client is None or source in ("*", "Internet"):
            return True
        if re.match(r"[\d.:/a-f]+$", source) and ipaddress.ip_address(client) in ipaddress.ip_network(source):
            return True
    return False


def _ports(rule: Any) -> range | set[int]:
    found: set[int] = set()
    for ports in [rule.get("destinationPortRange"), *rule.get("destinationPortRanges", [])]:
        if ports == "*":
            return range(1, 65536)
        if ports:
            first, _, last = str(ports).partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found
