"""Limits of single values of networks, and of what is in them."""

from __future__ import annotations

import re
from typing import Any

from tests.azure.addresses import is_address, is_cidr, is_source, starts_a_network
from tests.azure.limits import NAMES, Refused, between, is_unreserved, matches
from tests.azure.services import ENDPOINT_SERVICES

NSG = "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview"
NSG_ERRORS = "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=SecurityRule"
ADDRESSES = "https://github.com/Azure/terraform-provider-azapi/issues?q=InvalidAddressPrefixFormat"
DNS_LABEL = "https://github.com/Azure/azure-quickstart-templates/issues/6520"
ENDPOINTS = "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoints-overview"
LABEL = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
NETWORK_NAME = r"[A-Za-z0-9]([\w.-]{0,78}\w)?"


def is_port_range(value: Any) -> bool:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value))
    ends = [int(n) for n in found.groups() if n] if found else []
    return value == "*" or bool(ends and ends[-1] <= 65535 and ends == sorted(ends))


def _rule_limits(prefix: str = "") -> list[Refused]:
    """The limits of a security rule, alone or inside its group."""
    address = "Security rule has invalid Address prefix. Value provided: {value}"
    port = (
        "Security rule has invalid Port range. Value provided: {value}. Value should be an integer OR integer range "
        "with '-' delimiter. Valid range 0-65535."
    )
    return [
        Refused(
            f"{prefix}priority",
            NSG,
            between(100, 4096),
            "SecurityRuleInvalidPriority",
            "Security rule has invalid Priority. Value provided: {value} Allowed range 100-4096.",
        ),
        *[
            Refused(
                f"{prefix}{end}AddressPrefix{s}", NSG_ERRORS, is_source, "SecurityRuleInvalidAddressPrefix", address
            )
            for end in ("source", "destination")
            for s in ("", "es[]")
        ],
        *[
            Refused(f"{prefix}{end}PortRange{s}", NSG_ERRORS, is_port_range, "SecurityRuleInvalidPortRange", port)
            for end in ("source", "destination")
            for s in ("", "s[]")
        ],
    ]


def _address_limits(path: str) -> list[Refused]:
    return [
        Refused(
            path,
            ADDRESSES,
            is_cidr,
            "InvalidAddressPrefixFormat",
            "Address prefix {value} of resource {id} is not formatted correctly. It should follow CIDR notation, for "
            "example 10.0.0.0/24.",
        ),
        Refused(
            path,
            ADDRESSES,
            starts_a_network,
            "InvalidCIDRNotation",
            "The address prefix {value} in resource {id} has an invalid CIDR notation. For the given prefix length, "
            "the address prefix should be {network}.",
        ),
    ]


def _resource_name(path: str, pattern: str = NETWORK_NAME) -> Refused:
    return Refused(
        path,
        NAMES,
        matches(pattern),
        "InvalidResourceName",
        "Resource name {value} is invalid. The name can be up to 80 characters long. It must begin with a word "
        "character, and it must end with a word character or with '_'. The name may contain word characters or '.', "
        "'-', '_'.",
    )


def _idle_timeout(what: str, most: int, source: str) -> Refused:
    # the words are known, the code is not
    return Refused(
        "idleTimeoutInMinutes",
        source,
        between(4, most),
        "InvalidParameter",
        f"{what} {{name}} has invalid Idle Timeout. The value must be between 4 and {most}.",
    )


REFUSED: dict[str, list[Refused]] = {
    "azure-native:network:VirtualNetwork": [
        _resource_name("virtualNetworkName", r"[A-Za-z0-9][\w.-]{0,62}\w"),
        *_address_limits("addressSpace.addressPrefixes[]"),
        *_address_limits("subnets[].addressPrefix"),
    ],
    "azure-native:network:Subnet": [
        Refused(
            "serviceEndpoints[].service",
            ENDPOINTS,
            lambda value: value in ENDPOINT_SERVICES,
            "InvalidRequestFormat",
            "Cannot parse the request.",
        ),
        _resource_name("subnetName"),
        *_address_limits("addressPrefix"),
        *_address_limits("addressPrefixes[]"),
    ],
    "azure-native:network:NetworkSecurityGroup": [
        _resource_name("networkSecurityGroupName"),
        *_rule_limits("securityRules[]."),
    ],
    "azure-native:network:SecurityRule": [_resource_name("securityRuleName"), *_rule_limits()],
    "azure-native:network:PublicIPAddress": [
        _resource_name("publicIpAddressName"),
        _idle_timeout("Public IP address", 30, "https://github.com/hashicorp/terraform-provider-azurerm/pull/3579"),
        Refused(
            "dnsSettings.domainNameLabel",
            DNS_LABEL,
            matches(LABEL),
            "InvalidDomainNameLabel",
            "The domain name label {value} is invalid. It must conform to the following regular expression: "
            f"{LABEL}.",
        ),
        Refused(
            "dnsSettings.domainNameLabel",
            "https://github.com/MicrosoftDocs/azure-docs/issues/104539",
            lambda value: is_unreserved(value) and "xbox" not in str(value),
            "DomainNameLabelReserved",
            "The domain name label {value} is invalid. The name itself or part of the name is a reserved word such as "
            "a trademark. Please use a different name.",
        ),
    ],
    "azure-native:network:NetworkInterface": [
        _resource_name("networkInterfaceName"),
        Refused(
            "ipConfigurations[].privateIPAddress",
            "https://github.com/Azure/azure-cli/issues?q=InvalidRequestFormat",
            is_address,
            "InvalidRequestFormat",
            "Cannot parse the request.",
        ),
    ],
    "azure-native:network:NatGateway": [
        _resource_name("natGatewayName"),
        _idle_timeout("Nat gateway", 120, "https://github.com/MicrosoftDocs/azure-docs/issues/64352"),
    ],
}
