"""The network of a virtual machine on Azure: closed, but for what is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import network

from components.state import HOST_INTERFACE, HOST_SUBNET, lasting, recorded

NETWORK = "azure-native:network:VirtualNetwork"
SSH_PORT = 22
SUBNET = "host"
# how Azure counts: rules are read from the lowest number, its own begin at 65000
FIRST_PRIORITY, LAST_PRIORITY = 100, 4096


class Opening(TypedDict):
    """A port that named networks reach."""

    name: str
    """Name of the rule."""
    port: int
    """TCP port."""
    sources: Sequence[str]
    """Networks, or the one word Internet."""


class NetworkSettings(TypedDict):
    """What a machine's network is to be, where the network itself is not known yet."""

    openings: Sequence[Opening]
    """What is open, SSH included."""
    subnet_id: NotRequired[str | None]
    """An existing subnet; by default a network is made."""
    address_range: str
    """Range of the network that is made."""
    subnet_range: str
    """Range of its subnet."""
    far_shares: bool
    """Whether the shares are in another region."""
    nat_gateway: bool
    """Make a way out for machines without a public address."""
    public_ip: bool
    """Make a public address."""
    dns_label: NotRequired[str | None]
    """Name of the public address, in the region's domain."""
    private_ip: NotRequired[str | None]
    """Private address; by default Azure picks one."""
    accelerated: bool
    """Accelerated networking."""


class AzureNetworkArgs(NetworkSettings):
    """Arguments of `AzureNetwork`."""

    base: str
    """What every name begins with."""
    group: pulumi.Input[str]
    """Resource group."""
    location: str
    """Region."""
    tags: dict[str, str]
    """On all of it."""


