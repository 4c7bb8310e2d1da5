"""Rules of network interfaces and of the addresses that they have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.azure.addresses import network
from tests.azure.errors import AzureError, bad_request, not_parsed
from tests.azure.network_rules import prefixes
from tests.azure.rules import rule
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

# addresses at the start of a subnet: the network's own, the gateway and two of Azure's name service
KEPT = 4


@rule("compute:VirtualMachine", source="https://aka.ms/deletenic")
def an_interface_has_one_machine(cloud: Cloud, new: Resource) -> AzureError | None:
    for interface in new.inputs_at("networkProfile.networkInterfaces[].id"):
        for user, _ in cloud.users(interface):
            if user.key != new.key:
                return bad_request("NicInUse", f"Network Interface {interface} is used by existing resource {user.id}.")
    return None


@rule("compute:VirtualMachine", source="https://github.com/ansible/ansible/issues/40648")
def one_interface_is_the_primary(cloud: Cloud, new: Resource) -> AzureError | None:
    cards = new.inputs_at("networkProfile.networkInterfaces[]")
    primary = [card for card in cards if card.get("primary")]
    if len(cards) < 2 or len(primary) == 1:
        return None
    # of more than one it is known that Azure refuses, in which words is not
    name, but = (primary or cards)[-1].get("id", "").rsplit("/", 1)[-1], " and no other" if primary else ""
    return bad_request(
        "NetworkInterfaceMustHavePrimaryPropertySet",
        f"Network interface {name}{but} must have Primary property set.",
    )


@rule("compute:VirtualMachine", source="https://github.com/Azure/azure-powershell/issues/4565")
def one_interface_does_not_become_several(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    counts = [len(machine.inputs_at("networkProfile.networkInterfaces[]")) for machine in (old, new) if machine]
    if min(counts) == 1 < max(counts):
        return bad_request(
            "AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported",
            f"Virtual machine {new.id} with a single network interface must be stop-deallocated before it can be "
            "updated to have multiple network interfaces and vice-versa.",
        )
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


@rule("network:NetworkInterface", source="https://github.com/Azure/azure-sdk-for-python/issues/9332")
def configurations_have_names(cloud: Cloud, new: Resource) -> AzureError | None:
    for number, configuration in enumerate(new.inputs.get("ipConfigurations", [])):
        if not configuration.get("name"):
            return not_parsed(new.kind, f"ipConfigurations[{number}].name", None)
    return None


@rule(
    "network:NetworkInterface",
    source="https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-network-interface-addresses",
)
def an_interface_has_a_configuration(cloud: Cloud, new: Resource) -> AzureError | None:
    if not new.inputs.get("ipConfigurations"):
        # the code is known, the words are not
        return bad_request(
            "NetworkInterfaceMustHaveIpConfigurationOrAttachedElasticNetworkInterface",
            f"Network interface {new.id} must have one or more IP configurations or an attached elastic network "
            "interface.",
        )
    return None


@rule("network:NetworkInterface", source="https://github.com/Azure/azure-sdk-for-go/issues/259")
def one_configuration_is_the_primary(cloud: Cloud, new: Resource) -> AzureError | None:
    configurations = new.inputs["ipConfigurations"]
    if len(configurations) == 1 or [bool(c.get("primary")) for c in configurations].count(True) == 1:
        return None
    none = not any(c.get("primary") for c in configurations)
    # of more than one it is known that Azure refuses, in which words is not
    which = "none of the IPConfigurations is" if none else "more than one of the IPConfigurations is"
    return bad_request(
        "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
        f"Network Interface {new.name} specifies multiple IPConfigurations but {which} specified as Primary.",
    )


@rule("network:NetworkInterface", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/19369")
def the_primary_configuration_keeps_its_name(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    before = old.inputs["ipConfigurations"] if old else []
    names = new.inputs_at("ipConfigurations[].name")
    for configuration in before:
        if is_primary(configuration, before) and configuration["name"] not in names:
            return bad_request(
                "IpConfigDeleteNotSupported",
                f"IP Configuration {configuration['name']} cannot be deleted. Deletion and renaming of primary IP "
                "Configuration is not supported",
            )
    return None


@rule("network:NetworkInterface", source="https://github.com/Azure/azure-sdk-for-python/pull/536")
def a_configuration_has_a_subnet(cloud: Cloud, new: Resource) -> AzureError | None:
    for configuration in new.inputs["ipConfigurations"]:
        if not one(configuration, "subnet.id"):
            inner = f"{new.id}/ipConfigurations/{configuration['name']}"
            return bad_request("SubnetIsRequired", f"Subnet reference is required for ipconfiguration {inner}.")
    return None


@rule("network:NetworkInterface", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/15265")
def a_static_address_is_said(cloud: Cloud, new: Resource) -> AzureError | None:
    for configuration in new.inputs["ipConfigurations"]:
        static = configuration.get("privateIPAllocationMethod") == "Static"
        if static and not configuration.get("privateIPAddress"):
            return bad_request(
                "PrivateIPAddressMissing",
                "Private IP address is required when privateIPAllocationMethod is Static in IP configuration "
                f"{new.id}/ipConfigurations/{configuration['name']}.",
            )
    return None


@rule("network:NetworkInterface", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/4225")
def a_static_address_is_one_of_its_subnets(cloud: Cloud, new: Resource) -> AzureError | None:
    for _, address, subnet in _static_addresses(cloud, new):
        ranges = [network(prefix) for prefix in prefixes(subnet.inputs)]
        # which ranges a pool gives is the pool's to say
        if not ranges:
            continue
        inside = next((r for r in ranges if ipaddress.ip_address(address) in r), None)
        if inside is None:
            return bad_request(
                "PrivateIPAddressNotInSubnet",
                f"Private static IP address {address} does not belong to the range of subnet prefix {ranges[0]}.",
            )
        if is_kept(address, inside):
            return bad_request(
                "PrivateIPAddressInReservedRange",
                f"Private static IP address {address} falls within reserved IP range of subnet prefix {inside}.",
            )
    return None


@rule("network:NetworkInterface", source="https://github.com/daniel-rhoades/acs-engine-terraform/issues/10")
def a_static_address_is_free(cloud: Cloud, new: Resource) -> AzureError | None:
    for name, address, subnet in _static_addresses(cloud, new):
        owners = [f"{new.id}/ipConfigurations/{n}" for n, a in addresses(new).items() if n != name and a == address]
        for other in cloud.of_type(new.kind.token):
            near = subnet.key in (i.lower() for i in other.inputs_at("ipConfigurations[].subnet.id"))
            if other.key != new.key and near and address in other.facts.get("addresses", {}).values():
                owners.append(other.id)
        if owners:
            return bad_request(
                "PrivateIPAddressIsAllocated",
                f"IP configuration {new.id}/ipConfigurations/{name} is using the private IP address {address} which is "
                f"already allocated to resource {owners[0]}.",
            )
    return None


def _static_addresses(cloud: Cloud, interface: Resource) -> Iterator[tuple[str, str, Resource]]:
    for configuration in interface.inputs["ipConfigurations"]:
        subnet = cloud.lookup(one(configuration, "subnet.id", ""))
        if subnet and (address := static_address(configuration)):
            yield configuration["name"], address, subnet


def addresses(interface: Resource) -> dict[str, str]:
    """Returns the addresses of an interface's configurations, by name: those they ask for, and those they had."""
    had = interface.facts.get("addresses", {})
    found = {c["name"]: static_address(c) or had.get(c["name"]) for c in interface.inputs["ipConfigurations"]}
    return {name: address for name, address in found.items() if address}


def is_kept(address: Any, whole: Any) -> bool:
    """Whether Azure keeps an address of a subnet's range to itself."""
    number = int(ipaddress.ip_address(address)) - int(whole.network_address)
    return number < KEPT or number == whole.num_addresses - 1


def is_primary(item: Any, items: list[Any]) -> bool:
    """Whether it is the primary one among configurations, or among interfaces: of one there is no other."""
    return len(items) == 1 or bool(item.get("primary"))


def static_address(configuration: Any) -> str | None:
    """Returns the address that an IP configuration asks for."""
    asked = configuration.get("privateIPAllocationMethod") == "Static"
    return configuration.get("privateIPAddress") if asked else None
