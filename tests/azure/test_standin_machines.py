"""What becomes of virtual machines in the stand-in, and of the scripts that run in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import effects
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError, PartialError
from tests.azure.machines import Ran
from tests.azure.programs import KEY
from tests.azure.samples import COMPUTE, NETWORK, put, room

VM = "compute:VirtualMachine"


def test_a_machines_disk_stays_unless_it_says_otherwise(cloud: Cloud) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    assert cloud.lookup(f"{COMPUTE}/disks/vm-disk")
    with pytest.raises(AzureError, match="Disk vm-disk already exists in resource group DEMO"):
        put(cloud, VM)
    put(cloud, VM, storageProfile__osDisk__name="b", storageProfile__osDisk__deleteOption="Delete")
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    assert not cloud.lookup(f"{COMPUTE}/disks/b")


ATTACHED = {"osDisk": {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": f"{COMPUTE}/disks/vm-disk"}}}


def test_a_machine_takes_up_the_disk_of_another_one(cloud: Cloud) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    disks = {disk.id for disk in cloud.of_type("compute:Disk")}
    put(cloud, VM, vmName="second", storageProfile=ATTACHED, osProfile=None)
    made = cloud.get(f"{COMPUTE}/virtualMachines/second")
    assert "osProfile" not in made
    assert made["storageProfile"]["osDisk"]["name"] == "vm-disk"
    assert cloud.get(f"{COMPUTE}/disks/vm-disk")["managedBy"] == made["id"]
    assert {disk.id for disk in cloud.of_type("compute:Disk")} == disks
    with pytest.raises(AzureError, match="Disk vm-disk is attached to VM"):
        cloud.delete(f"{COMPUTE}/disks/vm-disk")
    cloud.delete(made["id"])
    assert cloud.get(f"{COMPUTE}/disks/vm-disk")["diskState"] == "Unattached"


def test_a_disk_that_is_exchanged_is_free(cloud: Cloud) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, VM, storageProfile=ATTACHED, osProfile=None)
    spare = {"osDisk": {"createOption": "Attach", "managedDisk": {"id": f"{COMPUTE}/disks/spare"}}}
    put(cloud, VM, storageProfile=spare, osProfile=None)
    assert cloud.get(f"{COMPUTE}/disks/spare")["diskState"] == "Attached"
    assert cloud.get(f"{COMPUTE}/disks/vm-disk")["diskState"] == "Unattached"
    cloud.delete(f"{COMPUTE}/disks/vm-disk")


def test_a_disk_has_one_machine(cloud: Cloud) -> None:
    configuration = {"name": "main", "subnet": {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}}
    interface = put(
        cloud, "network:NetworkInterface", networkInterfaceName="second", ipConfigurations=[configuration]
    ).id
    with pytest.raises(AzureError, match="because it is already attached to VM") as caught:
        put(
            cloud,
            VM,
            vmName="second",
            storageProfile=ATTACHED,
            osProfile=None,
            networkProfile={"networkInterfaces": [{"id": interface}]},
        )
    assert caught.value.code == "ConflictingUserInput"


def test_what_a_change_of_a_machine_leaves_out_stays(cloud: Cloud) -> None:
    before = cloud.get(f"{COMPUTE}/virtualMachines/vm")
    put(
        cloud,
        VM,
        networkProfile=None,
        osProfile=None,
        storageProfile__imageReference=None,
        storageProfile__osDisk__managedDisk=None,
        tags={"team": "data"},
    )
    after = cloud.get(f"{COMPUTE}/virtualMachines/vm")
    for name in ("networkProfile", "osProfile", "storageProfile"):
        assert after[name] == before[name]
    with pytest.raises(AzureError, match=r"Changing property .osProfile.adminUsername. is not allowed"):
        put(cloud, VM, osProfile={"adminUsername": "other"})


@pytest.mark.parametrize(
    "place", [{"zones": ["1"]}, {"availabilitySet": {"id": f"{COMPUTE}/availabilitySets/set"}}], ids=["zone", "set"]
)
def test_a_machine_stays_where_it_is(cloud: Cloud, place: dict[str, Any]) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, VM, storageProfile__osDisk__name="b", **place)
    put(cloud, VM, storageProfile__osDisk__name="b", tags={"team": "data"})
    found = cloud.get(f"{COMPUTE}/virtualMachines/vm")
    assert {name: found[name] for name in place} == place
    put(cloud, VM, storageProfile__osDisk__name="b", **place)


def test_a_machine_keeps_its_identity_until_another_one_is_asked_for(cloud: Cloud) -> None:
    ours = "/subscriptions/x/resourceGroups/demo/providers/Microsoft.ManagedIdentity/userAssignedIdentities/ours"

    def identity(**change: Any) -> dict[str, Any]:
        return dict(cloud.get(put(cloud, VM, **change).id).get("identity", {}))

    given = identity(identity={"type": "UserAssigned", "userAssignedIdentities": [ours]})
    assert list(given["userAssignedIdentities"]) == [ours]
    assert identity(tags={"team": "data"}) == given
    other = identity(identity={"type": "SystemAssigned"})
    assert other["type"] == "SystemAssigned"
    assert "userAssignedIdentities" not in other
    assert not identity(identity={"type": "None"})
    assert not identity()


def test_a_machine_says_what_its_disk_is(cloud: Cloud) -> None:
    """Which a change that says nothing of it leaves alone, whoever has changed the disk since."""
    put(cloud, "compute:Disk", diskName="vm-disk", diskSizeGB=64, sku={"name": "Premium_LRS"})
    unsaid = {"storageProfile__osDisk__diskSizeGB": None, "storageProfile__osDisk__managedDisk": None}
    put(cloud, VM, **unsaid, tags={"team": "data"})
    found = cloud.get(f"{COMPUTE}/virtualMachines/vm")["storageProfile"]["osDisk"]
    assert (found["diskSizeGB"], found["managedDisk"]["storageAccountType"]) == (64, "Premium_LRS")
    with pytest.raises(AzureError, match="does not support the storage account type Premium_LRS of disk 'vm-disk'"):
        put(cloud, VM, **unsaid, hardwareProfile__vmSize="Standard_D2_v3")


def test_a_disk_has_a_size_even_if_nobody_said_one(cloud: Cloud) -> None:
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    put(cloud, VM, storageProfile__osDisk__name="b", storageProfile__osDisk__diskSizeGB=None)
    with pytest.raises(AzureError, match="Disk resizing is allowed only when creating a VM or when"):
        put(cloud, VM, storageProfile__osDisk__name="b", storageProfile__osDisk__diskSizeGB=64)
    put(cloud, VM, storageProfile__osDisk__name="b", storageProfile__osDisk__diskSizeGB=30)


def test_a_deleted_machine_takes_its_run_commands(cloud: Cloud) -> None:
    cloud.remove(f"{COMPUTE}/virtualMachines/vm")
    assert not cloud.of_type("compute:VirtualMachineRunCommandByVirtualMachine")
    assert ("delete", "vm") in room(cloud).calls


def test_a_machine_boots_what_it_was_given(cloud: Cloud) -> None:
    (order,) = room(cloud).orders.values()
    assert order.custom_data == b"#cloud-config\n"
    assert (order.admin, order.ssh_keys) == ("datadocker", (KEY,))
    assert order.address == "127.0.1.1"
    assert order.ports == {22}


def test_security_rules_decide_which_ports_are_open(cloud: Cloud) -> None:
    rule = "network:SecurityRule"

    def ports() -> frozenset[int]:
        (order,) = room(cloud).orders.values()
        return order.ports

    put(
        cloud, rule, securityRuleName="db", priority=200, destinationPortRange=None, destinationPortRanges=["6603-6604"]
    )
    assert ports() == {22, 6603, 6604}
    put(cloud, rule, securityRuleName="no", priority=150, destinationPortRange="6604", access="Deny")
    assert ports() == {22, 6603}
    cloud.delete(f"{NETWORK}/networkSecurityGroups/security/securityRules/db")
    assert ports() == {22}
    # only from inside the network
    put(cloud, rule, sourceAddressPrefix="VirtualNetwork")
    assert ports() == frozenset()


def test_a_client_outside_the_source_range_is_kept_out(cloud: Cloud) -> None:
    cloud.client = "198.51.100.7"
    effects.refresh_ports(cloud)
    (order,) = room(cloud).orders.values()
    assert order.ports == frozenset()


def test_without_a_security_group_all_is_closed() -> None:
    cloud = Cloud()
    for token in ("resources:ResourceGroup", "network:VirtualNetwork"):
        put(cloud, token)
    put(cloud, "network:Subnet", networkSecurityGroup=None)
    for token in ("network:PublicIPAddress", "network:NetworkInterface", VM):
        put(cloud, token)
    (order,) = room(cloud).orders.values()
    assert order.address == "127.0.1.1"
    assert not order.ports


def test_a_size_changes_in_place_and_restarts_the_machine(cloud: Cloud) -> None:
    put(cloud, VM, hardwareProfile__vmSize="Standard_D2s_v5")
    assert ("restart", "vm", "Standard_D2s_v5") in room(cloud).calls


def test_accelerated_networking_wants_a_size_for_it(cloud: Cloud) -> None:
    cloud.delete(cloud.only(VM).id)
    put(cloud, "network:NetworkInterface", enableAcceleratedNetworking=True)
    for _ in ("made", "changed"):
        with pytest.raises(AzureError, match="is not compatible with enabling accelerated networking on") as caught:
            put(cloud, VM, hardwareProfile__vmSize="Standard_DS1_v2", storageProfile__osDisk__name="second")
        assert caught.value.code == "VMSizeIsNotPermittedToEnableAcceleratedNetworking"
        put(cloud, VM, storageProfile__osDisk__name="second")


def test_a_run_command_that_fails_says_what_it_printed(cloud: Cloud) -> None:
    room(cloud).answer = lambda script: Ran(1, "installing", "no space left on device")
    with pytest.raises(PartialError, match=r"exit status=1\n\[stdout\]\ninstalling\n\[stderr\]\nno space left"):
        put(cloud, "compute:VirtualMachineRunCommandByVirtualMachine", runCommandName="other")
    # without the flag nobody hears of it
    put(
        cloud,
        "compute:VirtualMachineRunCommandByVirtualMachine",
        runCommandName="third",
        treatFailureAsDeploymentFailure=None,
    )


def test_a_run_command_wants_a_machine_that_runs(cloud: Cloud) -> None:
    def gone(script: str) -> Ran:
        raise LookupError(script)

    room(cloud).answer = gone
    with pytest.raises(PartialError, match="Cannot modify extensions in the VM when the VM is not running"):
        put(cloud, "compute:VirtualMachineRunCommandByVirtualMachine", runCommandName="other")


def test_a_run_command_is_not_run_again_for_the_same_properties(cloud: Cloud) -> None:
    token = "compute:VirtualMachineRunCommandByVirtualMachine"
    put(cloud, token, tags={"a": "b"})
    assert sum(call[0] == "run_command" for call in room(cloud).calls) == 1
    put(cloud, token, source={"script": "true"})
    assert sum(call[0] == "run_command" for call in room(cloud).calls) == 2


def test_what_a_script_printed_is_not_among_the_outputs(cloud: Cloud) -> None:
    found = cloud.get(f"{COMPUTE}/virtualMachines/vm/runCommands/ready")
    assert "instanceView" not in found


def test_secrets_never_come_out_again(cloud: Cloud) -> None:
    assert "customData" not in cloud.get(f"{COMPUTE}/virtualMachines/vm")["osProfile"]
