"""Changes of what exists that Azure does not make."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.programs import KEY
from tests.azure.samples import NETWORK, SAMPLES, put

VM = "compute:VirtualMachine"
CARD = "network:NetworkInterface"
ACCOUNT = "storage:StorageAccount"


# token, what changes, the code, words of the message
CHANGED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        VM,
        {"osProfile__customData": base64.b64encode(b"#!/bin/sh\n").decode()},
        "PropertyChangeNotAllowed",
        "Changing property 'osProfile.customData' is not allowed.",
    ),
    (
        VM,
        {
            "osProfile__linuxConfiguration__ssh__publicKeys": [
                {"path": "/home/datadocker/.ssh/authorized_keys", "keyData": f"{KEY} other"}
            ]
        },
        "PropertyChangeNotAllowed",
        "Changing property 'linuxConfiguration.ssh.publicKeys' is not allowed.",
    ),
    (
        VM,
        {"storageProfile__osDisk__createOption": "Attach"},
        "PropertyChangeNotAllowed",
        "Changing property 'osDisk.createOption' is not allowed.",
    ),
    (VM, {"zones": ["2"]}, "PropertyChangeNotAllowed", "Changing property 'zones' is not allowed."),
    (VM, {"storageProfile__osDisk__diskSizeGB": 64}, "Conflict", "Disk resizing is allowed only when creating a VM or"),
    (
        VM,
        {"location": "northeurope"},
        "InvalidResourceLocation",
        "The resource 'vm' already exists in location 'westeurope' in resource group 'demo'. A resource with the same",
    ),
    (
        "network:Subnet",
        {"addressPrefix": "10.1.5.0/24"},
        "InUsePrefixCannotBeDeleted",
        "IpPrefix 10.1.0.0/24 on Subnet hosts has active allocations and cannot be deleted.",
    ),
    (
        "network:VirtualNetwork",
        {"addressSpace": {"addressPrefixes": ["10.2.0.0/16"]}},
        "NetcfgSubnetRangeOutsideVnet",
        "Subnet 'hosts' is not valid because its IP address range is outside the IP address range of virtual network",
    ),
    (
        "network:VirtualNetwork",
        {
            "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
            "subnets": [{"name": "hosts", "addressPrefix": "10.2.0.0/24"}],
        },
        "NetcfgSubnetRangeOutsideVnet",
        "Subnet 'hosts' is not valid because its IP address range is outside the IP address range of virtual network",
    ),
    (ACCOUNT, {"kind": "FileStorage", "sku": {"name": "Premium_LRS"}}, "InvalidRequestPropertyValue", "property kind."),
    (ACCOUNT, {"sku": {"name": "Standard_ZRS"}}, "StorageAccountTypeConversionNotAllowed", "account type conversion."),
    (
        ACCOUNT,
        {
            "networkRuleSet__virtualNetworkRules": [
                {"virtualNetworkResourceId": f"{NETWORK}/virtualNetworks/net/subnets/b"}
            ]
        },
        "NetworkAclsValidationFailure",
        "SubnetsHaveNoServiceEndpointsConfigured:Subnets b of virtual network",
    ),
    (
        CARD,
        {"ipConfigurations": [SAMPLES[CARD]["ipConfigurations"][0] | {"name": "other"}]},
        "IpConfigDeleteNotSupported",
        "IP Configuration main cannot be deleted. Deletion and renaming of primary IP Configuration is not supported",
    ),
]


@pytest.mark.parametrize(("token", "change", "code", "message"), CHANGED)
def test_a_change_that_azure_does_not_make(
    cloud: Cloud, token: str, change: dict[str, Any], code: str, message: str
) -> None:
    put(cloud, "network:Subnet", subnetName="b", addressPrefix="10.1.7.0/24", serviceEndpoints=None)
    before = cloud.get(cloud.of_type(token)[0].id)
    with pytest.raises(AzureError) as caught:
        put(cloud, token, **change)
    assert caught.value.code == code
    assert message in caught.value.message
    assert cloud.get(cloud.of_type(token)[0].id) == before
