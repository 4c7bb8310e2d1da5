"""What the stand-in lets happen to storage accounts, their file service and their shares."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import effects
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.samples import COMPUTE, NETWORK, put
from tests.azure.shares import RecordingShares

ACCOUNT = "storage:StorageAccount"
GROUP = NETWORK.split("/providers/")[0]


# the quota of a premium share, https://github.com/Azure/azure-cli/issues/18405, and what pulumi-azure-native#786 met
PREMIUM = [{"shareQuota": 99}, {"accessTier": "Hot"}, {"shareQuota": 102401}]


@pytest.mark.parametrize("change", PREMIUM)
def test_premium_shares_have_limits_of_their_own(cloud: Cloud, change: dict[str, Any]) -> None:
    put(cloud, ACCOUNT, accountName="premium1", kind="FileStorage", sku={"name": "Premium_LRS"})
    with pytest.raises(
        AzureError, match="The value for one of the HTTP headers is not in the correct format"
    ) as caught:
        put(cloud, "storage:FileShare", accountName="premium1", **change)
    assert caught.value.code == "InvalidHeaderValue"
    put(cloud, "storage:FileShare", accountName="premium1", enabledProtocols="NFS", rootSquash="NoRootSquash")


def test_premium_shares_have_a_limit_together(cloud: Cloud) -> None:
    put(cloud, ACCOUNT, accountName="premium1", kind="FileStorage", sku={"name": "Premium_LRS"})
    put(cloud, "storage:FileShare", accountName="premium1", shareQuota=102300)
    put(cloud, "storage:FileShare", accountName="premium1", shareName="second", shareQuota=100)
    with pytest.raises(AzureError, match="exceeded the account maximum size limit") as caught:
        put(cloud, "storage:FileShare", accountName="premium1", shareName="second", shareQuota=101)
    assert caught.value.code == "TotalSharesProvisionedCapacityExceedsAccountLimit"


@pytest.mark.parametrize("sku", ["StandardV2_LRS", "PremiumV2_ZRS"])
def test_shares_that_are_provisioned_anew_have_other_limits(cloud: Cloud, sku: str) -> None:
    put(cloud, ACCOUNT, accountName="premium1", kind="FileStorage", sku={"name": sku})
    for quota in (32, 262144):
        put(cloud, "storage:FileShare", accountName="premium1", shareQuota=quota)
    for quota in (31, 262145):
        with pytest.raises(AzureError, match="InvalidHeaderValue"):
            put(cloud, "storage:FileShare", accountName="premium1", shareQuota=quota)
    with pytest.raises(AzureError, match="TotalSharesProvisionedCapacityExceedsAccountLimit"):
        put(cloud, "storage:FileShare", accountName="premium1", shareName="second", shareQuota=32)


def test_a_subnet_is_let_in_once_nothing_joins_it(cloud: Cloud) -> None:
    cloud.making.add(cloud.only("network:NetworkInterface").key)
    with pytest.raises(
        AzureError, match="SubnetsNotProvisioned:Cannot proceed with operation because subnets hosts of"
    ):
        put(cloud, ACCOUNT)
    cloud.making.clear()
    put(cloud, ACCOUNT)


def test_nfs_is_for_shares_on_ssds(cloud: Cloud) -> None:
    for name, sku in (("hard1", "StandardV2_LRS"), ("fast1", "PremiumV2_LRS")):
        put(cloud, ACCOUNT, accountName=name, kind="FileStorage", sku={"name": sku})
    put(cloud, "storage:FileShare", accountName="fast1", enabledProtocols="NFS")
    with pytest.raises(AzureError, match="NfsFileShares is not supported for the account"):
        put(cloud, "storage:FileShare", accountName="hard1", enabledProtocols="NFS")


def test_large_shares_are_an_accounts_for_good(cloud: Cloud) -> None:
    put(cloud, ACCOUNT, largeFileSharesState="Enabled")
    put(cloud, "storage:FileShare", shareQuota=102400)
    put(cloud, ACCOUNT)
    assert cloud.get(cloud.only(ACCOUNT).id)["largeFileSharesState"] == "Enabled"
    put(cloud, "storage:FileShare", shareQuota=5121)
    with pytest.raises(AzureError, match="The value 'Disabled' is not allowed for property largeFileSharesState"):
        put(cloud, ACCOUNT, largeFileSharesState="Disabled")
    with pytest.raises(AzureError, match="InvalidHeaderValue"):
        put(cloud, "storage:FileShare", shareQuota=102401)


def test_the_file_service_comes_with_its_account_and_is_only_set(cloud: Cloud) -> None:
    service = cloud.only("storage:FileServiceProperties").id
    assert cloud.get(service)["shareDeleteRetentionPolicy"] == {"enabled": True, "days": 14}
    cloud.remove(service)
    assert cloud.get(service)["shareDeleteRetentionPolicy"] == {"enabled": True, "days": 7}


@pytest.mark.parametrize("by_its_network", [False, True])
def test_a_subnet_that_is_made_anew_is_not_let_in_by_its_id(cloud: Cloud, by_its_network: bool) -> None:
    assert isinstance(cloud.shares, RecordingShares)
    cloud.remove(f"{COMPUTE}/virtualMachines/vm")
    cloud.remove(f"{NETWORK}/networkInterfaces/nic")
    subnet = f"{NETWORK}/virtualNetworks/net/subnets/hosts"
    assert cloud.shares.let_in == {"demodata1": (subnet,)}
    if by_its_network:
        put(cloud, "network:VirtualNetwork", subnets=[])
    else:
        cloud.delete(subnet)
    put(cloud, "network:Subnet")
    assert cloud.shares.let_in == {"demodata1": ()}
    (rule,) = cloud.get(cloud.only(ACCOUNT).id)["networkRuleSet"]["virtualNetworkRules"]
    assert rule["state"] == "NetworkSourceDeleted"
    for account in ("demodata1", "demodata2"):
        with pytest.raises(AzureError, match="in accounts demodata1 is required to be removed before") as caught:
            put(cloud, ACCOUNT, accountName=account)
        assert caught.value.code == "NetworkAclsNetworkSourceDeleted"
    put(cloud, ACCOUNT, networkRuleSet={"defaultAction": "Deny"})
    put(cloud, ACCOUNT)
    assert cloud.shares.let_in == {"demodata1": (subnet,)}


def test_an_account_for_disks_has_no_files(cloud: Cloud) -> None:
    put(cloud, ACCOUNT, accountName="disks1", sku={"name": "Premium_LRS"})
    with pytest.raises(AzureError, match="File is not supported for the account") as caught:
        put(cloud, "storage:FileShare", accountName="disks1")
    assert caught.value.code == "FeatureNotSupportedForAccount"


def test_an_accounts_firewall_takes_subnets_of_other_regions(cloud: Cloud) -> None:
    put(cloud, ACCOUNT, accountName="faraway1", location="eastus2")
    assert cloud.lookup(f"{GROUP}/providers/Microsoft.Storage/storageAccounts/faraway1")


def test_keys_rotate(cloud: Cloud) -> None:
    account = cloud.only(ACCOUNT)
    first = list(account.facts["keys"])
    second = effects.regenerate_key(cloud, "demodata1", 1)
    assert account.facts["keys"] == [first[0], second]
    assert second != first[1]
    assert isinstance(cloud.shares, RecordingShares)
    assert cloud.shares.accounts["demodata1"] == (first[0], second)
