"""Limits of single values of virtual machines, and of what they are made of."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.azure.limits import Refused, matches
from tests.azure.public_key import is_public_key

VM_CREATE = "https://learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update"
CUSTOM_DATA = "https://learn.microsoft.com/azure/virtual-machines/custom-data"
SSH_KEY = "https://github.com/Azure/azure-quickstart-templates/issues/680"
DISK_TYPES = "https://learn.microsoft.com/azure/virtual-machines/disks-types"
# names that no Linux image accepts, from the documentation of osProfile.adminUsername
_USERS = """
administrator admin user user1 test user2 test1 user3 admin1 1 123 a actuser adm admin2 aspnet backup console david
guest john owner root server sql support support_388945a0 sys test2 test3 user4 user5
"""
DISALLOWED_USERS = frozenset(_USERS.split())


def is_custom_data(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(value) <= 87380


def is_password(value: Any) -> bool:
    kinds = ("[A-Z]", "[a-z]", "[0-9]", "[^A-Za-z0-9]")
    strong = sum(re.search(kind, value) is not None for kind in kinds) >= 3
    return 6 <= len(value) <= 72 and strong and not re.search(r"[\x00-\x1f\x7f]", value)


def _entity_name(path: str, said: str = "") -> Refused:
    return Refused(
        path,
        "https://learn.microsoft.com/azure/virtual-machines/troubleshooting-shared-images",
        matches(r"[^_\W][\w.-]{0,79}(?<![-.])"),
        "InvalidParameter",
        f"The entity name '{said or path}' is invalid according to its validation rule: "
        "^[^_\\W][\\w-._]{0,79}(?<![-.])$.",
    )


REFUSED: dict[str, list[Refused]] = {
    "azure-native:compute:AvailabilitySet": [_entity_name("availabilitySetName")],
    "azure-native:compute:Disk": [_entity_name("diskName")],
    "azure-native:compute:VirtualMachine": [
        _entity_name("vmName"),
        _entity_name("storageProfile.osDisk.name", "osDisk.name"),
        Refused(
            "osProfile.adminUsername",
            VM_CREATE,
            lambda value: str(value).lower() not in DISALLOWED_USERS and 1 <= len(value) <= 64,
            "InvalidParameter",
            "The Admin Username specified is not allowed.",
        ),
        Refused(
            "storageProfile.osDisk.managedDisk.storageAccountType",
            DISK_TYPES,
            lambda value: value not in ("UltraSSD_LRS", "PremiumV2_LRS"),
            "InvalidParameter",
            "The value of parameter storageProfile.osDisk.managedDisk.storageAccountType is invalid.",
        ),
        Refused(
            "osProfile.adminPassword",
            "https://github.com/Azure/sap-hana/issues/1017",
            is_password,
            "InvalidParameter",
            "The supplied password must be between 6-72 characters long and must satisfy at least 3 of password "
            "complexity requirements from the following:\r\n1) Contains an uppercase character\r\n2) Contains a "
            "lowercase character\r\n3) Contains a numeric digit\r\n4) Contains a special character\r\n5) Control "
            "characters are not allowed",
        ),
        Refused(
            "osProfile.customData",
            CUSTOM_DATA,
            is_custom_data,
            "InvalidParameter",
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.",
        ),
        Refused(
            "osProfile.linuxConfiguration.ssh.publicKeys[].keyData",
            SSH_KEY,
            is_public_key,
            "InvalidParameter",
            "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid.",
        ),
    ],
}
