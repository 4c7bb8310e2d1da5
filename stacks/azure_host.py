"""The machine on Azure that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.hosts import DockerHost
from components.shares.adoption import GROUP
from components.state import recorded
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import region_of
from stacks.owner import default_base, stack_label
from stacks.settings import Settings

CARD = "azure-native:network:NetworkInterface"
SUBNET = "azure-native:network:Subnet"


def azure_host(machine: AzureHostSettings, settings: Settings) -> DockerHost:
    """Registers the machine, open to what the settings name.

    Raises:
        pulumi.RunError: if it can't become what the settings say.
    """
    _refuse_change(machine)
    # its SDK takes a second to import
    from components.hosts.azure import AzureHost
    from components.hosts.azure_network import SSH_PORT, Opening

    shares = settings.shares
    openings = [Opening(name="ssh", port=SSH_PORT, sources=machine.ssh_from)]
    openings += [
        # a container's name may end with what Azure lets no rule's end with, and differ from another in case alone
        Opening(name=f"{d.name}-{d.port}", port=d.port, sources=d.allow_from)
        for d in settings.databases
        if d.allow_from
    ]
    return AzureHost(
        "host",
        {
            "base": machine.base(default_base()),
            "stack": stack_label(),
            "location": machine.location,
            "group": machine.resource_group,
            "existing_group": machine.existing_resource_group,
            "openings": openings,
            "subnet_id": machine.network.subnet_id,
            "address_range": machine.network.address_range,
            "subnet_range": machine.network.subnet_range,
            "far_shares": isinstance(shares, AzureSharesSettings) and shares.location not in (None, machine.location),
            "nat_gateway": machine.nat_gateway,
            "public_ip": machine.public_ip,
            "dns_label": machine.dns_label,
            "private_ip": machine.private_ip,
            "jump_host": machine.jump_host,
            "private_route": machine.private_route,
            "accelerated": machine.accelerated_networking,
            "user": machine.user,
            "identity_file": machine.identity_file,
            "size": machine.size,
            "image": machine.image,
            "disk_gib": machine.disk.size,
            "disk_type": machine.disk.type,
            "zone": machine.zone,
            "availability_set": machine.availability_set,
            "custom_data": machine.custom_data,
            "system_identity": machine.system_identity,
            "identities": machine.identities,
            "tags": machine.tags,
        },
    )


def _refuse_change(machine: AzureHostSettings) -> None:
    """What has another name or region is another thing to Azure, and the first is in use until the machine is gone.

    A group of the stack's own that is replaced takes all of it along.

    Raises:
        pulumi.RunError: if the machine stands by another name or elsewhere in a group that stays, or in another subnet.
    """
    name, group = machine.base(default_base()), machine.group(default_base())
    card, own_group = recorded().get((CARD, "host-net-card"), {}), recorded().get((GROUP, "host-group"), {})
    was = str(card.get("name") or f"{name}-nic").removesuffix("-nic")
    region = region_of(card, machine.location)
    if own_group.get("name") and (str(own_group["name"]).lower() != group.lower() or region != machine.location):
        return
    for setting, there, wanted in (("location", region, machine.location), ("name", was, name)):
        if there != wanted:
            raise pulumi.RunError(
                f"{was} in group {group}, which stays, has the {setting} {there}: set datadocker:host.{setting} back, "
                f"or destroy first (what shares keep stays there) and make it anew as {wanted}"
            )
    subnets, subnet = _subnets(card, group), machine.network.subnet_id or machine.network.subnet_range
    if subnets and subnet.lower() not in [known.lower() for known in subnets]:
        raise pulumi.RunError(
            f"{was} is in the subnet {subnets[0]}, and Azure moves it to no other and changes no range in use: set "
            "datadocker:host.network back, or destroy first (what shares keep stays there) and make it anew in "
            f"{subnet}"
        )


def _subnets(card: Mapping[str, Any], group: str) -> list[str]:
    """Ranges of the subnet that was made for the `card` in `group`, else the id of the one that it was given."""
    for plug in card.get("ipConfigurations") or []:
        # in another group it is going to be another card
        if f"/resourcegroups/{group}/".lower() in str(plug.get("id")).lower():
            made = recorded().get((SUBNET, "host-net-subnet"))
            if made is None:
                return [str(plug["subnet"]["id"])]
            return [made["addressPrefix"]] if made.get("addressPrefix") else list(made.get("addressPrefixes") or [])
    return []
