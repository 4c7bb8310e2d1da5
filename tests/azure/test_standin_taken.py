"""What Azure takes is taken."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.cloud import Cloud
from tests.azure.programs import key_line
from tests.azure.samples import NETWORK, furnish, put, room
from tests.azure.values import one

CARD = "network:NetworkInterface"
COMMAND = "compute:VirtualMachineRunCommandByVirtualMachine"
NET, RULE = "network:VirtualNetwork", "network:SecurityRule"
SECOND, A = {"addressPrefixes": ["10.2.0.0/16"]}, "10.2.0.0/24"
KEYS = "/home/datadocker/.ssh/authorized_keys"
HOSTS = {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}


def second(*configurations: dict[str, Any]) -> dict[str, Any]:
    return {"networkInterfaceName": "second", "ipConfigurations": [{"subnet": HOSTS, **c} for c in configurations]}


# token, and what it is that makes it another one than the sample
TAKEN: list[tuple[str, dict[str, Any]]] = [
    (CARD, second({"name": "main", "primary": True}, {"name": "more"})),
    (CARD, second({"name": "main"}, {"name": "more", "primary": True})),
    (CARD, second({"name": "main", "primary": False})),
    (RULE, {"sourceAddressPrefix": None, "sourceAddressPrefixes": ["203.0.113.5", "203.0.113.9", "fd00::/64"]}),
    (RULE, {"destinationAddressPrefix": None, "destinationAddressPrefixes": ["10.1.0.4", "10.1.1.0/24"]}),
    (NET, {"addressSpace": {"addressPrefixes": ["10.1.0.0/16", "10.2.0.0/16", "fd00::/48"]}}),
    (NET, {"addressSpace": {"addressPrefixes": ["10.1.0.0/24"]}}),
    ("compute:Disk", {"diskSizeGB": 64}),
    ("compute:Disk", {"diskName": "1st.disk_", "creationData": {"createOption": "Empty"}}),
    ("network:PublicIPAddress", {"idleTimeoutInMinutes": 30}),
    ("network:NatGateway", {"idleTimeoutInMinutes": 120}),
    ("resources:ResourceGroup", {"tags": {"team": "data", "of microsoft": "no", "hidden-title": "demo"}}),
    ("compute:Disk", {"tags": {"subnet.id": "hosts", "wiki": f"{NETWORK}/networkInterfaces/gone"}}),
    ("storage:FileShare", {"metadata": {"subnet.id": "hosts"}}),
    (RULE, {"description": f"{NETWORK}/networkInterfaces/gone"}),
    (COMMAND, {"parameters": [{"name": "NIC", "value": f"{NETWORK}/networkInterfaces/gone"}]}),
    ("storage:FileServiceProperties", {"fileServicesName": "Default"}),
    ("compute:AvailabilitySet", {"platformFaultDomainCount": 2, "platformUpdateDomainCount": 5}),
    ("compute:AvailabilitySet", {"availabilitySetName": "other", "platformUpdateDomainCount": 20}),
    ("network:PublicIPAddress", {"publicIpAddressName": "b", "zones": ["1", "2", "3"], "dnsSettings": None}),
    *[
        ("storage:StorageAccount", {"accountName": "other1", "kind": kind, "sku": {"name": sku}, "accessTier": tier})
        for kind, sku, tier in (
            ("StorageV2", "Premium_LRS", None),
            ("StorageV2", "Standard_RAGZRS", None),
            ("Storage", "Standard_RAGRS", None),
            ("BlobStorage", "Standard_GRS", "Cool"),
            ("BlockBlobStorage", "Premium_ZRS", None),
            ("FileStorage", "Premium_ZRS", None),
            ("FileStorage", "PremiumV2_LRS", None),
            ("FileStorage", "StandardV2_GZRS", None),
        )
    ],
]


@pytest.mark.parametrize(("token", "change"), TAKEN)
def test_what_azure_takes_is_taken(cloud: Cloud, token: str, change: dict[str, Any]) -> None:
    put(cloud, token, **change)


# of a new one: most of it can't be changed
MACHINES: list[dict[str, Any]] = [
    {"hardwareProfile__vmSize": "Standard_D2s_v6"},
    {"hardwareProfile__vmSize": "Standard_B2s"},
    {"vmName": "demo_vm"},
    {"vmName": "v" * 64, "osProfile__computerName": None},
    {"vmName": "v" * 80},
    {"storageProfile__osDisk__name": "vm.disk_"},
    *[
        {"osProfile__linuxConfiguration__ssh__publicKeys": [{"path": KEYS, "keyData": key}]}
        for key in (
            key_line(b"ssh-rsa", b"\x01\0\x01", b"\0" + b"\xff" * 256),
            key_line(b"ssh-ed25519", bytes(range(32))),
        )
    ],
    *[{"osProfile__adminPassword": password} for password in ("aB1xyz", "lower-case-1", "aB1-" * 18)],
]


@pytest.mark.parametrize("change", MACHINES)
def test_a_machine_that_azure_makes_is_made(change: dict[str, Any]) -> None:
    cloud = Cloud()
    furnish(cloud, before="compute:VirtualMachine")
    put(cloud, "compute:VirtualMachine", **change)


def test_which_configuration_is_the_primary_is_the_programs_to_say(cloud: Cloud) -> None:
    def primary(*configurations: dict[str, Any]) -> list[bool]:
        made = put(cloud, CARD, **second(*configurations))
        return [found["primary"] for found in cloud.get(made.id)["ipConfigurations"]]

    assert primary({"name": "main"}) == [True]
    assert primary({"name": "main"}, {"name": "more", "primary": True}) == [False, True]
    # a single one is
    cloud.delete(f"{NETWORK}/networkInterfaces/second")
    assert primary({"name": "main", "primary": False}) == [True]


# token, a property, how a program may spell it, and how Azure answers
SPELT = [
    (RULE, "protocol", "TCP", "Tcp"),
    (RULE, "access", "allow", "Allow"),
    ("network:PublicIPAddress", "publicIPAllocationMethod", "static", "Static"),
    ("compute:VirtualMachine", "hardwareProfile__vmSize", "standard_b2s_v2", "Standard_B2s_v2"),
    ("compute:VirtualMachine", "storageProfile__osDisk__createOption", "fromimage", "FromImage"),
    ("storage:StorageAccount", "networkRuleSet__bypass", "Logging, Metrics", "Logging, Metrics"),
    ("storage:StorageAccount", "networkRuleSet__bypass", "Logging,AzureServices", "Logging, AzureServices"),
]


@pytest.mark.parametrize(("token", "name", "given", "kept"), SPELT)
def test_a_value_is_taken_however_it_is_spelt(cloud: Cloud, token: str, name: str, given: str, kept: str) -> None:
    made = put(cloud, token, **{name: given})
    assert one(cloud.get(made.id), name.replace("__", ".")) == kept


def test_a_port_is_open_however_its_rule_is_spelt(cloud: Cloud) -> None:
    put(cloud, RULE, direction="INBOUND", access="allow", protocol="TCP", destinationPortRange="443")
    (order,) = room(cloud).orders.values()
    assert order.ports == {443}
