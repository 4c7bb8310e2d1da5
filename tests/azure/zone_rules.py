"""Rules of availability zones, and of the sets that exclude them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, bad_request, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import ZONED
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


@rule("compute:AvailabilitySet", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def fault_domains_are_few(cloud: Cloud, new: Resource) -> AzureError | None:
    count = one(new.inputs, "platformFaultDomainCount", 2)
    if not 1 <= count <= 3:
        return invalid_parameter(f"The specified fault domain count {count} must fall in the range 1 to 3.")
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
