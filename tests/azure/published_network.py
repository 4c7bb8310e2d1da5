"""Payloads about groups, networks and addresses that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

from tests.azure.samples import NETWORK

HOSTS = f"{NETWORK}/virtualNetworks/net/subnets/hosts"

IDLE = "https://github.com/hashicorp/terraform-provider-azurerm/pull/3579"
NO_SPACE: tuple[dict[str, Any] | None, ...] = (None, {}, {"addressPrefixes": []})

PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "resources:ResourceGroup",
        {"location": "Canada"},
        "LocationNotAvailableForResourceGroup",
        "The provided location 'Canada' is not available for resource group. List of available regions is '",
        "https://github.com/Azure/azure-cli/issues/16368",
    ),
    (
        "resources:ResourceGroup",
        {"location": "chinanorth2"},
        "LocationNotAvailableForResourceGroup",
        "The provided location 'chinanorth2' is not available",
        "https://github.com/MicrosoftDocs/executable-docs/issues/74",
    ),
    (
        "network:VirtualNetwork",
        {"resourceGroupName": "missing"},
        "ResourceGroupNotFound",
        "Resource group 'missing' could not be found.",
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-not-found",
    ),
    (
        "network:VirtualNetwork",
        {"addressSpace": {"addressPrefixes": ["10.0.0.0/160"]}},
        "InvalidAddressPrefixFormat",
        f"Address prefix 10.0.0.0/160 of resource {NETWORK}/virtualNetworks/net is not formatted correctly. It should",
        "https://registry.terraform.io/providers/Azure/azapi",
    ),
    (
        "network:VirtualNetwork",
        {"addressSpace": {"addressPrefixes": ["10.10.0.0./16"]}},
        "InvalidAddressPrefixFormat",
        "It should follow CIDR notation, for example 10.0.0.0/24.",
        "https://registry.terraform.io/providers/Azure/azapi",
    ),
    (
        "network:VirtualNetwork",
        {"addressSpace": {"addressPrefixes": ["10.1.0.7/16"]}},
        "InvalidCIDRNotation",
        "has an invalid CIDR notation. For the given prefix length, the address prefix should be 10.1.0.0/16.",
        "https://github.com/Azure/azure-cli/issues?q=InvalidCIDRNotation",
    ),
    (
        "network:Subnet",
        {"virtualNetworkName": "missing"},
        "ParentResourceNotFound",
        "Failed to perform 'write' on resource(s) of type 'virtualNetworks/subnets', because the parent resource",
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-parent-resource",
    ),
    (
        "network:Subnet",
        {"addressPrefix": "10.2.0.0/24"},
        "NetcfgSubnetRangeOutsideVnet",
        "Subnet 'hosts' is not valid because its IP address range is outside the IP address range of virtual network",
        "https://github.com/MicrosoftDocs/azure-docs/pull/123869",
    ),
    (
        "network:Subnet",
        {"subnetName": "other", "addressPrefix": "10.1.0.128/25"},
        "NetcfgSubnetRangesOverlap",
        "Subnet 'other' is not valid because its IP address range overlaps with that of an existing subnet in virtual",
        "https://github.com/MicrosoftDocs/azure-docs/pull/123869",
    ),
    (
        "network:Subnet",
        {"subnetName": "other", "addressPrefix": "10.1.9.0/24", "natGateway": {"id": f"{NETWORK}/natGateways/gone"}},
        "InvalidResourceReference",
        f"Resource {NETWORK}/natGateways/gone referenced by resource",
        "https://github.com/microsoft/MCW-Building-a-resilient-IaaS-architecture/issues/35",
    ),
    (
        "network:Subnet",
        {"addressPrefix": "10.1.0.0/240"},
        "InvalidAddressPrefixFormat",
        "It should follow CIDR notation, for example 10.0.0.0/24.",
        "https://registry.terraform.io/providers/Azure/azapi",
    ),
    (
        "network:PublicIPAddress",
        {"publicIPAllocationMethod": "Dynamic"},
        "StandardSkuPublicIPAddressesMustBeStatic",
        f"Standard sku publicIp {NETWORK}/publicIPAddresses/address must have AllocationMethod set to Static.",
        "https://github.com/MicrosoftDocs/azure-docs/issues/42889",
    ),
    (
        "network:PublicIPAddress",
        {"sku": None},
        "IPv4BasicSkuPublicIpCountLimitReached",
        "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
        "https://github.com/daveprowse/tac-course/issues/5",
    ),
    (
        "network:PublicIPAddress",
        {"dnsSettings": {"domainNameLabel": "AD_LB"}},
        "InvalidDomainNameLabel",
        "The domain name label AD_LB is invalid. It must conform to the following regular expression: "
        "^[a-z][a-z0-9-]{1,61}[a-z0-9]$.",
        "https://github.com/Azure/azure-quickstart-templates/issues/6520",
    ),
    *[
        (
            "network:PublicIPAddress",
            {"dnsSettings": {"domainNameLabel": label}},
            "DomainNameLabelReserved",
            f"The domain name label {label} is invalid. The name itself or part of the name is a reserved word such as",
            source,
        )
        for label, source in (
            ("windows-test", "https://github.com/AzureCosmosDB/OmniVec/pull/161"),
            ("y5cg3b375rghxboxrchgey22uu", "https://github.com/MicrosoftDocs/azure-docs/issues/104539"),
        )
    ],
    (
        "network:PublicIPAddress",
        {"publicIpAddressName": "second"},
        "DnsRecordInUse",
        "DNS record demo-host.westeurope.cloudapp.azure.com is already used by another public IP.",
        "https://github.com/scarolan/azure-terraform-beginners/issues/20",
    ),
    (
        "network:Subnet",
        {"subnetName": "other", "addressPrefix": "10.1.8.0/30"},
        "NetcfgInvalidSubnet",
        "Subnet 'other' is not valid in virtual network 'net'.",
        "https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq",
    ),
    (
        "network:Subnet",
        {"serviceEndpoints": [{"service": "Microsoft.Storag"}]},
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoints-overview",
    ),
    (
        "network:Subnet",
        {"serviceEndpoints": [{"service": "Microsoft.Storage"}, {"service": "Microsoft.Storage.Global"}]},
        "InvalidServiceEndpoints",
        f"Subnet {HOSTS} has service endpoints that exclude each other",
        "https://learn.microsoft.com/azure/storage/common/storage-network-security-virtual-networks",
    ),
    (
        "network:VirtualNetwork",
        {"subnets": [{"name": n, "addressPrefix": f"10.1.0.0/{size}"} for n, size in (("one", 24), ("two", 25))]},
        "NetcfgSubnetRangesOverlap",
        "overlaps with that of an existing subnet in virtual network 'net'.",
        "https://github.com/MicrosoftDocs/azure-docs/pull/123869",
    ),
    (
        "network:VirtualNetwork",
        {"subnets": [{"addressPrefix": "10.1.0.0/24"}]},
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://github.com/Azure/azure-sdk-for-python/issues/9332",
    ),
    *[
        (
            "network:VirtualNetwork",
            {"addressSpace": {"addressPrefixes": [prefix]}},
            "InvalidAddressPrefix",
            f"Address prefix {prefix} of resource {NETWORK}/virtualNetworks/net is in a range that is not allowed",
            "https://learn.microsoft.com/azure/virtual-network/virtual-networks-faq",
        )
        for prefix in ("127.0.0.0/8", "224.0.0.0/8", "169.254.8.0/24", "168.63.128.0/23", "255.255.255.255/32")
    ],
    (
        "network:VirtualNetwork",
        {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.1.2.0/24"]}},
        "InvalidAddressPrefix",
        "10.1.0.0/16 and 10.1.2.0/24 of one address space overlap",
        "https://learn.microsoft.com/azure/virtual-network/manage-virtual-network",
    ),
    *[
        (
            "network:VirtualNetwork",
            {"addressSpace": space},
            "InvalidRequestFormat",
            "Cannot parse the request.",
            "https://learn.microsoft.com/rest/api/virtualnetwork/virtual-networks/create-or-update",
        )
        for space in NO_SPACE
    ],
    (
        "network:Subnet",
        {"addressPrefix": None},
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://learn.microsoft.com/rest/api/virtualnetwork/subnets/create-or-update",
    ),
    (
        "network:VirtualNetwork",
        {"subnets": [{"name": "hosts"}]},
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://learn.microsoft.com/rest/api/virtualnetwork/subnets/create-or-update",
    ),
    *[
        (
            token,
            {"idleTimeoutInMinutes": minutes},
            "InvalidParameter",
            f"{what} has invalid Idle Timeout. The value must be between 4 and {most}.",
            source,
        )
        for token, what, most, source in (
            ("network:PublicIPAddress", "Public IP address address", 30, IDLE),
            ("network:NatGateway", "Nat gateway nat", 120, "https://github.com/MicrosoftDocs/azure-docs/issues/64352"),
        )
        for minutes in (3, most + 1)
    ],
]
