"""Published limits of single values: who publishes them, what they are, and in which words Azure refuses.

`CHECKED` are the ones that azure-native knows from Azure's REST specifications: it refuses before it asks Azure.
`REFUSED` are Azure's own. A path goes down by dots, `[]` goes into each item of an array.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.azure.services import ENDPOINT_SERVICES, is_service_tag

SPECIFICATIONS = "https://github.com/Azure/azure-rest-api-specs"
NAMES = "https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules"
VM_ERRORS = "https://learn.microsoft.com/azure/virtual-machines/error-messages"
VM_CREATE = "https://learn.microsoft.com/rest/api/compute/virtual-machines/create-or-update"
CUSTOM_DATA = "https://learn.microsoft.com/azure/virtual-machines/custom-data"
NSG = "https://learn.microsoft.com/azure/virtual-network/network-security-groups-overview"
NSG_ERRORS = "https://github.com/hashicorp/terraform-provider-azurerm/issues?q=SecurityRule"
ADDRESSES = "https://github.com/Azure/terraform-provider-azapi/issues?q=InvalidAddressPrefixFormat"
PUBLIC_IP = "https://github.com/MicrosoftDocs/azure-docs/issues/42889"
DNS_LABEL = "https://github.com/Azure/azure-quickstart-templates/issues/6520"
ACCOUNT_NAME = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-storage-account-name"
SSH_KEY = "https://github.com/Azure/azure-quickstart-templates/issues/680"
GROUP_REGIONS = "https://github.com/Azure/azure-cli/issues/7602"
DISK_TYPES = "https://learn.microsoft.com/azure/virtual-machines/disks-types"
ENDPOINTS = "https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoints-overview"
ZONES = "https://github.com/kubermatic/kubermatic/issues/6557"


@dataclass(frozen=True)
class Checked:
    """A limit of a string or a number that stands in the specification of a property."""

    path: str
    source: str
    minimum: float | None = None
    maximum: float | None = None
    pattern: str = ""


GROUP_NAME = Checked("resourceGroupName", SPECIFICATIONS, 1, 90)
CHECKED: dict[str, list[Checked]] = {
    "azure-native:resources:ResourceGroup": [
        Checked("resourceGroupName", SPECIFICATIONS, 1, 90, r"^[-\w\._\(\)]+$"),
    ],
    "azure-native:storage:StorageAccount": [GROUP_NAME, Checked("accountName", SPECIFICATIONS, 3, 24)],
    "azure-native:storage:FileShare": [
        GROUP_NAME,
        Checked("accountName", SPECIFICATIONS, 3, 24),
        Checked("shareName", SPECIFICATIONS, 3, 63),
    ],
    "azure-native:storage:FileServiceProperties": [
        GROUP_NAME,
        Checked("accountName", SPECIFICATIONS, 3, 24),
        Checked("shareDeleteRetentionPolicy.days", SPECIFICATIONS, 1, 365),
    ],
}


@dataclass(frozen=True)
class Refused:
    """A limit of Azure's own. `message` may name {value}, {id}, {regions} and {network}."""

    path: str
    source: str
    holds: Callable[[Any], bool]
    code: str
    message: str
    status: int = 400


_REGIONS = """
eastasia southeastasia australiaeast australiasoutheast brazilsouth canadacentral canadaeast switzerlandnorth
germanywestcentral eastus2 eastus centralus northcentralus francecentral uksouth ukwest centralindia southindia
italynorth japaneast japanwest koreacentral koreasouth mexicocentral northeurope norwayeast polandcentral qatarcentral
spaincentral swedencentral uaenorth westcentralus westeurope westus2 westus southcentralus westus3 southafricanorth
australiacentral israelcentral westindia
"""
REGIONS = tuple(_REGIONS.split())
# names that no Linux image accepts, from the documentation of osProfile.adminUsername
_USERS = """
administrator admin user user1 test user2 test1 user3 admin1 1 123 a actuser adm admin2 aspnet backup console david
guest john owner root server sql support support_388945a0 sys test2 test3 user4 user5
"""
DISALLOWED_USERS = frozenset(_USERS.split())
HOST_NAME_FORBIDS = "` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?."
LABEL = r"^[a-z][a-z0-9-]{1,61}[a-z0-9]$"
NETWORK_NAME = r"[A-Za-z0-9]([\w.-]{0,78}\w)?"


