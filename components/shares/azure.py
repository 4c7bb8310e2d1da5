"""Shares of Azure Files, in a storage account that outlives the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict
from urllib.parse import urlsplit

import pulumi
from pulumi_azure_native import resources, storage

from components.azure_lookup import STACK_TAG, Found, ask_azure
from components.azure_sdk import without_aliases
from components.custom import AccountKey
from components.hosts import DockerHost
from components.plugin import AzureFilePlugin
from components.shares.share import FileShare
from components.state import AZURE_SHARE, FILES, VOLUME, recorded, recorded_of

# GiB, beyond which a standard account is another for good (learn.microsoft.com: create an SMB Azure file share)
PLAIN_QUOTA = 5120
# performance of shares → kind of their account
KINDS = {"standard": "StorageV2", "premium": "FileStorage"}


class AzureFileSharesArgs(TypedDict):
    """Arguments of `AzureFileShares`."""

    host: DockerHost
    """Where volumes are mounted."""
    plugin: AzureFilePlugin
    """The plugin that mounts them."""
    stack: str
    """project/stack: whose the data is, as its tag says."""
    account: str
    """Name of the storage account, taken world-wide."""
    group: str
    """Its resource group, which nothing else is in."""
    location: str
    """Region."""
    nfs: bool
    """NFS 4.1 instead of SMB 3.1.1."""
    premium: bool
    """SSD, provisioned."""
    gib: int
    """Quota of the largest share."""
    redundancy: str
    """LRS, ZRS, GRS or GZRS."""
    subnet_id: NotRequired[pulumi.Input[str] | None]
    """The host's subnet, which is let in."""
    allow_from: list[str]
    """Public addresses that are let in, too."""
    key: str
    """key1 or key2: which of the account's keys is used."""
    soft_delete_days: int
    """How long a deleted share can be had back."""
    retain: bool
    """Keep all of it when the stack is destroyed."""
    protect: bool
    """Refuse to destroy it."""
    tags: dict[str, str]
    """On account and group."""
    found: Mapping[str, Found]
    """Name of a resource → what is there of it, and not in the state."""


