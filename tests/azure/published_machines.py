"""Payloads about the sizes, interfaces, zones and sets of virtual machines that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

VM, DISK, SET = "compute:VirtualMachine", "compute:Disk", "compute:AvailabilitySet"
IMAGE = "storageProfile__imageReference"
STANDARD, PREMIUM = {"storageAccountType": "Standard_LRS"}, {"storageAccountType": "Premium_LRS"}
GENERATIONS = "https://github.com/microsoft/ga4gh-tes/issues/43"


def cannot_boot(size: str, generation: int) -> str:
    return (
        f"The selected VM size '{size}' cannot boot Hypervisor Generation '{generation}'. If this was a Create "
        "operation please check that the Hypervisor Generation of the Image matches the Hypervisor Generation of the "
        f"selected VM Size. If this was an Update operation please select a Hypervisor Generation '{generation}' VM "
        "Size. For more information, see https://aka.ms/azuregen2vm"
    )


PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    *[
        (
            VM,
            {"hardwareProfile__vmSize": size, "storageProfile__osDisk__managedDisk": STANDARD},
            "BadRequest",
            cannot_boot(size, 2),
            GENERATIONS,
        )
        for size in ("Standard_A2_v2", "Standard_D2_v3")
    ],
    (
        VM,
        {"hardwareProfile__vmSize": "Standard_D2s_v6", f"{IMAGE}__sku": "12"},
        "BadRequest",
        cannot_boot("Standard_D2s_v6", 1),
        "https://github.com/redhat-developer/mapt/issues/489",
    ),
    (
        VM,
        {
            "hardwareProfile__vmSize": "Standard_A1_v2",
            "storageProfile__osDisk__managedDisk": STANDARD,
            IMAGE: {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"},
        },
        "BadRequest",
        cannot_boot("Standard_A1_v2", 2),
        GENERATIONS,
    ),
    (
        SET,
        {"platformUpdateDomainCount": 25},
        "InvalidParameter",
        "The specified update domain count 25 must fall in the range 1 to 20.",
        "https://github.com/MicrosoftDocs/azure-docs/issues/121141",
    ),
    (
        DISK,
        {"zones": ["1", "2"]},
        "ResourceTypeNotSupportMultiZones",
        "The resource type 'disks' does not support multiple availability zones. The provided zones are '1,2'. Please "
        "provide a single availability zone.",
        "https://github.com/ansible/ansible/issues/53788",
    ),
    (
        VM,
        {"zones": ["1", "2"]},
        "ResourceTypeNotSupportMultiZones",
        "The resource type 'virtualMachines' does not support multiple availability zones. The provided zones are",
        "https://github.com/ansible/ansible/issues/53788",
    ),
    (
        "network:NatGateway",
        {"zones": ["9"]},
        "InvalidAvailabilityZone",
        "The zone(s) '9' for resource 'Microsoft.Network/natGateways/nat' is not supported. The supported zones for",
        "https://learn.microsoft.com/azure/reliability/regions-list",
    ),
    *[
        (
            token,
            {path: name},
            "InvalidParameter",
            f"The entity name '{parameter}' is invalid according to its validation rule: "
            "^[^_\\W][\\w-._]{0,79}(?<![-.])$.",
            "https://learn.microsoft.com/azure/virtual-machines/troubleshooting-shared-images",
        )
        for token, path, parameter, name in (
            (SET, "availabilitySetName", "availabilitySetName", "my set?"),
            (DISK, "diskName", "diskName", "_disk-"),
            (DISK, "diskName", "diskName", "d" * 81),
            (VM, "storageProfile__osDisk__name", "osDisk.name", "bad name!"),
            (VM, "vmName", "vmName", "demo-"),
            (VM, "vmName", "vmName", "_demo"),
        )
    ],
    (
        VM,
        {
            "hardwareProfile__vmSize": "Standard_D2_v3",
            "osProfile": None,
            "storageProfile": {"osDisk": {"createOption": "Attach", "managedDisk": PREMIUM}},
        },
        "InvalidParameter",
        "Required parameter 'osDisk.managedDisk.id' is missing (null).",
        "https://github.com/hashicorp/terraform/issues/11147",
    ),
    (
        DISK,
        {"diskSizeGB": None},
        "InvalidParameter",
        "Required parameter 'disk.diskSizeGb' is missing (null).",
        "https://learn.microsoft.com/rest/api/compute/disks/create-or-update",
    ),
]
