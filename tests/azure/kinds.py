"""The resource types that the stand-in has: where Azure keeps them and which of their properties force a new one.

What else there is to know of a type is read from the SDK, see `schema`. The table is what the SDK has not:
- paths: Azure's REST specifications, https://github.com/Azure/azure-rest-api-specs;
- `replaced_by`: pulumi-azure-native's schema.json, `willReplaceOnChanges`, which holds x-ms-mutability of the
  specifications and provider/pkg/gen/replacement.go of https://github.com/pulumi/pulumi-azure-native. The names in a
  path force a replacement as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.azure import schema

GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"


@dataclass(frozen=True)
class Kind:
    """One resource type."""

    token: str
    path: str
    replaced_by: frozenset[str] = frozenset()
    singleton: bool = False
    """It comes with its parent and is never deleted: only set, and set back."""
    inline: Mapping[str, str] = field(default_factory=dict)
    """Properties that hold children inline, and the children's token: absent from a program, they are left alone."""
    maintained: frozenset[str] = frozenset()
    """Properties that are left alone, too, and whose children the stand-in has not as resources."""
    kept: frozenset[str] = frozenset()
    """Properties of which Azure keeps what a change leaves out."""
    kept_whole: frozenset[str] = frozenset()
    """Properties that Azure keeps if a change leaves them out, and of which it keeps nothing otherwise."""

    @cached_property
    def azure_type(self) -> str:
        """Such as Microsoft.Network/virtualNetworks/subnets."""
        if "/providers/" not in self.path:
            return "Microsoft.Resources/resourceGroups"
        namespace, *steps = self.path.split("/providers/")[1].split("/")
        return "/".join([namespace, *steps[::2]])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names in its path, from the resource group on."""
        return tuple(re.findall(r"\{(\w+)\}", self.path))[1:]

    @property
    def own_name(self) -> str:
        """The property that holds its name."""
        return self.names[-1]

    @property
    def parent_path(self) -> str | None:
        """Where its parent is, if that is not the resource group."""
        parent = self.path[: self.path[:-1].rfind("}") + 1]
        return parent if "/providers/" in parent else None

    @property
    def randomly_named(self) -> bool:
        """Whether a name that is not given gets a random suffix: AutoNamer, provider/pkg/resources/resources.go."""
        return self.path.split("/providers/")[-1].count("{") == 1 or "/providers/" not in self.path

    @property
    def inputs(self) -> Mapping[str, schema.Property]:
        return schema.inputs(self.token)

    @property
    def located(self) -> bool:
        return "location" in self.inputs

    def id(self, subscription: str, inputs: Mapping[str, Any]) -> str:
        """Returns the id that a resource with these inputs has."""
        return self._filled(self.path, subscription, inputs)

    def parent_id(self, subscription: str, inputs: Mapping[str, Any]) -> str | None:
        return self.parent_path and self._filled(self.parent_path, subscription, inputs)

    def names_in(self, resource_id: str) -> dict[str, str]:
        """Returns the names of the path that an id holds.

        Raises:
            ValueError: if the id is not of this type.
        """
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path)
        found = re.fullmatch(pattern, resource_id, re.IGNORECASE)
        if not found:
            raise ValueError(f"'{resource_id}' is no id of a {self.azure_type}")
        return {name: value for name, value in found.groupdict().items() if name != "subscriptionId"}

    @staticmethod
    def _filled(path: str, subscription: str, inputs: Mapping[str, Any]) -> str:
        return re.sub(
            r"\{(\w+)\}", lambda name: subscription if name[1] == "subscriptionId" else str(inputs[name[1]]), path
        )


NETWORK = f"{GROUP}/providers/Microsoft.Network"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
ACCOUNT = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/{{accountName}}"

KINDS = {
    kind.token: kind
    for kind in [
        Kind("azure-native:resources:ResourceGroup", GROUP, frozenset({"location"})),
        Kind(
            "azure-native:network:VirtualNetwork",
            f"{NETWORK}/virtualNetworks/{{virtualNetworkName}}",
            frozenset({"location"}),
            inline={"subnets": "azure-native:network:Subnet"},
            maintained=frozenset({"virtualNetworkPeerings"}),
        ),
        Kind("azure-native:network:Subnet", f"{NETWORK}/virtualNetworks/{{virtualNetworkName}}/subnets/{{subnetName}}"),
        Kind(
            "azure-native:network:NetworkSecurityGroup",
            f"{NETWORK}/networkSecurityGroups/{{networkSecurityGroupName}}",
            inline={"securityRules": "azure-native:network:SecurityRule"},
        ),
        Kind(
            "azure-native:network:SecurityRule",
            f"{NETWORK}/networkSecurityGroups/{{networkSecurityGroupName}}/securityRules/{{securityRuleName}}",
        ),
        Kind(
            "azure-native:network:PublicIPAddress",
            f"{NETWORK}/publicIPAddresses/{{publicIpAddressName}}",
            frozenset({"location", "publicIPAddressVersion", "publicIPPrefix", "sku"}),
        ),
        Kind("azure-native:network:NetworkInterface", f"{NETWORK}/networkInterfaces/{{networkInterfaceName}}"),
        Kind("azure-native:network:NatGateway", f"{NETWORK}/natGateways/{{natGatewayName}}"),
        Kind(
            "azure-native:compute:VirtualMachine",
            f"{COMPUTE}/virtualMachines/{{vmName}}",
            kept=frozenset(
                {"availabilitySet", "hardwareProfile", "networkProfile", "osProfile", "storageProfile", "zones"}
            ),
            kept_whole=frozenset({"identity"}),
        ),
        Kind(
            "azure-native:compute:VirtualMachineRunCommandByVirtualMachine",
            f"{COMPUTE}/virtualMachines/{{vmName}}/runCommands/{{runCommandName}}",
        ),
        Kind(
            "azure-native:compute:AvailabilitySet",
            f"{COMPUTE}/availabilitySets/{{availabilitySetName}}",
            kept=frozenset({"platformFaultDomainCount", "platformUpdateDomainCount"}),
        ),
        Kind("azure-native:compute:Disk", f"{COMPUTE}/disks/{{diskName}}", kept=frozenset({"diskSizeGB"})),
        Kind("azure-native:storage:StorageAccount", ACCOUNT, frozenset({"isHnsEnabled", "location"})),
        Kind(
            "azure-native:storage:FileShare",
            f"{ACCOUNT}/fileServices/default/shares/{{shareName}}",
            frozenset({"enabledProtocols"}),
        ),
        Kind(
            "azure-native:storage:FileServiceProperties", f"{ACCOUNT}/fileServices/{{fileServicesName}}", singleton=True
        ),
    ]
}


def kind_of(resource_id: str) -> Kind | None:
    """Returns the type that an id names, if the stand-in has it."""
    for kind in KINDS.values():
        try:
            kind.names_in(resource_id)
        except ValueError:
            continue
        return kind
    return None
