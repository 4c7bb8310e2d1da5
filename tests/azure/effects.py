"""What happens beside the record: addresses are given out, machines boot, scripts run, shares are served."""

from __future__ import annotations

import base64
import datetime
import os
import threading
import uuid
from typing import TYPE_CHECKING

from tests.azure import os_disk
from tests.azure.addresses import network
from tests.azure.errors import AzureError, PartialError, conflict
from tests.azure.interface_rules import addresses, is_kept
from tests.azure.machines import BootFailed, Order, Ran, claimed_address
from tests.azure.network_rules import prefixes
from tests.azure.reach import address_of, open_ports, subnets_of
from tests.azure.resource import Resource
from tests.azure.storage_rules import DELETED
from tests.azure.values import at, one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud

MACHINE = "azure-native:compute:VirtualMachine"
COMMAND = "azure-native:compute:VirtualMachineRunCommandByVirtualMachine"
ACCOUNT = "azure-native:storage:StorageAccount"
SUBNET = "azure-native:network:Subnet"
COMMAND_SECONDS = 90 * 60
"""How long Azure lets a script run that says nothing else."""


def settle(cloud: Cloud, new: Resource) -> None:
    """Adds what the cloud decides on its own, at once, while nobody else changes anything."""
    now = datetime.datetime.now(datetime.UTC).isoformat()
    facts = new.facts
    match new.kind.token.removeprefix("azure-native:"):
        case "network:PublicIPAddress" if "ipAddress" not in facts:
            taken = (o.facts.get("ipAddress", "") for o in cloud.of_type(new.kind.token))
            facts["ipAddress"] = claimed_address(cloud.machines, frozenset(taken))
        case "network:NetworkInterface":
            facts.setdefault("macAddress", "-".join(f"{b:02X}" for b in b"\x00\x0d\x3a" + os.urandom(3)))
            _give_private_addresses(cloud, new)
        case "compute:VirtualMachine":
            facts.setdefault("vmId", str(uuid.uuid4()))
            facts.setdefault("timeCreated", now)
            facts.setdefault("principalId", str(uuid.uuid4()))
            os_disk.attach(cloud, new, now)
        case "storage:StorageAccount":
            facts.setdefault("creationTime", now)
            facts.setdefault("keys", [new_key(), new_key()])
            # for good
            facts["large"] = facts.get("large") or new.inputs.get("largeFileSharesState") == "Enabled"
        case "storage:FileShare":
            facts["lastModifiedTime"] = now


def carry_out(cloud: Cloud, new: Resource, old: Resource | None) -> None:
    """Does the rest, which takes its time.

    Raises:
        PartialError: if that does not work.
    """
    token = new.kind.token
    if token == MACHINE:
        _boot(cloud, new) if old is None else _resize(cloud, new, old)
    elif token == COMMAND:
        _run(cloud, new, old)
    elif token == ACCOUNT:
        cloud.shares.set_account(
            new.name,
            (new.facts["keys"][0], new.facts["keys"][1]),
            bool(new.inputs.get("enableHttpsTrafficOnly", True)),
            tuple(
                rule["virtualNetworkResourceId"]
                for rule in new.inputs_at("networkRuleSet.virtualNetworkRules[]")
                if rule.get("state") != DELETED
            )
            if one(new.inputs, "networkRuleSet.defaultAction") == "Deny"
            else None,
        )
    elif token == "azure-native:storage:FileShare":
        protocol = new.inputs.get("enabledProtocols", "SMB")
        cloud.shares.add_share(new.inputs["accountName"], new.name, protocol, new.inputs.get("shareQuota", 5120))
    elif token.startswith("azure-native:network:"):
        refresh_ports(cloud)


