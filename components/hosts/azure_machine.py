"""A virtual machine on Azure that becomes a Docker host by itself, and is known to have become one."""

from __future__ import annotations

import hashlib
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import compute

from components.azure_lookup import look_up
from components.hosts.azure_bootstrap import READY_SCRIPT, READY_SECONDS
from components.state import VM, lasting, recorded

RUN = "azure-native:compute:VirtualMachineRunCommandByVirtualMachine"
RUN_NAME = "datadocker-ready"

# Azure refuses to change these in place; a new machine is made, and nothing on it is lost that is not made anew
FIXED = [
    "availabilitySet",
    # in one update with its network interface, which the machine has to let go first
    "networkProfile",
    "osProfile.adminUsername",
    "osProfile.computerName",
    "osProfile.linuxConfiguration.disablePasswordAuthentication",
    "osProfile.linuxConfiguration.ssh",
    "storageProfile.imageReference",
    "storageProfile.osDisk.createOption",
    "zones",
]


class MachineSettings(TypedDict):
    """What a machine is to be."""

    size: str
    """Size, such as Standard_B2s."""
    image: str
    """publisher:offer:sku:version, or the id of an image."""
    disk_gib: int
    """Size of its disk in GiB."""
    disk_type: str
    """Kind of its disk, such as StandardSSD_LRS."""
    zone: NotRequired[str | None]
    """Availability zone."""
    availability_set: NotRequired[str | None]
    """Name of an availability set, which is made."""
    system_identity: bool
    """Give it an identity of its own."""
    identities: list[str]
    """Ids of further identities."""


class AzureMachineArgs(MachineSettings):
    """Arguments of `AzureMachine`."""

    base: str
    """Name of the machine."""
    group: pulumi.Input[str]
    """Resource group, known once it is there."""
    group_name: str
    """Its name."""
    location: str
    """Region."""
    interface_id: pulumi.Input[str]
    """Network interface it is plugged into."""
    user: str
    """Who logs in."""
    public_key: pulumi.Input[str]
    """The key that logs in."""
    custom_data: pulumi.Input[str]
    """What cloud-init reads, base64; a secret, since the host key is in it."""
    more: str
    """The user's part of it: another one makes another machine."""
    tags: dict[str, str]
    """On all of it."""


