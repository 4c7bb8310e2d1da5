"""What the stand-in's cloud lets happen to what exists: deletions, addresses, names, regions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.azure import schema
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.kinds import KINDS
from tests.azure.rules import RULES
from tests.azure.samples import COMPUTE, NETWORK, SAMPLES, furnish, put, room
from tests.azure.shares import RecordingShares

VM = "compute:VirtualMachine"
CARD = "network:NetworkInterface"
COMMAND = "compute:VirtualMachineRunCommandByVirtualMachine"
ACCOUNT = "storage:StorageAccount"
GROUP = NETWORK.split("/providers/")[0]


@pytest.mark.parametrize(
    ("size", "code"),
    [("Standard_B2s", "VMSizeIsNotPermittedToEnableAcceleratedNetworking"), ("Standard_D2s_v5", "OperationNotAllowed")],
)
def test_accelerated_networking_is_refused_while_a_machine_runs(cloud: Cloud, size: str, code: str) -> None:
    put(cloud, VM, hardwareProfile__vmSize=size)
    with pytest.raises(AzureError) as caught:
        put(cloud, CARD, enableAcceleratedNetworking=True)
    assert caught.value.code == code
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, CARD, enableAcceleratedNetworking=True)
    put(cloud, VM, hardwareProfile__vmSize="Standard_D2s_v5", storageProfile__osDisk__name="second")
    # what it has it keeps, and may lose
    put(cloud, CARD, enableAcceleratedNetworking=True, tags={"team": "data"})
    put(cloud, CARD, enableAcceleratedNetworking=False)


# what one tries to delete, the code, words of the message
KEPT = [
    (
        f"{NETWORK}/virtualNetworks/net/subnets/hosts",
        "InUseSubnetCannotBeDeleted",
        f"Subnet hosts is in use by {NETWORK}/networkInterfaces/nic/ipConfigurations/main and cannot be deleted. In",
    ),
    (f"{NETWORK}/virtualNetworks/net", "InUseSubnetCannotBeDeleted", "Subnet hosts is in use by"),
    (
        f"{NETWORK}/networkInterfaces/nic",
        "NicInUse",
        f"Network Interface {NETWORK}/networkInterfaces/nic is used by existing resource {COMPUTE}/virtualMachines/vm.",
    ),
    (
        f"{NETWORK}/publicIPAddresses/address",
        "PublicIPAddressCannotBeDeleted",
        "can not be deleted since it is still allocated to resource",
    ),
    (
        f"{NETWORK}/networkSecurityGroups/security",
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "cannot be deleted because it is in use by the following resources:",
    ),
    (f"{COMPUTE}/disks/vm-disk", "OperationNotAllowed", "Disk vm-disk is attached to VM"),
]


@pytest.mark.parametrize(("resource_id", "code", "message"), KEPT)
def test_what_is_in_use_is_not_deleted(cloud: Cloud, resource_id: str, code: str, message: str) -> None:
    with pytest.raises(AzureError) as caught:
        cloud.delete(resource_id)
    assert caught.value.code == code
    assert message in caught.value.message
    assert cloud.lookup(resource_id)


NIC = f"{NETWORK}/networkInterfaces/second"


@pytest.mark.parametrize(
    ("token", "change"),
    [
        ("compute:Disk", {"tags": {"nic": NIC}}),
        (COMMAND, {"parameters": [{"name": "NIC", "value": NIC}]}),
        (COMMAND, {"source__script": NIC}),
    ],
)
def test_a_text_that_looks_like_an_id_uses_nothing(cloud: Cloud, token: str, change: dict[str, Any]) -> None:
    configuration = {"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}}
    card = {"networkInterfaceName": "second", "ipConfigurations": [configuration]}
    put(cloud, CARD, **card)
    put(cloud, token, **change)
    assert "virtualMachine" not in cloud.get(NIC)
    put(cloud, CARD, **card, enableAcceleratedNetworking=True)
    cloud.delete(NIC)


def test_an_availability_set_stays_while_a_machine_is_in_it(cloud: Cloud) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, VM, storageProfile__osDisk__name="second", availabilitySet={"id": f"{COMPUTE}/availabilitySets/set"})
    with pytest.raises(AzureError, match="Before deleting an Availability Set please ensure that it does not contain"):
        cloud.delete(f"{COMPUTE}/availabilitySets/set")


def test_a_gateway_stays_while_a_subnet_uses_it(cloud: Cloud) -> None:
    gateway = {"id": f"{NETWORK}/natGateways/nat"}
    put(cloud, "network:Subnet", natGateway=gateway)
    with pytest.raises(AzureError, match="InUseNatGatewayCannotBeDeleted"):
        cloud.delete(gateway["id"])
    put(cloud, "network:Subnet")
    cloud.delete(gateway["id"])


def test_a_resource_group_takes_what_is_in_it(cloud: Cloud) -> None:
    cloud.delete(GROUP)
    assert not cloud.resources
    assert not room(cloud).orders
    assert isinstance(cloud.shares, RecordingShares)
    assert not cloud.shares.shares


def test_a_resource_group_stays_while_something_outside_uses_what_is_in_it(cloud: Cloud) -> None:
    put(cloud, "resources:ResourceGroup", resourceGroupName="second")
    configuration = {"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}}
    put(cloud, "network:NetworkInterface", resourceGroupName="second", ipConfigurations=[configuration])
    with pytest.raises(AzureError, match="Deletion of resource group 'demo' failed as resources with identifiers"):
        cloud.delete(GROUP)


def test_what_is_not_there_says_which_part_is_missing(cloud: Cloud) -> None:
    account = cloud.only(ACCOUNT).id
    for missing, code in (
        (f"{account}/fileServices/default/shares/gone", "ShareNotFound"),
        (f"{account}2/fileServices/default/shares/gone", "ParentResourceNotFound"),
        (f"{account}2", "ResourceNotFound"),
        (f"{GROUP}2/providers/Microsoft.Storage/storageAccounts/any", "ResourceGroupNotFound"),
    ):
        with pytest.raises(AzureError) as caught:
            cloud.get(missing)
        assert (caught.value.status, caught.value.code) == (404, code)


def test_children_inside_a_network_are_resources_as_well(cloud: Cloud) -> None:
    hosts = {"name": "hosts", "addressPrefix": "10.1.0.0/24"}
    put(cloud, "network:VirtualNetwork", subnets=[hosts, {"name": "more", "addressPrefix": "10.1.1.0/24"}])
    assert cloud.lookup(f"{NETWORK}/virtualNetworks/net/subnets/more")
    for prefix, code in (("10.1.1.0/240", "InvalidAddressPrefixFormat"), ("10.1.1.1/24", "InvalidCIDRNotation")):
        with pytest.raises(AzureError, match=code):
            put(cloud, "network:VirtualNetwork", subnets=[hosts, {"name": "more", "addressPrefix": prefix}])
    # left out of the list it is deleted, and what is in use is not
    put(cloud, "network:VirtualNetwork", subnets=[hosts])
    assert not cloud.lookup(f"{NETWORK}/virtualNetworks/net/subnets/more")
    with pytest.raises(AzureError, match="InUseSubnetCannotBeDeleted"):
        put(cloud, "network:VirtualNetwork", subnets=[])
    # without a list all stay
    put(cloud, "network:VirtualNetwork")
    assert cloud.lookup(f"{NETWORK}/virtualNetworks/net/subnets/hosts")


def test_a_rule_takes_the_place_of_another_one(cloud: Cloud) -> None:
    """What a list of rules leaves out goes, so that it conflicts with nothing."""
    group = "network:NetworkSecurityGroup"
    rule = SAMPLES["network:SecurityRule"]
    put(cloud, group, securityRules=[{**rule, "name": "first"}])
    put(cloud, group, securityRules=[{**rule, "name": "second"}])
    assert [r.name for r in cloud.of_type("network:SecurityRule")] == ["second"]


def test_a_static_address_is_had_and_held(cloud: Cloud) -> None:
    subnet = {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}
    asked = {"privateIPAddress": "10.1.0.9", "privateIPAllocationMethod": "Static"}
    put(cloud, CARD, networkInterfaceName="b", ipConfigurations=[{"name": "main", "subnet": subnet, **asked}])
    put(cloud, CARD, networkInterfaceName="c", ipConfigurations=[{"name": "main", "subnet": subnet}])
    found = [cloud.get(f"{NETWORK}/networkInterfaces/{n}")["ipConfigurations"][0] for n in ("nic", "b", "c")]
    assert [f["privateIPAddress"] for f in found] == ["10.1.0.4", "10.1.0.9", "10.1.0.5"]


def test_configurations_of_one_interface_have_addresses_of_their_own(cloud: Cloud) -> None:
    subnet = {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}
    main, fixed = {"name": "main", "primary": True, "subnet": subnet}, {"name": "fixed", "subnet": subnet}
    fixed |= {"privateIPAddress": "10.1.0.5", "privateIPAllocationMethod": "Static"}

    def addresses(*configurations: dict[str, Any]) -> list[str]:
        made = put(cloud, CARD, networkInterfaceName="second", ipConfigurations=list(configurations))
        return [found["privateIPAddress"] for found in cloud.get(made.id)["ipConfigurations"]]

    assert addresses(main, fixed) == ["10.1.0.6", "10.1.0.5"]
    # whichever comes first, each keeps its own
    assert addresses(fixed, main) == ["10.1.0.5", "10.1.0.6"]
    for other in ("10.1.0.5", "10.1.0.6"):
        with pytest.raises(AzureError, match=f"private IP address {other} which is already allocated to resource"):
            addresses(main, fixed, {**fixed, "name": "more", "privateIPAddress": other})
    # what goes gives its address back
    assert addresses(main) == ["10.1.0.6"]
    assert addresses(main, {"name": "more", "subnet": subnet}) == ["10.1.0.6", "10.1.0.5"]


def test_a_subnet_of_a_pool_has_any_static_address(cloud: Cloud) -> None:
    pool = put(
        cloud,
        "network:Subnet",
        subnetName="pool",
        addressPrefix=None,
        ipamPoolPrefixAllocations=[{"numberOfIpAddresses": "256"}],
    )
    asked = {"privateIPAddress": "10.1.9.9", "privateIPAllocationMethod": "Static"}
    configuration = {"name": "main", "subnet": {"id": pool.id}, **asked}
    made = put(cloud, CARD, networkInterfaceName="second", ipConfigurations=[configuration])
    assert cloud.get(made.id)["ipConfigurations"][0]["privateIPAddress"] == "10.1.9.9"


@pytest.mark.parametrize(
    ("token", "name", "property"),
    [
        ("network:NetworkSecurityGroup", "networkSecurityGroupName", "networkSecurityGroup"),
        ("network:NatGateway", "natGatewayName", "natGateway"),
    ],
)
def test_a_subnet_takes_what_is_in_its_networks_region(cloud: Cloud, token: str, name: str, property: str) -> None:
    far = put(cloud, token, **{name: "far"}, location="northeurope")
    near = put(cloud, token, **{name: "near"})
    put(cloud, "network:Subnet", **{property: {"id": near.id}})
    with pytest.raises(AzureError, match="and that both resources are in the same region") as caught:
        put(cloud, "network:Subnet", **{property: {"id": far.id}})
    assert caught.value.code == "InvalidResourceReference"


@pytest.mark.parametrize("name", ["_net", "net-", "a" * 65, "a b"])
def test_names_that_azure_does_not_take(cloud: Cloud, name: str) -> None:
    with pytest.raises(AzureError, match=r"Resource name .* is invalid\. The name can be up to 80 characters long"):
        put(cloud, "network:VirtualNetwork", virtualNetworkName=name)


def test_the_cloud_goes_on_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "cloud.json"
    first = Cloud(file)
    furnish(first)
    assert file.stat().st_mode & 0o777 == 0o600
    second = Cloud(file)
    assert {k: second.get(k) for k in second.resources} == {k: first.get(k) for k in first.resources}


@pytest.mark.parametrize("token", SAMPLES)
def test_outputs_are_the_sdks(cloud: Cloud, token: str) -> None:
    """Nothing that the class lacks, and nothing of another type than it says."""
    known = schema.outputs(f"azure-native:{token}")
    found = cloud.get(cloud.of_type(token)[0].id)
    assert set(found) <= {*known, "id"}
    for name in set(found) - {"id"}:
        if known[name] in (str, int, bool):
            assert isinstance(found[name], known[name]), name
    assert {"name", "type", "azureApiVersion"} & set(known) <= set(found)


def test_every_rule_is_of_a_type_that_exists() -> None:
    assert set(RULES) <= set(KINDS)


def test_a_machine_without_profiles_and_size_hears_of_its_profiles_first() -> None:
    made = Cloud()
    furnish(made, before=VM)
    with pytest.raises(AzureError, match="Required parameter 'networkProfile' is missing"):
        put(made, VM, networkProfile=None, hardwareProfile=None, zones=["9"])
