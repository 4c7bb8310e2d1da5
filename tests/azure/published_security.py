"""Payloads about security groups and their rules that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

from tests.azure.samples import NETWORK, SAMPLES

RULE, GROUP = "network:SecurityRule", "network:NetworkSecurityGroup"


def inside(*changes: dict[str, Any]) -> dict[str, Any]:
    """Returns a group's rules as they stand inside of it."""
    return {"securityRules": [SAMPLES[RULE] | {"name": f"rule{i}"} | change for i, change in enumerate(changes)]}


PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
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
        {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["203.0.113.0/24", "203.0.113.9"]},
        "OverlappingSubnetsNotPermittedInSecurityRule",
        "Overlapping subnets are: 203.0.113.0/24, 203.0.113.9.",
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
        GROUP,
        inside({"name": None}),
        "InvalidRequestFormat",
        "Cannot parse the request.",
        "https://github.com/Azure/azure-sdk-for-python/issues/9332",
    ),
]
