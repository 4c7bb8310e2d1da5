"""Payloads that Azure takes: each test spoils one of them."""

from __future__ import annotations

import base64
import copy
from typing import Any

from tests.azure.cloud import Cloud
from tests.azure.kinds import KINDS
from tests.azure.machines import RecordingRoom
from tests.azure.programs import KEY
from tests.azure.resource import Resource

Payload = dict[str, Any]
NETWORK = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/demo/providers/Microsoft.Network"
COMPUTE = NETWORK.replace("Network", "Compute")
PLACE = {"resourceGroupName": "demo", "location": "westeurope"}
SAMPLES: dict[str, Payload] = {
    "resources:ResourceGroup": {"resourceGroupName": "demo", "location": "westeurope"},
    "network:NetworkSecurityGroup": {**PLACE, "networkSecurityGroupName": "security"},
    "network:SecurityRule": {
        "resourceGroupName": "demo",
        "networkSecurityGroupName": "security",
        "securityRuleName": "ssh",
        "priority": 100,
        "direction": "Inbound",
        "access": "Allow",
        "protocol": "Tcp",
        "sourceAddressPrefix": "203.0.113.0/24",
        "sourcePortRange": "*",
        "destinationAddressPrefix": "*",
        "destinationPortRange": "22",
    },
    "network:VirtualNetwork": {
        **PLACE,
        "virtualNetworkName": "net",
        "addressSpace": {"addressPrefixes": ["10.1.0.0/16"]},
    },
    "network:Subnet": {
        "resourceGroupName": "demo",
        "virtualNetworkName": "net",
        "subnetName": "hosts",
        "addressPrefix": "10.1.0.0/24",
        "networkSecurityGroup": {"id": f"{NETWORK}/networkSecurityGroups/security"},
        "serviceEndpoints": [{"service": "Microsoft.Storage"}],
    },
    "network:PublicIPAddress": {
        **PLACE,
        "publicIpAddressName": "address",
        "sku": {"name": "Standard"},
        "publicIPAllocationMethod": "Static",
        "dnsSettings": {"domainNameLabel": "demo-host"},
    },
    "network:NatGateway": {**PLACE, "natGatewayName": "nat", "sku": {"name": "Standard"}},
    "network:NetworkInterface": {
        **PLACE,
        "networkInterfaceName": "nic",
        "ipConfigurations": [
            {
                "name": "main",
                "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"},
                "publicIPAddress": {"id": f"{NETWORK}/publicIPAddresses/address"},
            }
        ],
    },
    "compute:AvailabilitySet": {**PLACE, "availabilitySetName": "set", "sku": {"name": "Aligned"}},
    "compute:Disk": {
        **PLACE,
        "diskName": "spare",
        "creationData": {"createOption": "Empty"},
        "diskSizeGB": 32,
        "sku": {"name": "StandardSSD_LRS"},
    },
    "compute:VirtualMachine": {
        **PLACE,
        "vmName": "vm",
        "hardwareProfile": {"vmSize": "Standard_B2s_v2"},
        "networkProfile": {"networkInterfaces": [{"id": f"{NETWORK}/networkInterfaces/nic", "primary": True}]},
        "osProfile": {
            "computerName": "vm",
            "adminUsername": "datadocker",
            "customData": base64.b64encode(b"#cloud-config\n").decode(),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [{"path": "/home/datadocker/.ssh/authorized_keys", "keyData": KEY}]},
            },
        },
        "storageProfile": {
            "imageReference": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"},
            "osDisk": {
                "name": "vm-disk",
                "createOption": "FromImage",
                "diskSizeGB": 32,
                "managedDisk": {"storageAccountType": "StandardSSD_LRS"},
            },
        },
    },
    "compute:VirtualMachineRunCommandByVirtualMachine": {
        **PLACE,
        "vmName": "vm",
        "runCommandName": "ready",
        "source": {"script": "cloud-init status --wait"},
        "treatFailureAsDeploymentFailure": True,
    },
    "storage:StorageAccount": {
        **PLACE,
        "accountName": "demodata1",
        "kind": "StorageV2",
        "sku": {"name": "Standard_LRS"},
        "networkRuleSet": {
            "defaultAction": "Deny",
            "virtualNetworkRules": [{"virtualNetworkResourceId": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}],
        },
    },
    "storage:FileServiceProperties": {
        "resourceGroupName": "demo",
        "accountName": "demodata1",
        "fileServicesName": "default",
        "shareDeleteRetentionPolicy": {"enabled": True, "days": 14},
    },
    "storage:FileShare": {
        "resourceGroupName": "demo",
        "accountName": "demodata1",
        "shareName": "logs",
        "shareQuota": 100,
    },
}


def payload(token: str, **change: Any) -> Payload:
    """Returns a sample with properties changed; `__` in a name goes down, and None takes a property away."""
    changed = copy.deepcopy(SAMPLES[token])
    for name, value in change.items():
        *way, last = name.split("__")
        holder = changed
        for step in way:
            holder = holder.setdefault(step, {})
        if value is None:
            holder.pop(last, None)
        else:
            holder[last] = value
    return changed


def put(cloud: Cloud, token: str, **change: Any) -> Resource:
    """Creates or changes a sample."""
    return cloud.put(KINDS[f"azure-native:{token}"], payload(token, **change))


def furnish(cloud: Cloud, before: str | None = None) -> None:
    """Creates all samples, or those that come before one."""
    for token in SAMPLES:
        if token == before:
            return
        put(cloud, token)


def room(cloud: Cloud) -> RecordingRoom:
    """Returns what a cloud's machines would have done, where none is started."""
    assert isinstance(cloud.machines, RecordingRoom)
    return cloud.machines
