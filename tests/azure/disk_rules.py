"""Rules of disks, alone and in virtual machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.compute_rules import made_as, platform_image
from tests.azure.errors import AzureError, bad_request, conflict, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import IMAGES
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def a_disk_is_as_big_as_its_image(cloud: Cloud, new: Resource) -> AzureError | None:
    size = one(new.inputs, "storageProfile.osDisk.diskSizeGB")
    needed = IMAGES.get(platform_image(new), 0)
    if size is not None and size < needed:
        return conflict(
            "OperationNotAllowed",
            f"The specified disk size {size} GB is smaller than the size of the corresponding disk in the VM image: "
            f"{needed} GB. This is not allowed. Please choose equal or greater size or do not specify an "
            "explicit size.",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/kubernetes-sigs/azuredisk-csi-driver/issues/1378")
def a_disk_has_one_machine(cloud: Cloud, new: Resource) -> AzureError | None:
    disk = cloud.lookup(cloud.os_disk_id(new)) if made_as(new) == "Attach" else None
    owner = disk and disk.facts.get("managedBy")
    if disk and owner and owner.lower() != new.key:
        return conflict(
            "ConflictingUserInput",
            f"Cannot attach the disk {disk.name} to VM {new.id} because it is already attached to VM {owner}. A disk "
            "can be attached to only one VM at a time.",
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform-provider-azurerm/issues?q=Attach")
def a_disk_is_made_once(cloud: Cloud, new: Resource) -> AzureError | None:
    name = one(new.inputs, "storageProfile.osDisk.name")
    disk = name and cloud.lookup(cloud.os_disk_id(new))
    if disk and made_as(new) == "FromImage" and disk.facts.get("managedBy", "").lower() != new.key:
        return conflict(
            "ConflictingUserInput",
            f"Disk {name} already exists in resource group {new.group.upper()}. Only CreateOption.Attach is supported.",
        )
    return None


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def a_disk_grows_only_while_nobody_uses_it(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    disk = old and cloud.lookup(cloud.os_disk_id(new))
    wanted = one(new.inputs, "storageProfile.osDisk.diskSizeGB")
    if disk and wanted is not None and wanted != disk.inputs.get("diskSizeGB", wanted):
        return conflict("Conflict", "Disk resizing is allowed only when creating a VM or when the VM is deallocated.")
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/921")
def a_machine_does_not_change_what_its_disk_is(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    disk = old and cloud.lookup(cloud.os_disk_id(new))
    wanted = one(new.inputs, "storageProfile.osDisk.managedDisk.storageAccountType")
    if disk and wanted not in (None, one(disk.inputs, "sku.name")):
        return conflict(
            "OperationNotAllowed",
            f"Managed disk storage account type change through Virtual Machine '{new.name}' is not allowed. Please "
            f"update disk resource at {disk.id}.",
        )
    return None


@rule("compute:Disk", source="https://learn.microsoft.com/rest/api/compute/disks/create-or-update")
def an_empty_disk_has_a_size(cloud: Cloud, new: Resource) -> AzureError | None:
    if one(new.inputs, "creationData.createOption") == "Empty" and "diskSizeGB" not in new.inputs:
        return invalid_parameter("Required parameter 'disk.diskSizeGb' is missing (null).")
    return None


@rule("compute:Disk", source="https://github.com/MicrosoftDocs/azure-docs/pull/57951")
def a_disk_does_not_shrink(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    if old and new.inputs.get("diskSizeGB", 0) < old.inputs.get("diskSizeGB", 0):
        # the words are known, the code is not
        return bad_request(
            "ResizeDiskError",
            f"The disk/snapshot resource with id {new.id} cannot be resized down. Reducing disk/snapshot size is not "
            "supported in Azure to prevent data loss. If you do need to reduce the size of the disk, please create new "
            "snapshot/disks with the appropriate size. More information is available at https://aka.ms/AzureDisksFAQ",
        )
    return None
