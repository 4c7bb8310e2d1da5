"""The settings of a host and of shares on Azure, each by itself: what goes together is in stacks/azure_sections.py.

Every flag of docker-machine's azure driver that still makes sense has one: docs/azure.md has the table.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stacks.azure_names import (
    AccountTags,
    AdminUser,
    DNSLabel,
    HostTags,
    IdentityId,
    JumpHost,
    Location,
    MachineImage,
    MachineName,
    MachineSize,
    OwnRange,
    PrivateAddress,
    PublicSources,
    ResourceGroupName,
    SetName,
    Sources,
    StorageAccountName,
    SubnetId,
    Zone,
    network,
)
from stacks.section import Section

DEFAULT_QUOTA = 100


class AzureDiskSettings(Section):
    """The virtual machine's disk. Containers and images are on it, no data is."""

    size: Annotated[int, Field(ge=30, le=4095)] = Field(default=32, description="GiB.")
    type: Literal["Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS"] = Field(
        default="StandardSSD_LRS",
        description="Standard: HDD; StandardSSD: SSD; Premium: for sizes with an s in their name. ZRS: in three zones.",
    )


class AzureNetworkSettings(Section):
    """The network that is made for the host, unless subnetId names one of yours."""

    address_space: OwnRange | None = Field(default=None, description="Default: 10.60.0.0/16.")
    subnet: OwnRange | None = Field(default=None, description="A part of addressSpace. Default: its first /24.")
    subnet_id: SubnetId | None = Field(
        default=None,
        description="An existing subnet; with the service endpoint Microsoft.Storage for shares, or "
        "Microsoft.Storage.Global for those of another region.",
    )
    outbound: Literal["natGateway", "given"] | None = Field(
        default=None,
        description="How a host without public address reaches Debian's mirrors and PyPI. Default: natGateway, which "
        "is made.",
    )

    @property
    def address_range(self) -> str:
        """The network's range."""
        return self.address_space or "10.60.0.0/16"

    @property
    def subnet_range(self) -> str:
        """The subnet's range."""
        if self.subnet:
            return self.subnet
        whole = network(self.address_range)
        return str(next(whole.subnets(new_prefix=max(24, whole.prefixlen))))


class AzureHostSettings(Section):
    """A virtual machine on Azure (docker-machine's azure driver)."""

    kind: Literal["azure"] = Field(description="A virtual machine that the stack makes.")
    location: Location = Field(description="Region, such as westeurope.")
    ssh_from: Annotated[Sources, Field(min_length=1)] = Field(
        description="Networks that reach SSH; else, only databases are open, to their `allowFrom`. Internet, spelt so, "
        "is all of it."
    )
    name: MachineName | None = Field(default=None, description="Default: <project>-<stack>.")
    resource_group: ResourceGroupName | None = Field(
        default=None, description="Made, and deleted with the stack. Default: the machine's name."
    )
    existing_resource_group: ResourceGroupName | None = Field(
        default=None, description="One that exists and is left as it is, instead of resourceGroup."
    )
    network: AzureNetworkSettings = Field(
        default=AzureNetworkSettings(), description="The host's network; one is made unless subnetId names one."
    )
    public_ip: bool = Field(default=True, description="A static address of its own (Standard).")
    dns_label: DNSLabel | None = Field(default=None, description="<label>.<location>.cloudapp.azure.com.")
    private_ip: PrivateAddress | None = Field(default=None, description="Default: Azure picks one of the subnet.")
    jump_host: JumpHost | None = Field(
        default=None, description="[user@]host[:port] by which ssh reaches the private address."
    )
    private_route: bool = Field(
        default=False, description="The private address is reached from here, by VPN or peering."
    )
    user: AdminUser = Field(
        default="datadocker", description="Who logs in; a member of the group docker. A change makes the machine anew."
    )
    identity_file: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="Private key file, mode 0600, its .pub beside it; by default the stack makes a pair. Another "
        "key makes the machine anew, and at the same path is refused.",
    )
    size: MachineSize = Field(default="Standard_B2s", description="Size; a change restarts the machine.")
    image: MachineImage = Field(
        default="Debian:debian-12:12-gen2:latest",
        description="Debian 12: publisher:offer:sku:version, or an id. A change makes the machine anew.",
    )
    disk: AzureDiskSettings = Field(
        default=AzureDiskSettings(), description="The machine's disk; a change makes the machine anew."
    )
    zone: Zone | None = Field(
        default=None, description='Availability zone, in quotes: "1"; a change makes the machine anew.'
    )
    availability_set: SetName | None = Field(
        default=None, description="One that is made, instead of a zone; a change makes the machine anew."
    )
    accelerated_networking: bool = Field(
        default=False, description="Where the size has it; a change makes the machine anew."
    )
    custom_data: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="A cloud-config or script file that runs besides ours; a change makes the machine anew.",
    )
    system_identity: bool = Field(
        default=False,
        description="Give the machine a managed identity of its own. Containers on Docker's bridge can get its token, "
        "too, from 169.254.169.254.",
    )
    identities: list[IdentityId] = Field(
        default=[],
        description="Ids of user-assigned identities for the machine. Containers on Docker's bridge can get their "
        "tokens, too, from 169.254.169.254.",
    )
    tags: HostTags = Field(default={}, description="On everything that is made.")

    @property
    def nat_gateway(self) -> bool:
        """Whether a way out is made."""
        return not self.public_ip and not self.network.subnet_id

    def base(self, default: str) -> str:
        """What names begin with: the machine's own name, or `default`."""
        return self.name or default

    def group(self, default: str) -> str:
        """Its resource group, where names begin with `default`."""
        return self.existing_resource_group or self.resource_group or self.base(default)