class AzureNetwork(pulumi.ComponentResource):
    """Network, security group, addresses and the network interface of a machine; they outlive the machine."""

    interface_id: pulumi.Output[str]
    """Id of the network interface."""
    subnet_id: pulumi.Output[str]
    """Id of the subnet, which a storage account lets in, known once the interface is in it."""
    public_address: pulumi.Output[str] | None
    """The public address, if there is one."""
    private_address: pulumi.Output[str]
    """The address in the subnet."""

    def __init__(self, name: str, args: AzureNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers all of it."""
        super().__init__("datadocker:index:AzureNetwork", name, {}, opts)
        self._name, self._args = name, args
        # said although azure-native says so: Pulumi does not ask it again after a replacement that failed and was taken
        # back, and would then make the new resource under the old one's id, and delete that id
        self._child = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        rules = network.NetworkSecurityGroup(
            f"{name}-rules",
            network_security_group_name=f"{args['base']}-nsg",
            resource_group_name=args["group"],
            location=args["location"],
            security_rules=_rules(args["openings"]),
            tags=args["tags"],
            opts=self._child,
        )
        subnet_id = self._subnet()
        address = self._address("ip", args.get("dns_label")) if args["public_ip"] else None
        private_ip = args.get("private_ip")
        interface = network.NetworkInterface(
            f"{name}-card",
            network_interface_name=f"{args['base']}-nic",
            resource_group_name=args["group"],
            location=args["location"],
            enable_accelerated_networking=args["accelerated"],
            network_security_group={"id": rules.id},
            ip_configurations=[
                {
                    "name": "primary",
                    "primary": True,
                    "subnet": {"id": subnet_id},
                    "private_ip_address": private_ip,
                    "private_ip_allocation_method": "Static" if private_ip else "Dynamic",
                    "public_ip_address": {"id": address.id} if address else None,
                }
            ],
            tags=args["tags"],
            opts=pulumi.ResourceOptions(
                parent=self,
                # a machine that runs, or whose size does not take it yet, is refused it: both are made anew
                replace_on_changes=["enableAcceleratedNetworking"],
                delete_before_replace=True,
            ),
        )
        self.interface_id = interface.id
        # an account is refused a subnet that Azure is still changing; the URN, other than the id, a preview knows, too
        self.subnet_id = pulumi.Output.all(subnet_id, interface.urn).apply(lambda known: str(known[0]))
        self.public_address = address.ip_address.apply(str) if address else None
        self.private_address = interface.ip_configurations.apply(lambda found: str(found[0].private_ip_address))  # type: ignore[index]
        self.register_outputs({"subnetId": self.subnet_id})

    def _subnet(self) -> pulumi.Output[str]:
        args = self._args
        if given := args.get("subnet_id"):
            return pulumi.Output.from_input(given)
        made = network.VirtualNetwork(
            f"{self._name}-network",
            virtual_network_name=f"{args['base']}-vnet",
            resource_group_name=args["group"],
            location=args["location"],
            address_space={"address_prefixes": [args["address_range"]]},
            tags=args["tags"],
            opts=self._child,
        )
        life = lasting(made, NETWORK, f"{self._name}-network", "resourceGuid", made.resource_guid)
        # a list inside of the network would delete the subnets that others add to it, such as a jump host's
        return network.Subnet(
            f"{self._name}-subnet",
            subnet_name=life.apply(self._subnet_name),
            virtual_network_name=made.name,
            resource_group_name=args["group"],
            address_prefix=args["subnet_range"],
            # by it a storage account's firewall tells this subnet from others; the first one does so in its own region
            # and the one it is paired with, and a subnet has one of the two (learn.microsoft.com: virtual network rules
            # of a storage account, "cross-region service endpoints")
            service_endpoints=[{"service": f"Microsoft.Storage{'.Global' if args['far_shares'] else ''}"}],
            default_outbound_access=False,
            nat_gateway={"id": self._way_out()} if args["nat_gateway"] else None,
            opts=self._child,
        ).id

    def _subnet_name(self, life: str) -> str:
        """Another one in each network: no account lets in a subnet by the id of one that it let in and that is gone."""
        before, subnet = recorded().get((NETWORK, f"{self._name}-network"), {}), recorded().get(HOST_SUBNET, {})
        # one that a move took away, which then failed, is recorded until it is made in the other region
        at, here = recorded().get(HOST_INTERFACE, {}).get("location"), self._args["location"]
        moved = at is not None and str(at).replace(" ", "").lower() != here.replace(" ", "").lower()
        # one that stands may be named without it, and another name would replace it
        stands = before.get("resourceGuid") == life and subnet.get("name") == SUBNET and not moved
        return SUBNET if stands else f"{SUBNET}-{life[:8]}"

    def _way_out(self) -> pulumi.Output[str]:
        args = self._args
        return network.NatGateway(
            f"{self._name}-nat",
            nat_gateway_name=f"{args['base']}-nat",
            resource_group_name=args["group"],
            location=args["location"],
            sku={"name": "Standard"},
            public_ip_addresses=[{"id": self._address("nat-ip").id}],
            tags=args["tags"],
            opts=self._child,
        ).id

    def _address(self, suffix: str, label: str | None = None) -> network.PublicIPAddress:
        args = self._args
        return network.PublicIPAddress(
            f"{self._name}-{suffix}",
            public_ip_address_name=f"{args['base']}-{suffix}",
            resource_group_name=args["group"],
            location=args["location"],
            # Basic addresses are retired; one of no zone is in all of them, and stays when the machine moves
            sku={"name": "Standard", "tier": "Regional"},
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            dns_settings={"domain_name_label": label} if label else None,
            tags=args["tags"],
            # Azure says which gateway has it, which a refresh takes for an input
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True, ignore_changes=["natGateway"]),
        )


def _rules(openings: Sequence[Opening]) -> list[network.SecurityRuleArgsDict]:
    allowed = [
        _rule(opening["name"], FIRST_PRIORITY + 10 * i, "Allow", str(opening["port"]), opening["sources"])
        for i, opening in enumerate(openings)
    ]
    # Azure's own rules would let in the whole virtual network and what is peered with it
    return [*allowed, _rule("nothing-else", LAST_PRIORITY, "Deny", "*", ["*"])]


def _rule(name: str, priority: int, access: str, port: str, sources: Sequence[str]) -> network.SecurityRuleArgsDict:
    rule: network.SecurityRuleArgsDict = {
        "name": name,
        "priority": priority,
        "access": access,
        "direction": "Inbound",
        "protocol": "Tcp" if access == "Allow" else "*",
        "source_port_range": "*",
        "destination_address_prefix": "*",
        "destination_port_range": port,
    }
    # one source and several are two properties
    if len(sources) == 1:
        rule["source_address_prefix"] = sources[0]
    else:
        rule["source_address_prefixes"] = list(sources)
    return rule