class AzureMachine(pulumi.ComponentResource):
    """The machine and the run command that waits for its bootstrap."""

    machine: compute.VirtualMachine
    """The machine: what is on it is deleted with it."""
    life: pulumi.Output[str]
    """Which machine of that name it is; another one after a replacement."""
    ready: compute.VirtualMachineRunCommandByVirtualMachine
    """It exists, or is updated, once the engine answers on the machine."""

    def __init__(self, name: str, args: AzureMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the machine and waits for it."""
        super().__init__("datadocker:index:AzureMachine", name, {}, opts)
        zone = args.get("zone")
        self.machine = compute.VirtualMachine(
            f"{name}-vm",
            vm_name=args["base"],
            resource_group_name=args["group"],
            location=args["location"],
            hardware_profile={"vm_size": args["size"]},
            storage_profile=_storage(args),
            os_profile=_login(args),
            # the interface, and so the addresses, outlive the machine
            network_profile={
                "network_interfaces": [{"id": args["interface_id"], "primary": True, "delete_option": "Detach"}]
            },
            # what the console said is there when ssh is not
            diagnostics_profile={"boot_diagnostics": {"enabled": True}},
            identity=_identity(args),
            zones=[zone] if zone else None,
            availability_set={"id": self._set(name, args)} if args.get("availability_set") else None,
            tags=args["tags"],
            opts=pulumi.ResourceOptions(
                parent=self,
                replace_on_changes=FIXED,
                # read once in a machine's life: one that stands gains nothing by ours, and a new one gets the present
                ignore_changes=["osProfile.customData"],
                # nor on a machine that runs; of one that is deallocated Azure says neither, and a refresh drops both
                replacement_trigger=[args["disk_gib"], args["disk_type"], *_digest(args["more"])],
                # its name and its interface can't be had twice
                delete_before_replace=True,
            ),
        )
        self.life = lasting(self.machine, VM, f"{name}-vm", "vmId", self.machine.vm_id)
        patience = f"{READY_SECONDS // 60 + 10}m"
        self.ready = compute.VirtualMachineRunCommandByVirtualMachine(
            f"{name}-ready",
            run_command_name=RUN_NAME,
            # not the machine's own output: Pulumi would delete this before it, and one that hangs lets none go
            vm_name=args["base"],
            resource_group_name=args["group"],
            location=args["location"],
            # another size restarts the machine, and only another script is run again
            source={"script": f"{READY_SCRIPT}# {args['size']}\n"},
            async_execution=False,
            timeout_in_seconds=READY_SECONDS,
            # else it succeeds whatever the script says
            treat_failure_as_deployment_failure=True,
            tags=args["tags"],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self.machine],
                deleted_with=self.machine,
                # and one that is stopped would let none be changed
                ignore_changes=["tags"],
                import_=_left(args, name),
                replacement_trigger=self.life,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=patience, update=patience),
            ),
        )
        self.register_outputs({})

    def _set(self, name: str, args: AzureMachineArgs) -> pulumi.Output[str]:
        return compute.AvailabilitySet(
            f"{name}-set",
            availability_set_name=args.get("availability_set"),
            resource_group_name=args["group"],
            location=args["location"],
            # managed disks need an aligned one
            sku={"name": "Aligned"},
            platform_fault_domain_count=2,
            platform_update_domain_count=5,
            tags=args["tags"],
            # see `AzureNetwork`; the machines in it are Azure's to say, and a refresh takes them for inputs
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, ignore_changes=["virtualMachines"]),
        ).id


def _left(args: AzureMachineArgs, name: str) -> str | None:
    """Id of the run command that the state has forgotten, where a destroy went no further than to it."""
    if (VM, f"{name}-vm") not in recorded() or (RUN, f"{name}-ready") in recorded():
        return None
    names = {"resourceGroupName": args["group_name"], "vmName": args["base"], "runCommandName": RUN_NAME}
    found = look_up("azure-native:compute:getVirtualMachineRunCommandByVirtualMachine", **names)
    if not found:
        return None
    if (state := found.known.get("provisioningState")) == "Succeeded":
        return found.id
    # its provider refuses to make what is there, and so nothing on the host is touched
    pulumi.log.warn(
        f"{args['base']}: its bootstrap has not succeeded ({state}): if it goes on, say up again later; if it failed, "
        f"have the machine made anew: ./pulumiw up --stack {pulumi.get_stack()} "
        "--replace '**azure-native:compute:VirtualMachine::**'"
    )
    return None


def _digest(more: str) -> list[str]:
    # it may hold secrets, and a trigger is none
    return [hashlib.sha256(more.encode()).hexdigest()] if more else []


def _storage(args: AzureMachineArgs) -> compute.StorageProfileArgsDict:
    return {
        "image_reference": _image(args["image"]),
        # Azure names it: one that somebody kept when the machine was deleted is in nobody's way
        "os_disk": {
            "create_option": compute.DiskCreateOptionTypes.FROM_IMAGE,
            "caching": compute.CachingTypes.READ_WRITE,
            "delete_option": compute.DiskDeleteOptionTypes.DELETE,
            "disk_size_gb": args["disk_gib"],
            "managed_disk": {"storage_account_type": args["disk_type"]},
        },
    }


def _login(args: AzureMachineArgs) -> compute.OSProfileArgsDict:
    keys = f"/home/{args['user']}/.ssh/authorized_keys"
    return {
        "computer_name": args["base"],
        "admin_username": args["user"],
        "custom_data": pulumi.Output.secret(args["custom_data"]),
        "linux_configuration": {
            "disable_password_authentication": True,
            "ssh": {"public_keys": [{"path": keys, "key_data": args["public_key"]}]},
        },
    }


def _image(image: str) -> compute.ImageReferenceArgsDict:
    if image.startswith("/"):
        return {"id": image}
    publisher, offer, sku, version = image.split(":")
    return {"publisher": publisher, "offer": offer, "sku": sku, "version": version}


def _identity(args: AzureMachineArgs) -> compute.VirtualMachineIdentityArgsDict:
    kinds = compute.ResourceIdentityType
    if not args["identities"]:
        # left out, what it has stays
        return {"type": kinds.SYSTEM_ASSIGNED if args["system_identity"] else kinds.NONE}
    kind = kinds.SYSTEM_ASSIGNED_USER_ASSIGNED if args["system_identity"] else kinds.USER_ASSIGNED
    return {"type": kind, "user_assigned_identities": args["identities"]}