class AzureSharesSettings(Section):
    """Shares of Azure Files, in a resource group of their own that outlives the host."""

    kind: Literal["azure"] = Field(description="A storage account that the stack makes.")
    account: StorageAccountName | None = Field(
        default=None, description="Taken world-wide, once. Default: made of subscription, project and stack."
    )
    resource_group: ResourceGroupName | None = Field(default=None, description="Default: <project>-<stack>-data.")
    location: Location | None = Field(default=None, description="Default: the host's.")
    protocol: Literal["smb", "nfs"] = Field(default="smb", description="nfs needs performance: premium.")
    performance: Literal["standard", "premium"] = Field(default="standard", description="premium: SSD, provisioned.")
    redundancy: Literal["LRS", "ZRS", "GRS", "GZRS"] = Field(default="LRS", description="premium: LRS or ZRS.")
    quota: int | None = Field(
        default=None,
        description="GiB for each share; premium: at least 100, and 102400 together. Beyond 5120 a standard account is "
        "one for large shares, for good. Default: 100.",
    )
    tier: Literal["TransactionOptimized", "Hot", "Cool"] | None = Field(
        default=None, description="Of standard shares. Default: TransactionOptimized."
    )
    key: Literal["key1", "key2"] = Field(default="key1", description="Which account key is used, so that keys rotate.")
    soft_delete_days: Annotated[int, Field(ge=0, le=365)] = Field(
        default=7, description="How long a deleted share can be had back; 0: not at all."
    )
    allow_from: PublicSources = Field(
        default=[], description="Public addresses that reach the shares besides the host's subnet."
    )
    retain: bool = Field(
        default=True,
        description="Keep account, shares and data when the stack is destroyed, or no volume is on a share any more.",
    )
    protect: bool | None = Field(
        default=None, description="Let destroy fail as long as this is set. Default: true in production."
    )
    tags: AccountTags = Field(default={}, description="On account and resource group.")

    @property
    def gib(self) -> int:
        """Quota of each share."""
        return self.quota or DEFAULT_QUOTA

    def group(self, default: str) -> str:
        """Its resource group, where the stack's names begin with `default`; the machine may get another name."""
        return self.resource_group or f"{default}-data"
