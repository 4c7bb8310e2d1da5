"""Payloads about groups, networks, addresses and security rules that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

from tests.azure.samples import NETWORK, SAMPLES

RULE, GROUP, CARD = "network:SecurityRule", "network:NetworkSecurityGroup", "network:NetworkInterface"
HOSTS = f"{NETWORK}/virtualNetworks/net/subnets/hosts"


def inside(*changes: dict[str, Any]) -> dict[str, Any]:
    """Returns a group's rules as they stand inside of it."""
    return {"securityRules": [SAMPLES[RULE] | {"name": f"rule{i}"} | change for i, change in enumerate(changes)]}


def static(address: str) -> dict[str, Any]:
    """Returns an interface that asks for an address."""
    asked = {"privateIPAddress": address, "privateIPAllocationMethod": "Static"}
    return {"networkInterfaceName": "second", "ipConfigurations": [{"name": "main", "subnet": {"id": HOSTS}, **asked}]}


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
        "network:NetworkInterface",
        {"networkInterfaceName": "second"},
        "PublicIPAddressInUse",
        f"{NETWORK}/networkInterfaces/second/ipConfigurations/main is referencing public IP address {NETWORK}/",
        "https://learn.microsoft.com/azure/virtual-network/ip-services/virtual-network-public-ip-address",
    ),
    (
        RULE,
        {"securityRuleName": "open-port-80"},
        "SecurityRuleConflict",
        "Security rule open-port-80 conflicts with rule ssh. Rules cannot have the same Priority and Direction.",
        "https://github.com/MicrosoftDocs/azure-docs.de-de/issues/763",
    ),
    (
        RULE,
        {"priority": 99},
        "SecurityRuleInvalidPriority",
        "Security rule has invalid Priority. Value provided: 99 Allowed range 100-4096.",
        "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
    ),
    (
        RULE,
        {"priority": 65000},
        "SecurityRuleInvalidPriority",
        "Value provided: 65000",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/11137",
    ),
    (
        RULE,
        {"sourceAddressPrefix": "any"},
        "SecurityRuleInvalidAddressPrefix",
        "Security rule has invalid Address prefix. Value provided: any",
        "https://github.com/ernestio/ernest/issues/473",
    ),
    (
        RULE,
        {"sourceAddressPrefix": "20.20.20.20/16"},
        "SecurityRuleInvalidAddressPrefix",
        "Security rule has invalid Address prefix. Value provided: 20.20.20.20/16",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=SecurityRuleInvalidAddressPrefix",
    ),
    (
        RULE,
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["203.0.113.0/24", "Internet"]},
        "SecurityRuleParameterContainsUnsupportedValue",
        "Unsupported value used: Internet.",
        "https://github.com/ansible-collections/azure/issues/639",
    ),
    (
        RULE,
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["1.1.0.0/24", "1.1.0.22/32"]},
        "OverlappingSubnetsNotPermittedInSecurityRule",
        "cannot specify overlapping subnets. Overlapping subnets are: 1.1.0.0/24, 1.1.0.22/32.",
        "https://github.com/alan-turing-institute/data-safe-haven/issues/2077",
    ),
    (
        RULE,
        {"destinationPortRange": "80,443"},
        "SecurityRuleInvalidPortRange",
        "Value provided: 80,443. Value should be an integer OR integer range with '-' delimiter. Valid range 0-65535.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=SecurityRuleInvalidPortRange",
    ),
    (
        RULE,
        {"protocol": "SSH"},
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://github.com/Azure/azure-cli/issues?q=InvalidRequestFormat",
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
    (
        "network:PublicIPAddress",
        {"publicIpAddressName": "second"},
        "DnsRecordInUse",
        "DNS record demo-host.westeurope.cloudapp.azure.com is already used by another public IP.",
        "https://github.com/scarolan/azure-terraform-beginners/issues/20",
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
    (
        GROUP,
        inside({}, {}),
        "SecurityRuleConflict",
        "Security rule rule0 conflicts with rule rule1. Rules cannot have the same Priority and Direction.",
        "https://github.com/Azure/aks-engine/issues/2106",
    ),
    (
        GROUP,
        inside({"name": "ssh"}, {"name": "SSH", "priority": 110}),
        "DuplicateResourceName",
        "has two child resources with the same name (ssh).",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=DuplicateResourceName",
    ),
    (
        GROUP,
        inside({"priority": 4097}),
        "SecurityRuleInvalidPriority",
        "Value provided: 4097 Allowed range 100-4096.",
        "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview",
    ),
    (
        GROUP,
        inside({"sourceAddressPrefix": None}),
        "SecurityRuleParametersMissing",
        f"{NETWORK}/networkSecurityGroups/security/securityRules/rule0. Security rule must specify "
        "SourceAddressPrefixes, SourceAddressPrefix, or SourceApplicationSecurityGroups.",
        "https://github.com/Azure/sap-hana/issues/135",
    ),
    (
        GROUP,
        inside({"destinationPortRange": None}),
        "SecurityRuleParametersMissing",
        "Security rule must specify DestinationPortRanges, DestinationPortRange.",
        "https://github.com/Azure/sap-hana/issues/135",
    ),
    (
        GROUP,
        inside({"sourceAddressPrefixes": ["198.51.100.0/24"]}),
        "SecurityRuleParametersConflict",
        "cannot specify both SourceAddressPrefix and SourceAddressPrefixes.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/23134",
    ),
    (
        GROUP,
        inside({"sourceAddressPrefix": "Internett"}),
        "SecurityRuleInvalidAddressPrefix",
        "Security rule has invalid Address prefix. Value provided: Internett",
        "https://learn.microsoft.com/azure/virtual-network/service-tags-overview",
    ),
    (
        GROUP,
        inside({"destinationPortRange": "90-80"}),
        "SecurityRuleInvalidPortRange",
        "Security rule has invalid Port range. Value provided: 90-80.",
        "https://github.com/Azure/azure-cli/issues/23499",
    ),
    (
        GROUP,
        inside(
            *(
                {
                    "sourceAddressPrefix": None,
                    "sourceAddressPrefixes": [f"10.{p}.{n // 250}.{n % 250}/32" for n in range(2001)],
                    "priority": p,
                }
                for p in (100, 101)
            )
        ),
        "SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached",
        "has 4002 SourceAddressPrefixes. A security group cannot have more than 4000 SourceAddressPrefixes as per the",
        "https://github.com/kubernetes-sigs/cloud-provider-azure/issues/2725",
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
    *[
        (
            token,
            {"tags": tags},
            code,
            words,
            "https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources",
        )
        for token in ("resources:ResourceGroup", GROUP)
        for tags, code, words in (
            ({f"tag{i}": "" for i in range(51)}, "InvalidTags", "Requested tag count - '51'. Maximum number of tags"),
            ({"n" * 513: "v"}, "InvalidTagName", "Maximum allowed length for tag name - '512' characters."),
            ({"n": "v" * 257}, "InvalidTagValueLength", "Maximum allowed length for tag value - '256' characters."),
            *(({f"a{c}b": "v"}, "InvalidTagNameCharacters", f"The tag names 'a{c}b' have") for c in "<>%&\\?/"),
        )
    ],
]
