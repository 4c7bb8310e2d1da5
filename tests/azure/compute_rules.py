"""Rules of virtual machines and what they are made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, bad_request, conflict, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import IMAGES, SIZES, ZONED
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


@rule("compute:VirtualMachine", source="https://github.com/Azure/azure-xplat-cli/issues/2502")
def somebody_can_log_in(cloud: Cloud, new: Resource) -> AzureError | None:
    profile = new.inputs.get("osProfile", {})
    key = one(profile, "linuxConfiguration.ssh.publicKeys[].keyData")
    without_password = one(profile, "linuxConfiguration.disablePasswordAuthentication", False)
    if not key and (without_password or not profile.get("adminPassword")):
        return invalid_parameter(
            "Authentication using either SSH or by user name and password must be enabled in Linux profile."
        )
    return None


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def keys_are_the_administrators(cloud: Cloud, new: Resource) -> AzureError | None:
    path = one(new.inputs, "osProfile.linuxConfiguration.ssh.publicKeys[].path")
    default = f"/home/{one(new.inputs, 'osProfile.adminUsername')}/.ssh/authorized_keys"
    if path not in (None, default):
        return invalid_parameter(
            f"Destination path for Ssh public keys is currently limited to its default value {default}  due to a known "
            "issue in Linux provisioning agent."
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/packer/issues/10600")
def an_image_exists(cloud: Cloud, new: Resource) -> AzureError | None:
    image = one(new.inputs, "storageProfile.imageReference")
    if not image or image.get("id"):
        return None
    publisher, offer, sku, version = (image.get(k, "") for k in ("publisher", "offer", "sku", "version"))
    known = f"{publisher}:{offer}:{sku}".lower() in IMAGES and re.fullmatch(r"latest|\d+\.\d+\.\d+", version)
    if not known:
        return AzureError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the "
            "storage profile are correct. For more details about storage profile information, please refer to "
            "https://aka.ms/storageprofile",
        )
    return None


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def a_disk_is_as_big_as_its_image(cloud: Cloud, new: Resource) -> AzureError | None:
    size = one(new.inputs, "storageProfile.osDisk.diskSizeGB")
    image = one(new.inputs, "storageProfile.imageReference", {})
    needed = IMAGES.get(":".join(str(image.get(k)) for k in ("publisher", "offer", "sku")).lower(), 0)
    if size is not None and size < needed:
        return conflict(
            "OperationNotAllowed",
            f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
            f"{needed} GB. This is not allowed. Please choose equal or greater size or do not specify an "
            "explicit size.",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/kubernetes/kubernetes/issues?q=storageAccountType")
def a_premium_disk_wants_a_size_for_it(cloud: Cloud, new: Resource) -> AzureError | None:
    kind = one(new.inputs, "storageProfile.osDisk.managedDisk.storageAccountType", "")
    size = one(new.inputs, "hardwareProfile.vmSize")
    if kind.startswith("Premium") and not SIZES[size].premium:
        return invalid_parameter(
            f"Requested operation cannot be performed because the VM size {size} does not support the storage account "
            f"type {kind} of disk '{cloud.os_disk_name(new)}'. Consider updating the VM to a size that supports "
            "Premium storage."
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


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform-provider-azurerm/issues?q=Attach")
def a_disk_is_made_once(cloud: Cloud, new: Resource) -> AzureError | None:
    name = one(new.inputs, "storageProfile.osDisk.name")
    disk = name and cloud.lookup(cloud.disk_id(new, name))
    made = one(new.inputs, "storageProfile.osDisk.createOption") == "FromImage"
    if disk and made and disk.facts.get("managedBy", "").lower() != new.key:
        return conflict(
            "ConflictingUserInput",
            f"Disk {name} already exists in resource group {new.group.upper()}. Only CreateOption.Attach is supported.",
        )
    return None


@rule("compute:VirtualMachine", source="https://aka.ms/deletenic")
def an_interface_has_one_machine(cloud: Cloud, new: Resource) -> AzureError | None:
    for interface in new.inputs_at("networkProfile.networkInterfaces[].id"):
        for user, _ in cloud.users(interface):
            if user.key != new.key:
                return bad_request("NicInUse", f"Network Interface {interface} is used by existing resource {user.id}.")
    return None


# path, and what Azure calls it
IMMUTABLE = {
    "osProfile.customData": "osProfile.customData",
    "osProfile.adminUsername": "osProfile.adminUsername",
    "osProfile.computerName": "osProfile.computerName",
    "osProfile.linuxConfiguration.disablePasswordAuthentication": "linuxConfiguration.disablePasswordAuthentication",
    "osProfile.linuxConfiguration.ssh.publicKeys": "linuxConfiguration.ssh.publicKeys",
    "storageProfile.imageReference": "imageReference",
    "storageProfile.osDisk.createOption": "osDisk.createOption",
    "storageProfile.osDisk.name": "osDisk.name",
    "availabilitySet.id": "availabilitySet.id",
    "zones": "zones",
}


@rule("compute:VirtualMachine", source="https://github.com/Azure/azure-powershell/issues/7621")
def what_a_machine_was_made_with_stays(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    for path, name in IMMUTABLE.items() if old else ():
        assert old
        wanted, had = one(new.inputs, path), one(old.inputs, path)
        # what is left out stays as it is
        if wanted is not None and wanted != had:
            return conflict("PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.")
    return None


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def a_disk_grows_only_while_nobody_uses_it(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    path = "storageProfile.osDisk.diskSizeGB"
    wanted = one(new.inputs, path)
    if old and wanted is not None and wanted != one(old.inputs, path, wanted):
        return conflict("Conflict", "Disk resizing is allowed only when creating a VM or when the VM is deallocated.")
    return None
