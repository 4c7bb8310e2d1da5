"""Payloads about virtual machines and what they are made of that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

import base64
from typing import Any

from tests.azure.programs import KEY, key_line
from tests.azure.samples import COMPUTE

VM = "compute:VirtualMachine"
SSH = "osProfile__linuxConfiguration__ssh"
# https://github.com/Azure/azure-quickstart-templates/issues/680
SSH2_KEY = '---- BEGIN SSH2 PUBLIC KEY ----\nComment: "rsa-key-20151001"\nAAAAB\n---- END SSH2 PUBLIC KEY ----'
MISSING = "https://github.com/Azure/SAP-on-Azure-Scripts-and-Utilities/issues/5"
ATTACHED = {"osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": f"{COMPUTE}/disks/spare"}}}
IMAGE = {"publisher": "canonical", "offer": "ubuntuserver", "sku": "14.04.5-LTS", "version": "latest"}


PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "compute:AvailabilitySet",
        {"platformFaultDomainCount": 5},
        "InvalidParameter",
        "The specified fault domain count 5 must fall in the range 1 to 3.",
        "https://learn.microsoft.com/azure/virtual-machines/error-messages",
    ),
    (
        VM,
        {"hardwareProfile__vmSize": ""},
        "InvalidParameter",
        "The value  provided for the VM size is not valid. The valid sizes in the current region are: ",
        "https://github.com/ansible-collections/azure/issues/1243",
    ),
    (
        VM,
        {"osProfile__adminUsername": "root"},
        "InvalidParameter",
        "The Admin Username specified is not allowed.",
        "https://github.com/Azure/azure-cli/issues/1943",
    ),
    (
        VM,
        {"osProfile__adminUsername": "test"},
        "InvalidParameter",
        "The Admin Username specified is not allowed.",
        "https://github.com/microsoft/vscode-azurevirtualmachines/issues/157",
    ),
    (
        VM,
        {"osProfile__customData": "#cloud-config\n"},
        "InvalidParameter",
        "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.",
        "https://github.com/Azure/acs-engine/issues/4149",
    ),
    (
        VM,
        {"osProfile__customData": base64.b64encode(bytes(65536)).decode()},
        "InvalidParameter",
        "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.",
        "https://github.com/Azure/aks-engine/issues/1663",
    ),
    (
        VM,
        {SSH: None},
        "InvalidParameter",
        "Authentication using either SSH or by user name and password must be enabled in Linux profile.",
        "https://github.com/Azure/azure-xplat-cli/issues/2502",
    ),
    (
        VM,
        {SSH: {"publicKeys": [{"path": "/home/datadocker/.ssh/authorized_keys", "keyData": SSH2_KEY}]}},
        "InvalidParameter",
        "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        "https://github.com/Azure/azure-quickstart-templates/issues/680",
    ),
    (
        VM,
        {SSH: {"publicKeys": [{"path": "/home/datadocker/.ssh/authorized_keys", "keyData": KEY.split()[1]}]}},
        "InvalidParameter",
        "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        "https://github.com/microsoft/azure_arc/issues/1526",
    ),
    (
        VM,
        {SSH: {"publicKeys": [{"path": "/root/.ssh/authorized_keys", "keyData": KEY}]}},
        "InvalidParameter",
        "Destination path for Ssh public keys is currently limited to its default value /home/datadocker/.ssh/",
        "https://learn.microsoft.com/azure/virtual-machines/error-messages",
    ),
    *[
        (
            VM,
            change,
            "InvalidParameter",
            "Linux host name cannot exceed 64 characters in length or contain the following characters: ` ~ ! @ # $",
            "https://learn.microsoft.com/azure/virtual-machines/error-messages",
        )
        for change in (
            {"osProfile__computerName": "demo_vm"},
            {"osProfile__computerName": "v" * 65},
            # what is not said is the machine's own name
            {"vmName": "demo_vm", "osProfile__computerName": None},
            {"vmName": "v" * 65, "osProfile__computerName": None},
        )
    ],
    (
        VM,
        {"storageProfile__imageReference": IMAGE},
        "PlatformImageNotFound",
        "The platform image 'canonical:ubuntuserver:14.04.5-LTS:latest' is not available. Verify that",
        "https://github.com/hashicorp/packer/issues/3835",
    ),
    (
        VM,
        {"storageProfile__osDisk__diskSizeGB": 20},
        "OperationNotAllowed",
        "The specified disk size 20 GB is smaller than the size of the corresponding disk in the VM image: 30 GB.",
        "https://learn.microsoft.com/azure/virtual-machines/error-messages",
    ),
    (
        VM,
        {
            "hardwareProfile__vmSize": "Standard_D4_v3",
            "storageProfile__osDisk__managedDisk": {"storageAccountType": "Premium_LRS"},
        },
        "InvalidParameter",
        "Requested operation cannot be performed because the VM size Standard_D4_v3 does not support the storage "
        "account type Premium_LRS of disk 'vm-disk'. Consider updating the VM to a size that supports Premium storage.",
        "https://github.com/kubernetes/kubernetes/issues?q=storageAccountType",
    ),
    (
        VM,
        {"availabilitySet": {"id": f"{COMPUTE}/availabilitySets/set"}, "zones": ["1"]},
        "BadRequest",
        "both Availability Zone and Availability Set were specified.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/2246",
    ),
    (
        VM,
        {"availabilitySet": {"id": f"{COMPUTE}/availabilitySets/gone"}},
        "NotFound",
        "cannot be found.",
        "https://learn.microsoft.com/azure/virtual-machines/error-messages",
    ),
    (
        VM,
        {"zones": ["4"]},
        "InvalidAvailabilityZone",
        "The supported zones for location 'westeurope' are '1,2,3'",
        "https://learn.microsoft.com/azure/reliability/regions-list",
    ),
    (
        "compute:Disk",
        {"location": "westus", "zones": ["1"]},
        "InvalidAvailabilityZone",
        "The zone(s) '1' for resource 'Microsoft.Compute/disks/spare' is not supported. The supported zones for",
        "https://learn.microsoft.com/azure/reliability/regions-list",
    ),
    (
        "compute:VirtualMachineRunCommandByVirtualMachine",
        {"vmName": "gone"},
        "ParentResourceNotFound",
        "Failed to perform 'write' on resource(s) of type 'virtualMachines/runCommands', because the parent resource",
        "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-parent-resource",
    ),
    (
        VM,
        {"vmName": "second", "storageProfile__osDisk__name": "second-disk"},
        "NicInUse",
        f"is used by existing resource {COMPUTE}/virtualMachines/vm.",
        "https://aka.ms/deletenic",
    ),
    (
        VM,
        {"location": "northeurope"},
        "InvalidResourceReference",
        "both resources are in the same region.",
        "https://github.com/Azure/azure-quickstart-templates/issues/5878",
    ),
    *[
        (
            VM,
            {"storageProfile__osDisk__managedDisk": {"storageAccountType": disk}},
            "InvalidParameter",
            "The value of parameter storageProfile.osDisk.managedDisk.storageAccountType is invalid.",
            "https://learn.microsoft.com/azure/virtual-machines/disks-types",
        )
        for disk in ("UltraSSD_LRS", "PremiumV2_LRS")
    ],
    *[
        (VM, {path: None}, "InvalidParameter", f"Required parameter '{name}' is missing (null).", source)
        for path, name, source in (
            ("networkProfile", "networkProfile", MISSING),
            ("storageProfile", "storageProfile", "https://github.com/JeffBow/AzurePowerShell/issues/10"),
            ("storageProfile__imageReference", "imageReference", MISSING),
            ("osProfile", "osProfile", MISSING),
            ("osProfile__adminUsername", "adminUsername", MISSING),
        )
    ],
    (
        VM,
        {"storageProfile": ATTACHED},
        "InvalidParameter",
        "Parameter 'osProfile' is not allowed.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/3247",
    ),
    (
        VM,
        {"storageProfile": {"osDisk": {"createOption": "Attach", "osType": "Linux"}}, "osProfile": None},
        "InvalidParameter",
        "Required parameter 'osDisk.managedDisk.id' is missing (null).",
        "https://github.com/hashicorp/terraform/issues/11147",
    ),
    *[
        (
            VM,
            {SSH: {"publicKeys": [{"path": "/home/datadocker/.ssh/authorized_keys", "keyData": key}]}},
            "InvalidParameter",
            "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
            "https://learn.microsoft.com/azure/virtual-machines/linux/mac-create-ssh-keys",
        )
        for key in (
            key_line(b"ssh-rsa", b"\x01\0\x01", b"\0" + b"\xff" * 128),
            key_line(b"ssh-rsa", b"\x01\0\x01"),
            key_line(b"ssh-ed25519"),
            key_line(b"ssh-ed25519", bytes(31)),
            key_line(b"ssh-ed25519", bytes(32), bytes(1)),
            # longer than it is
            "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\1\0" + bytes(32)).decode(),
        )
    ],
    *[
        (
            VM,
            {"osProfile__adminPassword": password},
            "InvalidParameter",
            "The supplied password must be between 6-72 characters long and must satisfy at least 3 of password "
            "complexity requirements from the following:\r\n1) Contains an uppercase character\r\n2) Contains a "
            "lowercase character\r\n3) Contains a numeric digit\r\n4) Contains a special character\r\n5) Control "
            "characters are not allowed",
            "https://github.com/Azure/sap-hana/issues/1017",
        )
        for password in ("a", "aB1-", "onlylowercase", "lowercase123", "Correct-Horse-1\t", "aB1-" * 18 + "x")
    ],
]
