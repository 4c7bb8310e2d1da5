"""Rules of availability zones, and of the sets that exclude them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, bad_request, conflict, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import ZONED
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


# how many there are, and how many there may be
DOMAINS = {"Fault": (2, 3), "Update": (5, 20)}


@rule(
    "compute:AvailabilitySet",
    # of update domains: https://github.com/MicrosoftDocs/azure-docs/issues/121141
    source="https://learn.microsoft.com/azure/virtual-machines/error-messages",
)
def domains_are_few(cloud: Cloud, new: Resource) -> AzureError | None:
    for which, (usual, most) in DOMAINS.items():
        count = one(new.inputs, f"platform{which}DomainCount", usual)
        if not 1 <= count <= most:
            return invalid_parameter(
                f"The specified {which.lower()} domain count {count} must fall in the range 1 to {most}."
            )
    return None


@rule(
    "compute:AvailabilitySet",
    # of update domains: https://github.com/MicrosoftDocs/azure-docs/issues/97503
    source="https://github.com/hashicorp/terraform/issues/10544",
)
def a_set_keeps_its_domains(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    for which, (usual, _) in DOMAINS.items() if old else ():
        name = f"platform{which}DomainCount"
        if old and one(new.inputs, name, usual) != one(old.inputs, name, usual):
            return conflict("PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/2246")
def a_zone_excludes_an_availability_set(cloud: Cloud, new: Resource) -> AzureError | None:
    if new.inputs.get("zones") and one(new.inputs, "availabilitySet.id"):
        return bad_request(
            "BadRequest",
            "Virtual Machine cannot be created because both Availability Zone and Availability Set were specified. "
            "Deploying an Availability Set to an Availability Zone isn't supported.",
        )
    return None


@rule(
    "compute:VirtualMachine",
    "compute:Disk",
    "network:NatGateway",
    "network:PublicIPAddress",
    source="https://learn.microsoft.com/azure/reliability/regions-list",
)
def zones_are_the_regions(cloud: Cloud, new: Resource) -> AzureError | None:
    zones = new.inputs.get("zones", [])
    if zones and (new.location not in ZONED or not set(zones) <= {"1", "2", "3"}):
        supported = "1,2,3" if new.location in ZONED else ""
        return bad_request(
            "InvalidAvailabilityZone",
            f"The zone(s) '{','.join(zones)}' for resource '{new.kind.azure_type}/{new.name}' is not supported. The "
            f"supported zones for location '{new.location}' are '{supported}'",
        )
    return None


@rule("compute:VirtualMachine", "compute:Disk", source="https://github.com/ansible/ansible/issues/53788")
def a_machine_is_in_one_zone(cloud: Cloud, new: Resource) -> AzureError | None:
    zones = new.inputs.get("zones", [])
    if len(zones) > 1:
        return bad_request(
            "ResourceTypeNotSupportMultiZones",
            f"The resource type '{new.kind.azure_type.split('/')[1]}' does not support multiple availability zones. "
            f"The provided zones are '{','.join(zones)}'. Please provide a single availability zone.",
        )
    return None


@rule(
    "compute:Disk",
    "network:NatGateway",
    "network:PublicIPAddress",
    # and https://github.com/Azure/azure-cli/issues/16653
    source="https://github.com/Azure/AzOps/issues/701",
)
def a_zone_is_for_good(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    before, after = (sorted(r.inputs.get("zones", [])) for r in (old or new, new))
    if before != after:
        had, asked = (", ".join(zones) or "NoZone" for zones in (before, after))
        return bad_request(
            "ResourceAvailabilityZonesCannotBeModified",
            f"Resource {new.id} has an existing availability zone constraint {had} and the request has availability "
            f"zone constraint {asked}, which do not match. Zones cannot be added/updated/removed once the resource is "
            "created. The resource cannot be updated from regional to zonal or vice-versa.",
        )
    return None


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def managed_disks_want_a_managed_availability_set(cloud: Cloud, new: Resource) -> AzureError | None:
    group = one(new.inputs, "availabilitySet.id")
    found = group and cloud.lookup(group)
    if group and not found:
        return AzureError(404, "NotFound", f"The Availability Set {group} cannot be found.")
    if found and one(found.inputs, "sku.name") != "Aligned":
        return bad_request(
            "BadRequest",
            "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based "
            "disks to managed Availability Set is not supported. Please create an Availability Set with 'managed' "
            "property set in order to add a VM with managed disks to it.",
        )
    return None
