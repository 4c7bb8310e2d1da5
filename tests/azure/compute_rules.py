"""Rules of virtual machines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, conflict, invalid_parameter
from tests.azure.rules import rule
from tests.azure.sizes import IMAGES
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


# of a machine that is made of an image
NEEDED = (
    "networkProfile",
    "storageProfile",
    "storageProfile.imageReference",
    "osProfile",
    "osProfile.adminUsername",
)


@rule("compute:VirtualMachine", source="https://github.com/Azure/SAP-on-Azure-Scripts-and-Utilities/issues/5")
def a_machine_has_its_profiles(cloud: Cloud, new: Resource) -> AzureError | None:
    for path in NEEDED if made_as(new) == "FromImage" else NEEDED[:2]:
        if not one(new.inputs, path):
            return invalid_parameter(f"Required parameter '{path.split('.')[-1]}' is missing (null).")
    return None


# path, and what Azure calls it
IMMUTABLE = {
    "osProfile.customData": "osProfile.customData",
    "osProfile.adminPassword": "osProfile.adminPassword",
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


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform/issues/11147")
def a_disk_that_is_attached_is_named(cloud: Cloud, new: Resource) -> AzureError | None:
    if made_as(new) == "Attach" and not one(new.inputs, "storageProfile.osDisk.managedDisk.id"):
        # that it does is known, in which words is not
        return invalid_parameter("Required parameter 'osDisk.managedDisk.id' is missing (null).")
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/3247")
def a_disk_that_is_attached_has_its_logins(cloud: Cloud, new: Resource) -> AzureError | None:
    if made_as(new) == "Attach" and new.inputs.get("osProfile"):
        return invalid_parameter("Parameter 'osProfile' is not allowed.")
    return None


@rule("compute:VirtualMachine", source="https://github.com/Azure/azure-xplat-cli/issues/2502")
def somebody_can_log_in(cloud: Cloud, new: Resource) -> AzureError | None:
    profile = new.inputs.get("osProfile", {})
    if made_as(new) == "Attach":
        return None
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


HOST_NAME_FORBIDS = "` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?."
HOST_NAME = "[^~!@#$%^&*()=+_\\[\\]{}\\\\|;:'\",<>/?\\s]{1,64}"


@rule("compute:VirtualMachine", source="https://learn.microsoft.com/azure/virtual-machines/error-messages")
def a_machine_has_a_host_name(cloud: Cloud, new: Resource) -> AzureError | None:
    # what is not said is the machine's own name
    name = one(new.inputs, "osProfile.computerName", new.name)
    if made_as(new) == "FromImage" and not re.fullmatch(HOST_NAME, name):
        return invalid_parameter(
            "Linux host name cannot exceed 64 characters in length or contain the following characters: "
            f"{HOST_NAME_FORBIDS}."
        )
    return None


@rule("compute:VirtualMachine", source="https://github.com/hashicorp/packer/issues/10600")
def an_image_exists(cloud: Cloud, new: Resource) -> AzureError | None:
    image = one(new.inputs, "storageProfile.imageReference")
    if not image or image.get("id"):
        return None
    publisher, offer, sku, version = (image.get(k, "") for k in ("publisher", "offer", "sku", "version"))
    known = platform_image(new) in IMAGES and re.fullmatch(r"latest|\d+\.\d+\.\d+", version)
    if not known:
        return AzureError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the "
            "storage profile are correct. For more details about storage profile information, please refer to "
            "https://aka.ms/storageprofile",
        )
    return None


def made_as(machine: Resource) -> str:
    """Returns how its disk comes to be."""
    return str(one(machine.inputs, "storageProfile.osDisk.createOption", "FromImage"))


def platform_image(machine: Resource) -> str:
    """Returns publisher:offer:sku of its image, as `IMAGES` has them."""
    image = one(machine.inputs, "storageProfile.imageReference", {})
    return ":".join(str(image.get(part, "")) for part in ("publisher", "offer", "sku")).lower()
