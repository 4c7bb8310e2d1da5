"""What Azure does not delete while something uses it, in which words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tests.azure.errors import AzureError, conflict

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource


class InUse(NamedTuple):
    """How a type's refusal is called, and what it says.

    `{id}` and `{name}` are the resource's, `{user}` and `{part}` the first that uses it and the part of it that does,
    `{users}` all that use it.
    """

    status: int
    code: str
    words: str
    source: str


IN_USE = {
    "azure-native:network:Subnet": InUse(
        400,
        "InUseSubnetCannotBeDeleted",
        "Subnet {name} is in use by {part} and cannot be deleted. In order to delete the subnet, delete all the "
        "resources within the subnet. See aka.ms/deletesubnet.",
        "https://github.com/microsoft/MCW-Business-continuity-and-disaster-recovery/issues/52",
    ),
    "azure-native:network:NetworkInterface": InUse(
        400,
        "NicInUse",
        "Network Interface {id} is used by existing resource {user}. In order to delete the network interface, it "
        "must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
        "https://aka.ms/deletenic",
    ),
    "azure-native:network:PublicIPAddress": InUse(
        400,
        "PublicIPAddressCannotBeDeleted",
        "Public IP address {id} can not be deleted since it is still allocated to resource {part}. In order to delete "
        "the public IP, disassociate/detach the Public IP address from the resource.  To learn how to do this, see "
        "aka.ms/deletepublicip.",
        "https://aka.ms/deletepublicip",
    ),
    "azure-native:network:NetworkSecurityGroup": InUse(
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        "Network security group {id} cannot be deleted because it is in use by the following resources: {users}. In "
        "order to delete the Network security group, remove the association with the resource(s). To learn how to do "
        "this, see aka.ms/deletensg.",
        "https://github.com/pulumi/pulumi-azure-native/issues/3051",
    ),
    "azure-native:network:NatGateway": InUse(
        400,
        "InUseNatGatewayCannotBeDeleted",
        "Nat gateway {id} cannot be deleted because it is in use by the following resources: {users}.",
        "https://github.com/stackshy/cloudemu/pull/967",
    ),
    "azure-native:compute:AvailabilitySet": InUse(
        409,
        "OperationNotAllowed",
        "Availability Set {name} cannot be deleted. Before deleting an Availability Set please ensure that it does not "
        "contain any VM.",
        "https://learn.microsoft.com/azure/virtual-machines/error-messages",
    ),
    "azure-native:compute:Disk": InUse(
        409,
        "OperationNotAllowed",
        "Disk {name} is attached to VM {user}.",
        "https://github.com/Azure/AKS/issues?q=OperationNotAllowed",
    ),
}


def refusal(cloud: Cloud, resource: Resource, going: frozenset[str] = frozenset()) -> AzureError | None:
    """Returns why a resource stays, if it does. What is in `going`, by key, is being deleted with it."""
    for part in [*cloud.inside(resource.id), resource]:
        users = [(user, path) for user, path in cloud.users(part.id) if user.key not in going and user.key != part.key]
        if users and part.kind.token in IN_USE:
            rule = IN_USE[part.kind.token]
            words = rule.words.format(
                id=part.id,
                name=part.name,
                user=users[0][0].id,
                part=cloud.inner_id(*users[0]),
                users=", ".join(user.id for user, _ in users),
            )
            return AzureError(rule.status, rule.code, words)
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
