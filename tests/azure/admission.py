"""Whether Azure lets a resource be: what it looks at, in its order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.azure import rulebook
from tests.azure.errors import conflict, group_not_found, parent_not_found, reference_not_found
from tests.azure.kinds import KINDS
from tests.azure.refusals import value_refusals
from tests.azure.resource import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

GROUP = "azure-native:resources:ResourceGroup"


def admit(cloud: Cloud, new: Resource, old: Resource | None) -> None:
    """Lets a resource be, or one that exists become another.

    Raises:
        AzureError: if Azure refuses.
    """
    group = KINDS[GROUP].id(cloud.subscription, {"resourceGroupName": new.group})
    if new.kind.token != GROUP and not cloud.lookup(group):
        raise group_not_found(new.group)
    parent = new.kind.parent_id(cloud.subscription, new.inputs)
    if parent and not cloud.lookup(parent):
        raise parent_not_found(new.kind.azure_type, parent)
    for error in value_refusals(new):
        raise error
    if old and new.kind.located and old.location != new.location:
        raise conflict(
            "InvalidResourceLocation",
            f"The resource '{new.name}' already exists in location '{old.location}' in resource group "
            f"'{new.group}'. A resource with the same name cannot be created in location '{new.location}'. Please "
            "select a new resource name.",
        )
    _admit_relations(cloud, new)


def _admit_relations(cloud: Cloud, new: Resource) -> None:
    for _, reference in new.references():
        other = cloud.lookup(reference)
        places = {cloud.place(resource) for resource in (new, other) if resource} - {""}
        # an account's firewall takes subnets of other regions
        strangers = len(places) > 1 and not new.kind.azure_type.startswith("Microsoft.Storage")
        # an availability set has words of its own, and a user's own image is none of ours
        if (other is None and not re.search("/(availabilitysets|images|userassigned)", reference.lower())) or strangers:
            raise reference_not_found(reference, new.id)
    for error in rulebook.refusals(cloud, new):
        raise error
