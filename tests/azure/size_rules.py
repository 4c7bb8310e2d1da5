"""Rules of the sizes of virtual machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.compute_rules import platform_image
from tests.azure.errors import AzureError, bad_request, conflict, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import IMAGES, SIZES, generation
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


@rule("compute:VirtualMachine", source="https://github.com/ansible-collections/azure/issues/1243")
def a_size_is_one_of_the_regions(cloud: Cloud, new: Resource) -> AzureError | None:
    size = one(new.inputs, "hardwareProfile.vmSize", "")
    if size not in SIZES:
        return invalid_parameter(
            f"The value {size} provided for the VM size is not valid. The valid sizes in the current region are: "
            f"{','.join(SIZES)}."
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/Azure/pcs-cli/issues/147")
def a_size_is_available(cloud: Cloud, new: Resource) -> AzureError | None:
    size = one(new.inputs, "hardwareProfile.vmSize", "")
    if (size, new.location) in cloud.faults.sizes_unavailable:
        zones = ",".join(new.inputs.get("zones", []))
        return conflict(
            "SkuNotAvailable",
            f"The requested size for resource '{new.id}' is currently not available in location '{new.location}' "
            f"zones '{zones}' for subscription '{cloud.subscription}'. Please try another size or deploy to a "
            "different location or zones. See https://aka.ms/azureskunotavailable for details.",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/nforgeio/neonKUBE/issues/1671")
def cores_are_within_the_quota(cloud: Cloud, new: Resource) -> AzureError | None:
    others = [o for o in cloud.of_type(new.kind.token) if o.key != new.key and o.location == new.location]
    used = sum(SIZES[one(o.inputs, "hardwareProfile.vmSize")].cores for o in others)
    wanted, limit = SIZES[one(new.inputs, "hardwareProfile.vmSize")].cores, cloud.faults.cores
    if used + wanted > limit:
        return conflict(
            "OperationNotAllowed",
            "Operation could not be completed as it results in exceeding approved Total Regional Cores quota. "
            f"Additional details - Deployment Model: Resource Manager, Location: {new.location}, Current Limit: "
            f"{limit}, Current Usage: {used}, Additional Required: {wanted}, (Minimum) New Limit Required: "
            f"{used + wanted}. Submit a request for Quota increase at https://aka.ms/ProdportalCRP/ by specifying "
            "parameters listed in the 'Details' section for deployment to succeed. Please read more about quota limits "
            "at https://docs.microsoft.com/en-us/azure/azure-supportability/regional-quota-requests",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/kubernetes/kubernetes/issues?q=storageAccountType")
def a_premium_disk_wants_a_size_for_it(cloud: Cloud, new: Resource) -> AzureError | None:
    disk = cloud.lookup(cloud.os_disk_id(new))
    usual = one(disk.inputs, "sku.name", "") if disk else ""
    kind = one(new.inputs, "storageProfile.osDisk.managedDisk.storageAccountType", usual)
    size = one(new.inputs, "hardwareProfile.vmSize")
    if kind.startswith("Premium") and not SIZES[size].premium:
        return invalid_parameter(
            f"Requested operation cannot be performed because the VM size {size} does not support the storage account "
            f"type {kind} of disk '{cloud.os_disk_name(new)}'. Consider updating the VM to a size that supports "
            "Premium storage."
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/microsoft/ga4gh-tes/issues/43")
def a_size_boots_the_images_generation(cloud: Cloud, new: Resource) -> AzureError | None:
    size, image = one(new.inputs, "hardwareProfile.vmSize"), platform_image(new)
    if image in IMAGES and generation(image) not in SIZES[size].generations:
        number = generation(image)
        return bad_request(
            "BadRequest",
            f"The selected VM size '{size}' cannot boot Hypervisor Generation '{number}'. If this was a Create "
            "operation please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of "
            f"the selected VM Size. If this was an Update operation please select a Hypervisor Generation '{number}' "
            "VM Size. For more information, see https://aka.ms/azuregen2vm",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/Azure/azure-cli/issues/12858")
def accelerated_networking_wants_a_size_for_it(cloud: Cloud, new: Resource) -> AzureError | None:
    interfaces = (cloud.lookup(nic) for nic in new.inputs_at("networkProfile.networkInterfaces[].id"))
    return _unaccelerated(new) if any(n and _accelerated(n) for n in interfaces) else None


@rule(
    "network:NetworkInterface",
    source="https://learn.microsoft.com/azure/virtual-network/accelerated-networking-overview",
)
def accelerated_networking_wants_a_machine_that_is_off(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    for machine, _ in cloud.users(new.id) if _accelerated(new) and not (old and _accelerated(old)) else ():
        return _unaccelerated(machine) or conflict(
            "OperationNotAllowed", f"Accelerated networking can't be enabled while {machine.id} is running."
        )
    return None


def _accelerated(interface: Resource) -> bool:
    return bool(interface.inputs.get("enableAcceleratedNetworking"))


def _unaccelerated(machine: Resource) -> AzureError | None:
    size = one(machine.inputs, "hardwareProfile.vmSize")
    if SIZES[size].accelerated:
        return None
    good = ", ".join(name for name, s in SIZES.items() if s.accelerated)
    return bad_request(
        "VMSizeIsNotPermittedToEnableAcceleratedNetworking",
        f"Virtual machine {machine.id} has size {size}, which is not compatible with enabling accelerated networking "
        f"on network interface(s) on the VM. Compatible VM sizes: {good}.",
    )