class AzureFileShares(pulumi.ComponentResource):
    """A storage account for file shares alone: no public blob, TLS 1.2, and only named networks are let in."""

    account: pulumi.Output[str]
    """Name of the account."""
    server: pulumi.Output[str]
    """Host name of its file service."""
    usable: pulumi.Output[str]
    """Name of the account, known once the plugin can mount its shares."""

    def __init__(self, name: str, args: AzureFileSharesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers group, account and, for SMB, the key on the host."""
        super().__init__("datadocker:index:AzureFileShares", name, {}, without_aliases(opts))
        self.args = args
        self.kept: dict[str, Any] = {"retain_on_delete": args["retain"], "protect": args["protect"]}
        tags = args["tags"] | {STACK_TAG: args["stack"]}
        group = resources.ResourceGroup(
            f"{name}-group",
            resource_group_name=args["group"],
            location=args["location"],
            tags=tags,
            opts=self.options(f"{name}-group"),
        )
        # what a refresh has forgotten in the same update is known only when it is to be made
        before = pulumi.ResourceHook("no-empty-share", self._refuse_empty, pulumi.ResourceHookOptions(on_dry_run=True))
        self.hook = pulumi.ResourceHookBinding(before_create=[before])
        account = storage.StorageAccount(
            f"{name}-account",
            account_name=args["account"],
            resource_group_name=group.name,
            location=args["location"],
            kind=KINDS["premium" if args["premium"] else "standard"],
            sku={"name": f"{'Premium' if args['premium'] else 'Standard'}_{args['redundancy']}"},
            large_file_shares_state="Enabled" if args["gib"] > PLAIN_QUOTA and not args["premium"] else None,
            minimum_tls_version="TLS1_2",
            # NFS knows no encryption that this setting means, and no key
            enable_https_traffic_only=not args["nfs"],
            allow_shared_key_access=not args["nfs"],
            allow_blob_public_access=False,
            allow_cross_tenant_replication=False,
            network_rule_set={
                "default_action": storage.DefaultAction.DENY,
                "bypass": "None",
                "virtual_network_rules": _subnets(args.get("subnet_id")),
                "ip_rules": [{"i_p_address_or_range": a, "action": storage.Action.ALLOW} for a in args["allow_from"]],
            },
            tags=tags,
            opts=self.options(f"{name}-account", hooks=self.hook),
        )
        self.group, self.account = group.name, account.name
        days = args["soft_delete_days"]
        self.service = storage.FileServiceProperties(
            f"{name}-service",
            account_name=account.name,
            resource_group_name=group.name,
            # every account has this one
            file_services_name="default",
            share_delete_retention_policy={"enabled": days > 0, "days": days or None},
            protocol_settings=None
            if args["nfs"]
            else {
                "smb": {
                    "versions": "SMB3.1.1",
                    "authentication_methods": "NTLMv2",
                    "channel_encryption": "AES-128-GCM;AES-256-GCM",
                }
            },
            opts=self.options(f"{name}-service"),
        )
        self.server = account.primary_endpoints.apply(lambda endpoints: urlsplit(endpoints.file).hostname or "")
        self.usable = self.account if args["nfs"] else self._key_on_host(name).account
        # what the next update goes by, where it would replace something
        self.register_outputs({"account": self.account, "retain": args["retain"]})

    def options(self, name: str, **more: Any) -> pulumi.ResourceOptions:
        """Options of the resource `name` that is data: it is taken back if it is there."""
        if found := self.args["found"].get(name):
            pulumi.log.info(f"{name}: {found.id} exists and is taken back")
            more["import_"] = found.id
        # an account of another name is there before the first one goes: that may be refused, and taken back
        return pulumi.ResourceOptions(parent=self, delete_before_replace=False, **self.kept, **more)

    def _refuse_empty(self, made: pulumi.ResourceHookArgs) -> None:
        """An empty one in place of what was deleted would be mounted, and hinder the return of the first."""
        share, account = (made.new_inputs or {}).get("shareName"), self.args["account"]
        mapped = [volume.get("driverOpts") or {} for volume in recorded_of(VOLUME)]
        shares = {options.get("share") for options in mapped if options.get("account") == account}
        # volumes are forgotten with their machine, and these are not; what is not kept a destroy deletes, before them
        files = recorded().get(FILES, {})
        kept = files.get("account") == account and files.get("retain")
        if kept:
            of_stack = recorded_of(AZURE_SHARE)
            shares |= {known.get("share") for known in of_stack if known.get("account") == account}
        if share is None and (shares or kept):
            # learn.microsoft.com: Recover a deleted storage account
            raise pulumi.RunError(
                f"storage account {account} is gone, and the stack's data is on it: have it back before another has "
                "its name (portal: Storage accounts, Restore), then up; to begin with empty shares name another by "
                "datadocker:shares.account, or destroy the stack first"
            )
        if share in shares:
            raise pulumi.RunError(
                f"share {share} of account {account} is gone: undelete it (az storage share-rm list --include-deleted "
                f"--storage-account {account} says its version, az storage share-rm restore --name {share} "
                f"--storage-account {account} --deleted-version VERSION), then up; to begin with an empty one name "
                "another by share: in the volume's settings"
            )

    def _key_on_host(self, name: str) -> AccountKey:
        args = self.args

        async def key(known: list[Any]) -> str:
            names = {"accountName": known[0], "resourceGroupName": known[1]}
            listed = await asyncio.to_thread(ask_azure, "azure-native:storage:listStorageAccountKeys", **names)
            return next(str(key["value"]) for key in listed["keys"] if key["keyName"] == args["key"])

        return AccountKey(
            f"{name}-key",
            {
                "engine": args["host"].engine,
                "root": args["plugin"].root,
                "image": args["plugin"].image,
                "account": self.account,
                "server": self.server,
                "key": pulumi.Output.all(self.account, self.group).apply(key),
            },
            args["host"].resident(self),
        )


class AzureShareArgs(TypedDict):
    """Arguments of `AzureShare`."""

    files: AzureFileShares
    """The account."""
    share: str
    """Its name."""
    gib: int
    """Its quota."""
    tier: NotRequired[str | None]
    """Access tier of a standard share."""


class AzureShare(FileShare):
    """A share whose data stays when the stack goes, unless its account is not retained."""

    def __init__(self, name: str, args: AzureShareArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the share."""
        super().__init__(AZURE_SHARE, name, {}, without_aliases(opts))
        files, nfs = args["files"], args["files"].args["nfs"]
        # the service's settings count for what is made afterwards; of a standard share Azure does not say its protocol,
        # which is no reason to replace it (github.com/pulumi/pulumi-azure-native/issues/1751)
        options = files.options(
            f"{name}-files", depends_on=[files.service], ignore_changes=["enabledProtocols"], hooks=files.hook
        )
        options.parent = self
        made = storage.FileShare(
            f"{name}-files",
            share_name=args["share"],
            account_name=files.account,
            resource_group_name=files.group,
            share_quota=args["gib"],
            enabled_protocols="NFS" if nfs else "SMB",
            # a server's files belong to its own user, whom squashing would turn into another
            root_squash="NoRootSquash" if nfs else None,
            access_tier=args.get("tier"),
            opts=options,
        )
        self.options = (
            {"protocol": "nfs", "server": files.server, "account": files.account}
            if nfs
            else {"protocol": "smb", "account": files.account}
        )
        self.share = pulumi.Output.all(made.name, files.usable).apply(lambda known: str(known[0]))
        self.register_outputs({"share": self.share, "account": files.account})


def _subnets(subnet_id: pulumi.Input[str] | None) -> list[storage.VirtualNetworkRuleArgsDict]:
    if subnet_id is None:
        return []
    return [{"virtual_network_resource_id": subnet_id, "action": storage.Action.ALLOW}]
