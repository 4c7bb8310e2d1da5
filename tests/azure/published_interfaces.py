"""Payloads about network interfaces that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

from tests.azure.samples import NETWORK

CARD = "network:NetworkInterface"
SECOND = f"{NETWORK}/networkInterfaces/second"
HOSTS = f"{NETWORK}/virtualNetworks/net/subnets/hosts"
UNNAMED = "https://github.com/Azure/azure-sdk-for-python/issues/9332"
NONE: tuple[list[Any] | None, ...] = ([], None)
# of a plain one that stands in the same subnet
MAIN: dict[str, Any] = {"name": "main", "subnet": {"id": HOSTS}}


def second(*configurations: dict[str, Any]) -> dict[str, Any]:
    """Returns another interface."""
    return {"networkInterfaceName": "second", "ipConfigurations": list(configurations)}


def static(address: str) -> dict[str, Any]:
    """Returns an interface that asks for an address."""
    return second({**MAIN, "privateIPAddress": address, "privateIPAllocationMethod": "Static"})


PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "network:NetworkInterface",
        {"networkInterfaceName": "second"},
        "PublicIPAddressInUse",
        f"{NETWORK}/networkInterfaces/second/ipConfigurations/main is referencing public IP address {NETWORK}/",
        "https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-public-ip-address",
    ),
    (
        "network:NetworkInterface",
        {"ipConfigurations": [{"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/default"}}]},
        "InvalidResourceReference",
        "was not found. Please make sure that the referenced resource exists, and that both resources are in the same",
        "https://github.com/Azure/RDS-Templates/issues/349",
    ),
    (
        "network:NetworkInterface",
        {"location": "northeurope"},
        "InvalidResourceReference",
        "both resources are in the same region.",
        "https://github.com/Azure/azure-quickstart-templates/issues/5878",
    ),
    *[
        (
            CARD,
            static(address),
            "PrivateIPAddressInReservedRange",
            f"Private static IP address {address} falls within reserved IP range of subnet prefix 10.1.0.0/24.",
            "https://github.com/hashicorp/terraform-provider-azurerm/issues/4225",
        )
        for address in ("10.1.0.0", "10.1.0.1", "10.1.0.3", "10.1.0.255")
    ],
    (
        CARD,
        static("10.9.0.9"),
        "PrivateIPAddressNotInSubnet",
        "Private static IP address 10.9.0.9 does not belong to the range of subnet prefix 10.1.0.0/24.",
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors",
    ),
    (
        CARD,
        static("10.1.0.4"),
        "PrivateIPAddressIsAllocated",
        "is using the private IP address 10.1.0.4 which is already allocated to resource",
        "https://github.com/daniel-rhoades/acs-engine-terraform/issues/10",
    ),
    (CARD, second({"subnet": {"id": HOSTS}}), "InvalidRequestFormat", "Cannot parse the request.", UNNAMED),
    (
        CARD,
        static("10.1.0.999"),
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://github.com/Azure/azure-cli/issues?q=InvalidRequestFormat",
    ),
    (
        CARD,
        second(MAIN, {**MAIN, "name": "more"}),
        "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
        "Network Interface second specifies multiple IPConfigurations but none of the IPConfigurations is specified as "
        "Primary.",
        "https://github.com/Azure/azure-sdk-for-go/issues/259",
    ),
    (
        CARD,
        second({**MAIN, "primary": True}, {**MAIN, "name": "more", "primary": True}),
        "NetworkInterfaceMustHaveOneOneIPConfigAsPrimary",
        "more than one of the IPConfigurations is specified as Primary.",
        "https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-network-interface-addresses",
    ),
    (
        CARD,
        second({**MAIN, "primary": True}, {**MAIN, "name": "Main"}),
        "DuplicateResourceName",
        f"Resource {SECOND} has two child resources with the same name (main).",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=DuplicateResourceName",
    ),
    *[
        (
            CARD,
            {"networkInterfaceName": "second", "ipConfigurations": none},
            "NetworkInterfaceMustHaveIpConfigurationOrAttachedElasticNetworkInterface",
            f"Network interface {SECOND} must have one or more IP configurations",
            "https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-network-interface-addresses",
        )
        for none in NONE
    ],
    (
        CARD,
        second({"name": "a"}),
        "SubnetIsRequired",
        f"Subnet reference is required for ipconfiguration {SECOND}/ipConfigurations/a.",
        "https://github.com/Azure/azure-sdk-for-python/pull/536",
    ),
    (
        CARD,
        second({**MAIN, "privateIPAllocationMethod": "Static"}),
        "PrivateIPAddressMissing",
        f"Private IP address is required when privateIPAllocationMethod is Static in IP configuration {SECOND}/"
        "ipConfigurations/main.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/15265",
    ),
    (
        CARD,
        second({"name": "main", "privateIPAddress": "10.1.0.9", "privateIPAllocationMethod": "Static"}),
        "SubnetIsRequired",
        "Subnet reference is required for ipconfiguration",
        "https://github.com/Azure/azure-sdk-for-python/pull/536",
    ),
    (
        CARD,
        second({"name": "main", "subnet": {"id": "hosts"}}),
        "LinkedInvalidPropertyId",
        "Property id 'hosts' at path 'properties.ipConfigurations[0].subnet.id' is invalid. Expect fully qualified",
        "https://github.com/Azure/avdaccelerator/issues/84",
    ),
    (
        CARD,
        second({"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net"}}),
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://github.com/Azure/azure-cli/issues?q=InvalidRequestFormat",
    ),
]
