"""Rules of storage accounts and file shares."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, bad_request, conflict
from tests.azure.rules import rule
from tests.azure.sizes import UNPAIRED, ZONED
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

# GiB, https://learn.microsoft.com/azure/storage/files/storage-files-scale-targets
PREMIUM_QUOTA, V2_QUOTA = (100, 102400), (32, 262144)
STANDARD_QUOTA, PLAIN_QUOTA = (1, 102400), (1, 5120)
# https://learn.microsoft.com/azure/storage/common/storage-account-overview
PLAIN = ("Standard_LRS", "Standard_GRS", "Standard_RAGRS")
SKUS = {
    "StorageV2": (*PLAIN, "Standard_ZRS", "Standard_GZRS", "Standard_RAGZRS", "Premium_LRS"),
    "Storage": (*PLAIN, "Premium_LRS"),
    "BlobStorage": PLAIN,
    "BlockBlobStorage": ("Premium_LRS", "Premium_ZRS"),
    "FileStorage": (
        *("Premium_LRS", "Premium_ZRS", "PremiumV2_LRS", "PremiumV2_ZRS"),
        *("StandardV2_LRS", "StandardV2_GRS", "StandardV2_ZRS", "StandardV2_GZRS"),
    ),
}
# of an account's firewall
MOST_ADDRESSES = 400
# the state of its rule whose subnet is gone
DELETED = "NetworkSourceDeleted"
PRIVATE = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
HEADERS = "The value for one of the HTTP headers is not in the correct format."


@rule("storage:StorageAccount", source="https://github.com/hashicorp/terraform/issues/11485")
def an_accounts_name_is_unique_in_the_world(cloud: Cloud, new: Resource) -> AzureError | None:
    others = (o for o in cloud.of_type(new.kind.token) if o.key != new.key)
    if new.name in cloud.faults.taken_names or any(o.name == new.name for o in others):
        return conflict("StorageAccountAlreadyTaken", f"The storage account named {new.name} is already taken.")
    return None


@rule("storage:StorageAccount", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/8089")
def a_kind_has_skus_of_its_own(cloud: Cloud, new: Resource) -> AzureError | None:
    if one(new.inputs, "sku.name") not in SKUS[new.inputs["kind"]]:
        return bad_request(
            "InvalidValuesForRequestParameters",
            "Values for request parameters are invalid: kind, sku. For more information, see - "
            "https://aka.ms/storageaccounttypes",
        )
    return None


@rule("storage:StorageAccount", source="https://github.com/Azure/azure-cli/issues/5115")
def an_account_for_blobs_has_a_tier(cloud: Cloud, new: Resource) -> AzureError | None:
    if new.inputs["kind"] == "BlobStorage" and not new.inputs.get("accessTier") and not cloud.lookup(new.id):
        # the words are known, the code is not
        return bad_request("AccountPropertyIsRequired", "Account property accessTier is required for the request.")
    return None


@rule("storage:StorageAccount", source="https://learn.microsoft.com/azure/storage/common/storage-account-upgrade")
def an_account_keeps_its_kind(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    if not old:
        return None
    before, after = old.inputs["kind"], new.inputs["kind"]
    if before != after and (before, after) not in (("Storage", "StorageV2"), ("BlobStorage", "StorageV2")):
        return bad_request("InvalidRequestPropertyValue", f"The value '{after}' is not allowed for property kind.")
    premium = [str(one(r.inputs, "sku.name")).startswith("Premium") for r in (old, new)]
    if premium[0] != premium[1]:
        return bad_request(
            "InvalidRequestPropertyValue",
            f"The value '{one(new.inputs, 'sku.name')}' is not allowed for property sku.name.",
        )
    return None


@rule("storage:StorageAccount", source="https://github.com/hashicorp/terraform-provider-azurerm/issues/6526")
def zones_are_a_matter_of_migration(cloud: Cloud, new: Resource) -> AzureError | None:
    old = cloud.lookup(new.id)
    if old and len({"ZRS" in str(one(r.inputs, "sku.name")) for r in (old, new)}) > 1:
        return bad_request(
            "StorageAccountTypeConversionNotAllowed", "The storage account does not support account type conversion."
        )
    return None


@rule("storage:StorageAccount", source="https://learn.microsoft.com/azure/storage/common/storage-network-security")
def a_subnet_that_is_let_in_has_an_endpoint(cloud: Cloud, new: Resource) -> AzureError | None:
    for reference in new.inputs_at("networkRuleSet.virtualNetworkRules[].virtualNetworkResourceId"):
        subnet = cloud.lookup(reference)
        services = subnet.inputs_at("serviceEndpoints[].service") if subnet else []
        if not any(service.startswith("Microsoft.Storage") for service in services):
            network, _, name = reference.partition("/subnets/")
            return bad_request(
                "NetworkAclsValidationFailure",
                "Validation of network acls failure: SubnetsHaveNoServiceEndpointsConfigured:Subnets "
                f"{name} of virtual network {network} do not have ServiceEndpoints for Microsoft.Storage resources "
                "configured. Add Microsoft.Storage to subnet's ServiceEndpoints collection before trying to ACL "
                "Microsoft.Storage resources to these subnets..",
            )
    return None


@rule("storage:StorageAccount", source="https://github.com/Azure/azure-rest-api-specs/issues/11143")
def a_subnet_that_changes_is_let_in_nowhere(cloud: Cloud, new: Resource) -> AzureError | None:
    for reference in new.inputs_at("networkRuleSet.virtualNetworkRules[].virtualNetworkResourceId"):
        if any(user.key in cloud.making for user, _ in cloud.users(reference)):
            network, _, name = reference.partition("/subnets/")
            return bad_request(
                "NetworkAclsValidationFailure",
                "Validation of network acls failure: SubnetsNotProvisioned:Cannot proceed with operation because "
                f"subnets {name} of the virtual network {network} are not provisioned. They are in Updating state..",
            )
    return None


@rule("storage:StorageAccount", source="https://github.com/MicrosoftDocs/azure-docs/pull/71743")
def a_subnet_made_anew_is_let_in_once_no_account_has_the_deleted_one(cloud: Cloud, new: Resource) -> AzureError | None:
    for reference in new.inputs_at("networkRuleSet.virtualNetworkRules[].virtualNetworkResourceId"):
        accounts = [
            account.name
            for account in cloud.of_type(new.kind.token)
            for allowed in account.inputs_at("networkRuleSet.virtualNetworkRules[]")
            if allowed.get("state") == DELETED and allowed["virtualNetworkResourceId"].lower() == reference.lower()
        ]
        if accounts:
            # the code and the words are known, the status is not
            return bad_request(
                "NetworkAclsNetworkSourceDeleted",
                f"NetworkAcls VirtualNetworkRule {reference} with state {DELETED} in accounts {','.join(accounts)} is "
                "required to be removed before it can be added again.",
            )
    return None


@rule("storage:StorageAccount", source="https://github.com/Azure/azure-cli/issues/13828")
def addresses_that_are_let_in_are_the_worlds(cloud: Cloud, new: Resource) -> AzureError | None:
    given = [str(address) for address in new.inputs_at("networkRuleSet.ipRules[].iPAddressOrRange")]
    # https://github.com/hashicorp/terraform-provider-azurerm/pull/20870, and storage-network-security of Azure's guide
    if len(given) > MOST_ADDRESSES or len(set(given)) < len(given) or not all(map(_is_let_in, given)):
        return bad_request(
            "InvalidValuesForRequestParameters",
            "Values for request parameters are invalid: networkAcls.ipRule[*].value. For more information, see - "
            "https://aka.ms/storagenetworkruleset",
        )
    return None


@rule("storage:StorageAccount", source="https://github.com/Esri/arcgis-gitops/issues/160")
def copies_are_where_azure_has_room_for_them(cloud: Cloud, new: Resource) -> AzureError | None:
    kind, sku = new.inputs["kind"], str(one(new.inputs, "sku.name"))
    # another region's copy: https://learn.microsoft.com/azure/reliability/regions-paired
    if ("ZRS" in sku and new.location not in ZONED) or ("_G" in sku and new.location in UNPAIRED):
        return bad_request(
            "RedundancyConfigurationNotAvailableInRegion",
            f"The storage account failed to create due to redundancy configuration - Sku: {sku}, Kind: {kind} - not "
            f"available in selected Region - {new.location}. Please make sure the redundancy configuration selected is "
            "available in your region. For more information about redundancy configurations, see "
            "https://docs.microsoft.com/en-us/azure/storage/common/storage-redundancy",
        )
    return None


@rule("storage:FileShare", source="https://github.com/Azure/azure-cli/issues/32510")
def nfs_is_for_premium_files(cloud: Cloud, new: Resource) -> AzureError | None:
    account = cloud.parent(new).inputs
    solid = account["kind"] == "FileStorage" and one(account, "sku.name").startswith("Premium")
    if new.inputs.get("enabledProtocols") == "NFS" and not solid:
        return bad_request("FeatureNotSupportedForAccount", "NfsFileShares is not supported for the account.")
    return None


@rule("storage:FileShare", source="https://github.com/turbot/steampipe-plugin-azure/pull/478")
def not_every_account_has_files(cloud: Cloud, new: Resource) -> AzureError | None:
    account = cloud.parent(new)
    blobs_only = account.inputs["kind"] in ("BlobStorage", "BlockBlobStorage")
    pages_only = account.inputs["kind"] != "FileStorage" and one(account.inputs, "sku.name").startswith("Premium")
    if blobs_only or pages_only:
        return bad_request("FeatureNotSupportedForAccount", "File is not supported for the account.")
    return None


@rule("storage:FileShare", source="https://github.com/Azure/azure-cli/issues/18405")
def a_quota_is_within_its_accounts_limits(cloud: Cloud, new: Resource) -> AzureError | None:
    low, high = quotas(cloud.parent(new))
    if not low <= new.inputs.get("shareQuota", low) <= high:
        return bad_request("InvalidHeaderValue", HEADERS)
    return None


@rule("storage:FileShare", source="https://learn.microsoft.com/rest/api/storageservices/file-service-error-codes")
def premium_shares_have_a_limit_together(cloud: Cloud, new: Resource) -> AzureError | None:
    account = cloud.parent(new)
    if account.inputs["kind"] != "FileStorage":
        return None
    others = [share for share in cloud.children(account.id, new.kind.token) if share.key != new.key]
    _, most = quotas(account)
    if sum(share.inputs.get("shareQuota", most) for share in [*others, new]) > most:
        return conflict(
            "TotalSharesProvisionedCapacityExceedsAccountLimit",
            "The total provisioned capacity of the shares has exceeded the account maximum size limit.",
        )
    return None


@rule(
    "storage:StorageAccount", source="https://learn.microsoft.com/azure/storage/files/storage-how-to-create-file-share"
)
def large_shares_stay(cloud: Cloud, new: Resource) -> AzureError | None:
    if new.facts.get("large") and new.inputs.get("largeFileSharesState") == "Disabled":
        return bad_request(
            "InvalidRequestPropertyValue", "The value 'Disabled' is not allowed for property largeFileSharesState."
        )
    return None


@rule("storage:FileShare", source="https://github.com/pulumi/pulumi-azure-native/issues/786")
def tiers_are_of_one_kind_of_account(cloud: Cloud, new: Resource) -> AzureError | None:
    tier = new.inputs.get("accessTier")
    premium = cloud.parent(new).inputs["kind"] == "FileStorage"
    if tier is not None and (tier == "Premium") != premium:
        return bad_request("InvalidHeaderValue", HEADERS)
    return None


@rule("storage:FileShare", source="https://learn.microsoft.com/rest/api/storagerp/file-shares/create")
def squashing_is_for_nfs(cloud: Cloud, new: Resource) -> AzureError | None:
    if new.inputs.get("rootSquash") is not None and new.inputs.get("enabledProtocols") != "NFS":
        return bad_request("InvalidHeaderValue", HEADERS)
    return None


def quotas(account: Resource) -> tuple[int, int]:
    """Returns the least and the greatest quota of an account's shares, in GiB."""
    if account.inputs["kind"] == "FileStorage":
        return V2_QUOTA if "V2_" in one(account.inputs, "sku.name") else PREMIUM_QUOTA
    return STANDARD_QUOTA if account.facts.get("large") else PLAIN_QUOTA


def _is_let_in(text: str) -> bool:
    """Whether it is a public address, or a range of them that is no smaller than a /30."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return False
    return not any(network.overlaps(p) for p in PRIVATE) and (network.prefixlen <= 30 or "/" not in text)