def take_away(cloud: Cloud, gone: Resource) -> None:
    """Ends what a resource had running."""
    token = gone.kind.token
    if token == MACHINE:
        cloud.machines.delete(gone.id)
        cloud.faults.agentless.discard(gone.key)
        _release(cloud, gone)
    elif token == ACCOUNT:
        cloud.shares.delete_account(gone.name)
    elif token == "azure-native:storage:FileShare":
        cloud.shares.delete_share(gone.inputs["accountName"], gone.name)
    elif token == "azure-native:network:PublicIPAddress":
        cloud.machines.release(gone.facts["ipAddress"])
    elif token.startswith("azure-native:network:"):
        shut_out(cloud, gone)
        refresh_ports(cloud)


def shut_out(cloud: Cloud, gone: Resource) -> None:
    """Marks the rules that let in a subnet which is deleted: they stay, and let in none that is made anew by its id.

    https://github.com/MicrosoftDocs/azure-docs/pull/71743
    """
    for account in cloud.of_type(ACCOUNT) if gone.kind.token == SUBNET else ():
        for rule in account.inputs_at("networkRuleSet.virtualNetworkRules[]"):
            if rule["virtualNetworkResourceId"].lower() == gone.key:
                rule["state"] = DELETED
                carry_out(cloud, account, account)


def refresh_ports(cloud: Cloud) -> None:
    """Tells each machine what its security groups let in now."""
    for machine in cloud.of_type(MACHINE):
        reach = (address_of(cloud, machine), open_ports(cloud, machine))
        stored = [reach[0], sorted(reach[1])]
        if machine.facts.get("reach") not in (None, stored):
            machine.facts["reach"] = stored
            cloud.machines.forward(machine.id, *reach)


def regenerate_key(cloud: Cloud, account: str, index: int) -> str:
    """Makes one of an account's two keys anew, as somebody with the portal would."""
    with cloud.changing():
        found = next(a for a in cloud.of_type("storage:StorageAccount") if a.name == account)
        found.facts["keys"][index] = new_key()
    carry_out(cloud, found, found)
    return str(found.facts["keys"][index])


def new_key() -> str:
    """Returns a key as Azure makes them: 64 random bytes in base64."""
    return base64.b64encode(os.urandom(64)).decode()


def _boot(cloud: Cloud, machine: Resource) -> None:
    profile = machine.inputs.get("osProfile", {})
    reach = (address_of(cloud, machine), open_ports(cloud, machine))
    machine.facts["reach"] = [reach[0], sorted(reach[1])]
    if cloud.faults.never_ready:
        machine.facts["provisioningState"] = "Failed"
        raise PartialError(
            conflict(
                "OSProvisioningTimedOut",
                f"OS Provisioning for VM '{machine.name}' did not finish in the allotted time. The VM may still finish "
                "provisioning successfully. Please check provisioning state later.",
            )
        )
    try:
        cloud.machines.start(
            Order(
                machine.id,
                str(profile.get("computerName", machine.name)),
                str(one(machine.inputs, "hardwareProfile.vmSize")),
                base64.b64decode(profile.get("customData", "")),
                str(profile.get("adminUsername", "")),
                tuple(v for _, v in at(profile, "linuxConfiguration.ssh.publicKeys[].keyData")),
                *reach,
                subnets_of(cloud, machine),
            )
        )
    except BootFailed as error:
        machine.facts["provisioningState"] = "Failed"
        raise PartialError(
            conflict("OSProvisioningClientError", f"OS provisioning for VM '{machine.name}' failed. {error}")
        ) from error


def _resize(cloud: Cloud, new: Resource, old: Resource) -> None:
    before, after = (str(one(r.inputs, "hardwareProfile.vmSize")) for r in (old, new))
    if before != after:
        cloud.machines.restart(new.id, after)
    refresh_ports(cloud)


