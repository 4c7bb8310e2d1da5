"""Changes of what exists that Azure does not make."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest

from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.programs import KEY
from tests.azure.samples import COMPUTE, NETWORK, SAMPLES, put

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
    (
        VM,
        {
            "hardwareProfile__vmSize": "Standard_A2_v2",
        },
        "BadRequest",
        "The selected VM size 'Standard_A2_v2' cannot boot Hypervisor Generation '2'.",
    ),
    (
        VM,
        {"osProfile__adminPassword": "Correct-Horse-1"},
        "PropertyChangeNotAllowed",
        "Changing property 'osProfile.adminPassword' is not allowed.",
    ),
    (
        VM,
        {"storageProfile__osDisk__managedDisk": {"storageAccountType": "Premium_LRS"}},
        "OperationNotAllowed",
        "Managed disk storage account type change through Virtual Machine 'vm' is not allowed. Please update disk "
        f"resource at {COMPUTE}/disks/vm-disk.",
    ),
    *[
        (
            token,
            {"zones": ["1"]},
            "ResourceAvailabilityZonesCannotBeModified",
            "has an existing availability zone constraint NoZone and the request has availability zone constraint 1, "
            "which do not match. Zones cannot be added/updated/removed once the resource is created. The resource "
            "cannot be updated from regional to zonal or vice-versa.",
        )
        for token in ("network:PublicIPAddress", "network:NatGateway", "compute:Disk")
    ],
    *[
        (
            "compute:AvailabilitySet",
            {f"platform{which}DomainCount": 1},
            "PropertyChangeNotAllowed",
            f"Changing property 'platform{which}DomainCount' is not allowed.",
        )
        for which in ("Fault", "Update")
    ],
    (
        "compute:Disk",
        {"diskSizeGB": 16},
        "ResizeDiskError",
        f"The disk/snapshot resource with id {COMPUTE}/disks/spare cannot be resized down. Reducing disk/snapshot size "
        "is not supported in Azure to prevent data loss.",
    ),
    (
        "compute:Disk",
        {"diskName": "vm-disk", "diskSizeGB": 16},
        "ResizeDiskError",
        f"The disk/snapshot resource with id {COMPUTE}/disks/vm-disk cannot be resized down.",
    ),
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
    # the sample itself, among others of its type
    changed = cloud.of_type(token)[0].id
    before = cloud.get(changed)
    with pytest.raises(AzureError) as caught:
        put(cloud, token, **change)
    assert caught.value.code == code
    assert message in caught.value.message
    assert cloud.get(changed) == before


@pytest.mark.parametrize("zones", [None, ["2"], ["1", "2", "3"]])
def test_a_zone_is_for_good(cloud: Cloud, zones: list[str] | None) -> None:
    zonal = {"publicIpAddressName": "zonal", "dnsSettings": None}
    put(cloud, "network:PublicIPAddress", **zonal, zones=["1"])
    put(cloud, "network:PublicIPAddress", **zonal, zones=["1"], tags={"team": "data"})
    with pytest.raises(AzureError, match="has an existing availability zone constraint 1 and the request has"):
        put(cloud, "network:PublicIPAddress", **zonal, zones=zones)


def test_an_interface_that_finds_no_address_is_not_made(cloud: Cloud) -> None:
    # of its eight addresses Azure keeps five
    subnet = {"id": put(cloud, "network:Subnet", subnetName="small", addressPrefix="10.1.7.0/29").id}
    configurations = [{"name": f"c{i}", "subnet": subnet, "primary": i == 0} for i in range(4)]
    put(cloud, CARD, networkInterfaceName="second", ipConfigurations=configurations[:2])
    before = {key: copy.deepcopy(resource.to_json()) for key, resource in cloud.resources.items()}
    for name, asked in (("second", configurations), ("third", configurations[:2])):
        with pytest.raises(AzureError, match="does not have enough capacity for 1 IP addresses"):
            put(cloud, CARD, networkInterfaceName=name, ipConfigurations=asked)
        assert {key: resource.to_json() for key, resource in cloud.resources.items()} == before


def test_a_machine_that_runs_keeps_its_one_interface(cloud: Cloud) -> None:
    interfaces = interfaces_of(cloud)
    with pytest.raises(
        AzureError, match="with a single network interface must be stop-deallocated before it"
    ) as caught:
        put(cloud, VM, networkProfile={"networkInterfaces": interfaces})
    assert caught.value.code == "AddingOrDeletingNetworkInterfacesOnARunningVirtualMachineNotSupported"
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, VM, networkProfile={"networkInterfaces": interfaces}, storageProfile__osDisk__name="b")
    assert [cloud.get(card["id"])["primary"] for card in interfaces] == [True, False]
    with pytest.raises(AzureError, match="and vice-versa"):
        put(cloud, VM, storageProfile__osDisk__name="b")


@pytest.mark.parametrize("primary", [False, True])
def test_one_of_a_machines_interfaces_is_the_primary(cloud: Cloud, primary: bool) -> None:
    interfaces = [{**card, "primary": primary} for card in interfaces_of(cloud)]
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    with pytest.raises(AzureError, match="must have Primary property set") as caught:
        put(cloud, VM, networkProfile={"networkInterfaces": interfaces}, storageProfile__osDisk__name="b")
    assert caught.value.code == "NetworkInterfaceMustHavePrimaryPropertySet"


def interfaces_of(cloud: Cloud) -> list[dict[str, Any]]:
    """Returns the sample's interface as the primary one, and another one."""
    configuration = {"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}}
    second = put(cloud, CARD, networkInterfaceName="second", ipConfigurations=[configuration]).id
    return [{"id": f"{NETWORK}/networkInterfaces/nic", "primary": True}, {"id": second, "primary": False}]
