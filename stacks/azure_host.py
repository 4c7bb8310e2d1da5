"""The machine on Azure that the settings name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pulumi

from components.azure_lookup import look_up
from components.hosts import DockerHost
from components.state import HOST, HOST_GROUP, HOST_INTERFACE, HOST_SUBNET, recorded
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_given import check_given, taken
from stacks.azure_names import as_spelt, region_of
from stacks.owner import default_base, stack_label
from stacks.settings import Settings


def azure_host(machine: AzureHostSettings, settings: Settings) -> DockerHost:
    """Registers the machine, open to what the settings name.

    Raises:
        pulumi.RunError: if it can't become what the settings say.
    """
    name, before = machine.base(default_base()), recorded().get(HOST, {}).get("group")
    group = as_spelt({"name": before} if before else recorded().get(HOST_GROUP, {}), machine.group(default_base()))
    _refuse_change(machine, name, group)
    shares = settings.shares
    far = isinstance(shares, AzureSharesSettings) and shares.location not in (None, machine.location)
    if not recorded().get(HOST_INTERFACE) or _moves(machine, group):
        check_given(machine, group, shares=isinstance(shares, AzureSharesSettings), far=far)
    # its SDK takes a second to import
    from components.hosts.azure import AzureHost
    from components.hosts.azure_network import SSH_PORT, Opening

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
            "base": name,
            "stack": stack_label(),
            "location": machine.location,
            "group": group,
            "existing_group": group if machine.existing_resource_group else None,
            "network": {
                "openings": openings,
                "subnet_id": machine.network.subnet_id,
                "address_range": machine.network.address_range,
                "subnet_range": machine.network.subnet_range,
                "far_shares": far,
                "nat_gateway": machine.nat_gateway,
                "public_ip": machine.public_ip,
                "dns_label": machine.dns_label,
                "private_ip": machine.private_ip,
                "accelerated": machine.accelerated_networking,
            },
            "machine": {
                "size": machine.size,
                "image": machine.image,
                "disk_gib": machine.disk.size,
                "disk_type": machine.disk.type,
                "zone": machine.zone,
                "availability_set": machine.availability_set,
                "system_identity": machine.system_identity,
                "identities": machine.identities,
            },
            "jump_host": machine.jump_host,
            "private_route": machine.private_route,
            "user": machine.user,
            "identity_file": machine.identity_file,
            "custom_data": machine.custom_data,
            "tags": machine.tags,
        },
    )


def _refuse_change(machine: AzureHostSettings, name: str, group: str) -> None:
    """What has another name or region is another thing to Azure, and the first is in use until the machine is gone.

    A group of the stack's own that is replaced takes all of it along.

    Raises:
        pulumi.RunError: if the machine stands by another name or elsewhere in a group that stays, in another group that
            is not replaced, or in another subnet; or if its new group can't be had.
    """
    interface, own_group = recorded().get(HOST_INTERFACE, {}), recorded().get(HOST_GROUP, {})
    own, existing = str(own_group.get("name") or ""), machine.existing_resource_group
    stood = own or _group_of(interface)
    if stood and (existing if own else stood.lower() != group.lower() or not existing):
        back = f"set datadocker:host.existingResourceGroup to {stood}"
        if own:
            # left out, the group has the machine's name
            named = "" if stood.lower() == name.lower() else f" and set datadocker:host.resourceGroup to {stood}"
            back = f"leave datadocker:host.existingResourceGroup out{named}"
        raise pulumi.RunError(
            f"{name} is in resource group {stood}{', which the stack made' if own else ''}, and Azure moves it to no "
            f"other: {back}, or destroy first (what shares keep stays there) and make it anew in {group}"
        )
    was = str(interface.get("name") or f"{name}-nic").removesuffix("-nic")
    if _moves(machine, group):
        # Azure would say so only once the machine is gone
        if own != group and (found := look_up("azure-native:resources:getResourceGroup", resourceGroupName=group)):
            raise pulumi.RunError(taken(group, found))
        return
    region = _region(machine)
    for setting, there, wanted in (("location", region, machine.location), ("name", was, name)):
        if there != wanted:
            raise pulumi.RunError(
                f"{was} in group {group}, which stays, has the {setting} {there}: set datadocker:host.{setting} back, "
                f"or destroy first (what shares keep stays there) and make it anew as {wanted}"
            )
    subnets, subnet = _subnets(interface, group), machine.network.subnet_id or machine.network.subnet_range
    if subnets and subnet.lower() not in [known.lower() for known in subnets]:
        raise pulumi.RunError(
            f"{was} is in the subnet {subnets[0]}, and Azure moves it to no other and changes no range in use: set "
            "datadocker:host.network back, or destroy first (what shares keep stays there) and make it anew in "
            f"{subnet}"
        )


def _moves(machine: AzureHostSettings, group: str) -> bool:
    """Whether the stack's own group is made anew, in another region or by another name, with all that is in it."""
    own = recorded().get(HOST_GROUP, {}).get("name")
    return bool(own) and (own != group or _region(machine) != machine.location)


def _region(machine: AzureHostSettings) -> str:
    """Where the machine stands; where it does not, the one that the settings name."""
    group = recorded().get(HOST_GROUP, {})
    return region_of(recorded().get(HOST_INTERFACE, {}), region_of(group, machine.location))


def _group_of(interface: Mapping[str, Any]) -> str:
    """The resource group that an `interface` is in; nothing where only what was asked for is known of it."""
    found = [
        re.search("/resourceGroups/([^/]+)/", str(plug.get("id")), re.I)
        for plug in interface.get("ipConfigurations") or []
    ]
    return next((match[1] for match in found if match), "")


def _subnets(interface: Mapping[str, Any], group: str) -> list[str]:
    """Ranges of the subnet that was made for the `interface` in `group`, else the id of the one that it was given."""
    # in another group it is going to be another interface
    if _group_of(interface).lower() != group.lower():
        return []
    made = recorded().get(HOST_SUBNET)
    if made is None:
        return [str(interface["ipConfigurations"][0]["subnet"]["id"])]
    return [made["addressPrefix"]] if made.get("addressPrefix") else list(made.get("addressPrefixes") or [])