def _run(cloud: Cloud, new: Resource, old: Resource | None) -> None:
    # one whose properties are what they were is not run again: https://github.com/Azure/azure-sdk-for-net/issues/47307
    script = one(new.inputs, "source.script", "")
    same = old is not None and {**old.inputs, "tags": None} == {**new.inputs, "tags": None}
    if not same:
        names = ("parameters", "protectedParameters")
        parameters = {p["name"]: p["value"] for name in names for p in new.inputs.get(name, [])}
        seconds = new.inputs.get("timeoutInSeconds") or COMMAND_SECONDS
        if new.inputs.get("asyncExecution"):
            threading.Thread(target=_ran, args=(cloud, new, script, parameters, seconds), daemon=True).start()
            return
        try:
            _ran(cloud, new, script, parameters, seconds)
        except LookupError as error:
            new.facts["provisioningState"] = "Failed"
            words = "Cannot modify extensions in the VM when the VM is not running."
            raise PartialError(conflict("OperationNotAllowed", words)) from error
    if new.facts.get("timedOut"):
        raise PartialError(
            conflict(
                "VMExtensionProvisioningTimeout",
                f"Provisioning of VM extension '{new.name}' has timed out. Extension installation may be taking too "
                "long, or extension status could not be obtained.",
            )
        )
    ran = Ran(*new.facts.get("ran", [0, "", ""]))
    if ran.code and new.inputs.get("treatFailureAsDeploymentFailure"):
        new.facts["provisioningState"] = "Failed"
        raise PartialError(
            conflict(
                "VMExtensionProvisioningError",
                f"VM has reported a failure when processing extension '{new.name}' (publisher 'Microsoft.CPlat.Core' "
                f"and type 'RunCommandHandlerLinux'). Error message: 'Execution failed: command terminated with exit "
                f"status={ran.code}\n[stdout]\n{ran.out[-4096:]}\n[stderr]\n{ran.err[-4096:]}'. More information on "
                "troubleshooting is available at https://aka.ms/vmextensionlinuxtroubleshoot. ",
            )
        )


def _ran(cloud: Cloud, command: Resource, script: str, parameters: dict[str, str], seconds: float) -> None:
    command.facts.pop("timedOut", None)
    command.facts["provisioningState"] = "Succeeded"
    try:
        machine = cloud.parent(command).id
        ran = cloud.faults.bootstrap or cloud.machines.run_command(machine, script, parameters, seconds)
        command.facts["ran"] = [ran.code, ran.out, ran.err]
    except TimeoutError:
        command.facts["timedOut"] = True


def _release(cloud: Cloud, machine: Resource) -> None:
    """Leaves the disk and the interfaces alone, or takes them along if they say so."""
    disk = cloud.lookup(cloud.os_disk_id(machine))
    if disk:
        disk.facts.pop("managedBy", None)
        if one(machine.inputs, "storageProfile.osDisk.deleteOption") == "Delete":
            cloud.remove(disk.id)
    for interface in machine.inputs.get("networkProfile", {}).get("networkInterfaces", []):
        if interface.get("deleteOption") == "Delete" and cloud.lookup(interface.get("id", "")):
            cloud.remove(interface["id"])


def _give_private_addresses(cloud: Cloud, interface: Resource) -> None:
    # what is asked for comes first, so that it is given to nobody else
    given = addresses(interface)
    others = (other for other in cloud.of_type(interface.kind.token) if other.key != interface.key)
    taken = {a for other in others for a in other.facts.get("addresses", {}).values()}
    for configuration in interface.inputs["ipConfigurations"]:
        subnet = cloud.lookup(one(configuration, "subnet.id", ""))
        if configuration["name"] in given or not subnet or not prefixes(subnet.inputs):
            continue
        whole = network(prefixes(subnet.inputs)[0])
        used = taken | set(given.values())
        free = (str(host) for host in whole if not is_kept(host, whole) and str(host) not in used)
        if (address := next(free, None)) is None:
            raise AzureError(
                400,
                "SubnetIsFull",
                f"Subnet {subnet.name} with address prefix {whole} does not have enough capacity for 1 IP addresses.",
            )
        given[configuration["name"]] = address
    interface.facts["addresses"] = given
