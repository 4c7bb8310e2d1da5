"""The disk that a virtual machine boots from: made with it, or there before it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tests.azure.compute_rules import platform_image
from tests.azure.kinds import KINDS
from tests.azure.resource import Resource
from tests.azure.sizes import IMAGES
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

DISK = KINDS["azure-native:compute:Disk"]


def attach(cloud: Cloud, machine: Resource, now: str) -> None:
    """Gives a machine its disk, made `now` if it is not there, and takes away the one that it had."""
    resource_id = cloud.os_disk_id(machine)
    disk = cloud.lookup(resource_id)
    if disk is None:
        disk = Resource(
            DISK, resource_id, _inputs(cloud, machine), {"timeCreated": now, "resourceGuid": str(uuid.uuid4())}
        )
        cloud.resources[disk.key] = disk
    for other in cloud.of_type(DISK.token):
        if other.facts.get("managedBy", "").lower() == machine.key:
            del other.facts["managedBy"]
    disk.facts["managedBy"] = machine.id
    # the disk says it from now on, so that a later change compares with nothing else
    asked = one(machine.inputs, "storageProfile.osDisk", {})
    asked.pop("diskSizeGB", None)
    asked.get("managedDisk", {}).pop("storageAccountType", None)


def _inputs(cloud: Cloud, machine: Resource) -> dict[str, Any]:
    asked = one(machine.inputs, "storageProfile.osDisk", {})
    found = {
        "resourceGroupName": machine.group,
        "diskName": cloud.os_disk_name(machine),
        "location": machine.inputs["location"],
        "zones": machine.inputs.get("zones"),
        "creationData": {"createOption": "FromImage"},
        # of an image of somebody's own it is not known
        "diskSizeGB": asked.get("diskSizeGB") or IMAGES.get(platform_image(machine)),
        "sku": {"name": one(asked, "managedDisk.storageAccountType", "Standard_LRS")},
    }
    return {name: value for name, value in found.items() if value is not None}
