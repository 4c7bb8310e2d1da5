"""Ids in properties: of which type the resource is that a property names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure.errors import AzureError, bad_request, not_parsed
from tests.azure.kinds import KINDS, kind_of
from tests.azure.resource import Resource

# how a path ends, and the type that it names
NAMED = {
    "availabilitySet.id": "azure-native:compute:AvailabilitySet",
    "managedDisk.id": "azure-native:compute:Disk",
    "natGateway.id": "azure-native:network:NatGateway",
    "networkInterfaces[].id": "azure-native:network:NetworkInterface",
    "networkSecurityGroup.id": "azure-native:network:NetworkSecurityGroup",
    "publicIPAddress.id": "azure-native:network:PublicIPAddress",
    "publicIpAddresses[].id": "azure-native:network:PublicIPAddress",
    "subnet.id": "azure-native:network:Subnet",
    "virtualNetworkRules[].virtualNetworkResourceId": "azure-native:network:Subnet",
}


def named(path: str) -> str | None:
    """Returns the type that an id at this path names, if the path is one of ids."""
    return NAMED.get(".".join(re.sub(r"\[\d+\]", "[]", path).split(".")[-2:]))


def link_refusals(new: Resource) -> Iterator[AzureError]:
    """Yields what is wrong with the ids that a resource names, whether what they name exists or not.

    https://github.com/Azure/avdaccelerator/issues/84
    """
    for path, value in new.texts():
        token = named(path)
        if token and not re.match("/(subscriptions|providers)/", value, re.IGNORECASE):
            yield bad_request(
                "LinkedInvalidPropertyId",
                f"Property id '{value}' at path 'properties.{path}' is invalid. Expect fully qualified resource Id "
                "that start with '/subscriptions/{subscriptionId}' or '/providers/{resourceProviderNamespace}/'.",
            )
        elif token and kind_of(value) is not KINDS[token]:
            yield not_parsed(new.kind, path, value)
