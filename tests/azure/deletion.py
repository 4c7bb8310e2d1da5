"""What Azure does not delete while something uses it, in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, bad_request, conflict

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

InUse = Callable[["Cloud", "Resource", "list[tuple[Resource, str]]"], AzureError]


def _subnet(cloud: Cloud, subnet: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://github.com/microsoft/MCW-Business-continuity-and-disaster-recovery/issues/52"""
    return bad_request(
        "InUseSubnetCannotBeDeleted",
        f"Subnet {subnet.name} is in use by {cloud.inner_id(*users[0])} and cannot be deleted. In order to delete the "
        "subnet, delete all the resources within the subnet. See aka.ms/deletesubnet.",
    )


def _interface(cloud: Cloud, interface: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://aka.ms/deletenic"""
    return bad_request(
        "NicInUse",
        f"Network Interface {interface.id} is used by existing resource {users[0][0].id}. In order to delete the "
        "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
    )


def _public_address(cloud: Cloud, address: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://aka.ms/deletepublicip"""
    return bad_request(
        "PublicIPAddressCannotBeDeleted",
        f"Public IP address {address.id} can not be deleted since it is still allocated to resource "
        f"{cloud.inner_id(*users[0])}. In order to delete the public IP, disassociate/detach the Public IP address "
        "from the resource.  To learn how to do this, see aka.ms/deletepublicip.",
    )


def _security_group(cloud: Cloud, group: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://github.com/pulumi/pulumi-azure-native/issues/3051"""
    return bad_request(
        "InUseNetworkSecurityGroupCannotBeDeleted",
        f"Network security group {group.id} cannot be deleted because it is in use by the following resources: "
        f"{', '.join(user.id for user, _ in users)}. In order to delete the Network security group, remove the "
        "association with the resource(s). To learn how to do this, see aka.ms/deletensg.",
    )


def _gateway(cloud: Cloud, gateway: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://github.com/stackshy/cloudemu/pull/967"""
    return bad_request(
        "InUseNatGatewayCannotBeDeleted",
        f"Nat gateway {gateway.id} cannot be deleted because it is in use by the following resources: "
        f"{', '.join(user.id for user, _ in users)}.",
    )


def _availability_set(cloud: Cloud, group: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://learn.microsoft.com/azure/virtual-machines/error-messages"""
    return conflict(
        "OperationNotAllowed",
        f"Availability Set {group.name} cannot be deleted. Before deleting an Availability Set please ensure that it "
        "does not contain any VM.",
    )


def _disk(cloud: Cloud, disk: Resource, users: list[tuple[Resource, str]]) -> AzureError:
    """https://github.com/Azure/AKS/issues?q=OperationNotAllowed"""
    return conflict("OperationNotAllowed", f"Disk {disk.name} is attached to VM {users[0][0].id}.")


IN_USE: dict[str, InUse] = {
    "azure-native:network:Subnet": _subnet,
    "azure-native:network:NetworkInterface": _interface,
    "azure-native:network:PublicIPAddress": _public_address,
    "azure-native:network:NetworkSecurityGroup": _security_group,
    "azure-native:network:NatGateway": _gateway,
    "azure-native:compute:AvailabilitySet": _availability_set,
    "azure-native:compute:Disk": _disk,
}


def refusal(cloud: Cloud, resource: Resource, going: frozenset[str] = frozenset()) -> AzureError | None:
    """Returns why a resource stays, if it does. What is in `going`, by key, is being deleted with it."""
    for part in [*cloud.inside(resource.id), resource]:
        users = [(user, path) for user, path in cloud.users(part.id) if user.key not in going and user.key != part.key]
        if users and part.kind.token in IN_USE:
            return IN_USE[part.kind.token](cloud, part, users)
    return None


def group_refusal(cloud: Cloud, group: Resource) -> AzureError | None:
    """Returns why a resource group stays: something outside it uses what is inside.

    https://github.com/MicrosoftDocs/azure-docs/issues/52282
    """
    going = frozenset(r.key for r in cloud.inside(group.id))
    stuck = [r for r in cloud.inside(group.id) if refusal(cloud, r, going)]
    if not stuck:
        return None
    names = ",".join(f"{r.kind.azure_type}/{r.name}" for r in stuck)
    return conflict(
        "ResourceGroupDeletionBlocked",
        f"Deletion of resource group '{group.name}' failed as resources with identifiers '{names}' could not be "
        "deleted. The provisioning state of the resource group will be rolled back. The tracking Id is "
        "'00000000-0000-0000-0000-000000000000'. Please check audit logs for more details.",
    )
