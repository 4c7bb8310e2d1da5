"""Rules of security groups and of what is in them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from tests.azure.addresses import is_range, network
from tests.azure.errors import AzureError, bad_request
from tests.azure.rules import rule

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

ENDS = ("Source", "Destination")
# what may be said as one or as several
FORMS = [
    (end, f"{end}{one}", f"{end}{several}")
    for end in ENDS
    for one, several in (("AddressPrefix", "AddressPrefixes"), ("PortRange", "PortRanges"))
]
# of a group, of its sources or destinations each
MOST_ADDRESSES = 4000


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
    for end in ENDS:
        for prefix in _several(new, end):
            if not is_range(prefix):
                return bad_request(
                    "SecurityRuleParameterContainsUnsupportedValue",
                    f"Security rule parameter {end}AddressPrefix for rule with Id {new.id} cannot specify existing "
                    "VIRTUALNETWORK, INTERNET, AZURELOADBALANCER, '*' or system tags. Unsupported value used: "
                    f"{prefix}.",
                )
    return None


@rule("network:SecurityRule", source="https://github.com/alan-turing-institute/data-safe-haven/issues/2077")
def ranges_of_a_security_rule_do_not_overlap(cloud: Cloud, new: Resource) -> AzureError | None:
    for end in ENDS:
        given = [p for p in _several(new, end) if is_range(p)]
        for one_range, other in itertools.combinations(given, 2):
            if network(one_range).overlaps(network(other)):
                return bad_request(
                    "OverlappingSubnetsNotPermittedInSecurityRule",
                    f"Security rule parameter {end}AddressPrefix for rule with Id {new.id} cannot specify overlapping "
                    f"subnets. Overlapping subnets are: {one_range}, {other}.",
                )
    return None


@rule("network:SecurityRule", source="https://github.com/Azure/sap-hana/issues/135")
def a_security_rule_says_from_where_to_where(cloud: Cloud, new: Resource) -> AzureError | None:
    for end, one, several in FORMS:
        if not _given(new.inputs, one) and not _given(new.inputs, several):
            groups = f", or {end}ApplicationSecurityGroups" if one.endswith("Prefix") else ""
            return bad_request(
                "SecurityRuleParametersMissing",
                f"Required security rule parameters are missing for security rule with Id: {new.id}. Security rule "
                f"must specify {several}, {one}{groups}.",
            )
    return None


@rule("network:SecurityRule", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/23134")
def a_security_rule_has_one_form_of_each(cloud: Cloud, new: Resource) -> AzureError | None:
    for _, one, several in FORMS:
        if _given(new.inputs, one) and _given(new.inputs, several):
            # that it does is known, by which code is not
            return bad_request(
                "SecurityRuleParametersConflict",
                f"Security rule {new.id} cannot specify both {one} and {several}.",
            )
    return None


@rule(
    "network:NetworkSecurityGroup",
    "network:SecurityRule",
    source="https://github.com/kubernetes-sigs/cloud-provider-azure/issues/2725",
)
def a_group_has_so_many_addresses(cloud: Cloud, new: Resource) -> AzureError | None:
    alone = new.kind.token.endswith(":SecurityRule")
    group = cloud.parent(new) if alone else new
    others = [c.inputs for c in cloud.children(group.id, new.kind.token) if c.key != new.key] if alone else []
    given = [*others, new.inputs] if alone else new.inputs.get("securityRules") or []
    for end in ENDS:
        name = f"{end}AddressPrefixes"
        count = sum(len(_given(inputs, name) or ()) for inputs in given)
        if count > MOST_ADDRESSES:
            return bad_request(
                "SecurityRuleAddressesOrPortsPerSecurityGroupLimitReached",
                f"Network security group {group.id} has {count} {name}. A security group cannot have more than "
                f"{MOST_ADDRESSES} {name} as per the limit MaxSecurityRuleAddressesOrPortsPerSecurityGroup.",
            )
    return None


def _several(rule_: Resource, end: str) -> list[str]:
    return list(rule_.inputs.get(f"{end.lower()}AddressPrefixes") or [])


def _given(security_rule: Any, name: str) -> Any:
    """What a rule has by a name that messages write with a capital."""
    return security_rule.get(name[0].lower() + name[1:])


def _order(security_rule: Any) -> tuple[Any, Any]:
    return security_rule.get("priority"), security_rule.get("direction")