def region(name: str) -> str:
    """Returns a region's name as Azure keeps it: "West Europe" is westeurope."""
    return name.replace(" ", "").lower()


def matches(pattern: str) -> Callable[[Any], bool]:
    """Returns whether a string is of a pattern, from its first character to its last."""
    return lambda value: re.fullmatch(pattern, str(value)) is not None


def between(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


def is_cidr(value: Any) -> bool:
    """Whether it is written as a network, such as 10.0.0.0/24; bits of the host may be set."""
    try:
        network(str(value))
    except ValueError:
        return False
    return "/" in str(value)


def network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(value, strict=False)


def starts_a_network(value: Any) -> bool:
    """Whether no bit of the host is set. What is no network at all is another rule's business."""
    return not is_cidr(value) or ipaddress.ip_interface(value).ip == network(value).network_address


def is_source(value: Any) -> bool:
    """Whether a security rule can name it: *, an address, a network, or a service tag."""
    if value == "*" or is_service_tag(str(value)):
        return True
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


def is_port_range(value: Any) -> bool:
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", str(value))
    ends = [int(n) for n in found.groups() if n] if found else []
    return value == "*" or bool(ends and ends[-1] <= 65535 and ends == sorted(ends))


def is_custom_data(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return len(value) <= 87380


def is_public_key(value: Any) -> bool:
    """Whether it is an OpenSSH public key of a type that Azure takes, of one line."""
    found = re.fullmatch(r"(ssh-rsa|ssh-ed25519) ([A-Za-z0-9+/=]+)( .*)?\s*", str(value))
    if not found:
        return False
    try:
        blob = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return False
    return blob[4 : 4 + len(found[1])] == found[1].encode()


def _rule_limits(prefix: str = "") -> list[Refused]:
    """The limits of a security rule, alone or inside its group."""
    address = "Security rule has invalid Address prefix. Value provided: {value}"
    port = (
        "Security rule has invalid Port range. Value provided: {value}. Value should be an integer OR integer range "
        "with '-' delimiter. Valid range 0-65535."
    )
    return [
        Refused(
            f"{prefix}priority",
            NSG,
            between(100, 4096),
            "SecurityRuleInvalidPriority",
            "Security rule has invalid Priority. Value provided: {value} Allowed range 100-4096.",
        ),
        *[
            Refused(
                f"{prefix}{end}AddressPrefix{s}", NSG_ERRORS, is_source, "SecurityRuleInvalidAddressPrefix", address
            )
            for end in ("source", "destination")
            for s in ("", "es[]")
        ],
        *[
            Refused(f"{prefix}{end}PortRange{s}", NSG_ERRORS, is_port_range, "SecurityRuleInvalidPortRange", port)
            for end in ("source", "destination")
            for s in ("", "s[]")
        ],
    ]


def _address_limits(path: str) -> list[Refused]:
    return [
        Refused(
            path,
            ADDRESSES,
            is_cidr,
            "InvalidAddressPrefixFormat",
            "Address prefix {value} of resource {id} is not formatted correctly. It should follow CIDR notation, for "
            "example 10.0.0.0/24.",
        ),
        Refused(
            path,
            ADDRESSES,
            starts_a_network,
            "InvalidCIDRNotation",
            "The address prefix {value} in resource {id} has an invalid CIDR notation. For the given prefix length, "
            "the address prefix should be {network}.",
        ),
    ]


def _resource_name(path: str, pattern: str = NETWORK_NAME) -> Refused:
    return Refused(
        path,
        NAMES,
        matches(pattern),
        "InvalidResourceName",
        "Resource name {value} is invalid. The name can be up to 80 characters long. It must begin with a word "
        "character, and it must end with a word character or with '_'. The name may contain word characters or '.', "
        "'-', '_'.",
    )


VM_NAME = "[^~!@#$%^&*()=+_\\[\\]{}\\\\|;:'\",<>/?\\s]{1,64}"
REFUSED: dict[str, list[Refused]] = {
    "azure-native:resources:ResourceGroup": [
        Refused(
            "resourceGroupName",
            NAMES,
            matches(r"[-\w._()]{0,89}[-\w_()]"),
            "InvalidResourceGroup",
            "The provided resource group name '{value}' has these invalid characters: '.'. The name can only be a "
            "letter, digit, '-', '.', '(', ')' or '_'.",
        ),
        Refused(
            "location",
            GROUP_REGIONS,
            lambda value: region(value) in REGIONS,
            "LocationNotAvailableForResourceGroup",
            "The provided location '{value}' is not available for resource group. List of available regions is "
            "'{regions}'.",
        ),
    ],
    "azure-native:network:VirtualNetwork": [
        _resource_name("virtualNetworkName", r"[A-Za-z0-9][\w.-]{0,62}\w"),
        *_address_limits("addressSpace.addressPrefixes[]"),
        *_address_limits("subnets[].addressPrefix"),
    ],
    "azure-native:network:Subnet": [
        Refused(
            "serviceEndpoints[].service",
            ENDPOINTS,
            lambda value: value in ENDPOINT_SERVICES,
            "InvalidRequestFormat",
            "Cannot parse the request.",
        ),
        _resource_name("subnetName"),
        *_address_limits("addressPrefix"),
        *_address_limits("addressPrefixes[]"),
    ],
    "azure-native:network:NetworkSecurityGroup": [
        _resource_name("networkSecurityGroupName"),
        *_rule_limits("securityRules[]."),
    ],
    "azure-native:network:SecurityRule": [_resource_name("securityRuleName"), *_rule_limits()],
    "azure-native:network:PublicIPAddress": [
        _resource_name("publicIpAddressName"),
        Refused(
            "dnsSettings.domainNameLabel",
            DNS_LABEL,
            matches(LABEL),
            "InvalidDomainNameLabel",
            "The domain name label {value} is invalid. It must conform to the following regular expression: "
            f"{LABEL}.",
        ),
    ],
    "azure-native:network:NetworkInterface": [_resource_name("networkInterfaceName")],
    "azure-native:network:NatGateway": [_resource_name("natGatewayName")],
    "azure-native:compute:VirtualMachine": [
        Refused(
            "vmName",
            NAMES,
            lambda value: matches(VM_NAME)(value) and str(value)[-1] not in ".-",
            "InvalidParameter",
            "Linux host name cannot exceed 64 characters in length or contain the following characters: "
            f"{HOST_NAME_FORBIDS}.",
        ),
        Refused(
            "osProfile.computerName",
            VM_ERRORS,
            matches(VM_NAME),
            "InvalidParameter",
            "Linux host name cannot exceed 64 characters in length or contain the following characters: "
            f"{HOST_NAME_FORBIDS}.",
        ),
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
    "azure-native:storage:StorageAccount": [
        Refused(
            "accountName",
            ACCOUNT_NAME,
            matches(r"[a-z0-9]{3,24}"),
            "AccountNameInvalid",
            "{value} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only.",
        ),
    ],
    "azure-native:storage:FileShare": [
        Refused(
            "shareName",
            "https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-shares--directories--files--and-metadata",
            lambda value: matches(r"[a-z0-9](-?[a-z0-9])*")(value) and 3 <= len(value) <= 63,
            "InvalidResourceName",
            "The specifed resource name contains invalid characters.",
        ),
    ],
}
