"""Shares on Azure under mocks: what is made, who is let in, what is kept, protected and taken back."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from typing import Any

import pulumi
import pytest

from components import azure_lookup, state
from components.azure_lookup import STACK_TAG
from components.shares import adoption
from components.shares.azure import AzureFileShares, AzureFileSharesArgs, AzureShare
from stacks.data import account_name
from tests.unit.azure_parts import (
    ACCOUNT,
    GROUP,
    KEY,
    SERVICE,
    SHARE,
    SUBNET,
    SUBNETWORK,
    SUBSCRIPTION,
    VM,
    AzureRecorder,
)
from tests.unit.conftest import Build, Options, waited_for
from tests.unit.parts import host, plugin

State = dict[tuple[str, str], dict[str, Any]]
OWNED = {STACK_TAG: "datadocker/unit"}


@pytest.fixture
def recorder() -> AzureRecorder:
    mocks = AzureRecorder()
    pulumi.runtime.set_mocks(mocks, project="datadocker", stack="unit", preview=False)
    state._recorded.cache_clear()
    azure_lookup._looked_up.cache_clear()
    return mocks


def shares(*, on_azure: Any = None, **change: Any) -> dict[str, Any]:
    on = host()
    args: dict[str, Any] = {
        "host": on,
        "plugin": plugin(on),
        "stack": "datadocker/unit",
        "account": "datadockerunit",
        "group": "datadocker-unit-data",
        "location": "westeurope",
        "nfs": False,
        "premium": False,
        "gib": 100,
        "redundancy": "LRS",
        "subnet_id": SUBNET,
        "allow_from": ["203.0.113.7"],
        "key": "key1",
        "soft_delete_days": 7,
        "retain": True,
        "protect": False,
        "tags": {"team": "data"},
    } | change
    data: adoption.DataNames = {
        "stack": args["stack"],
        "group": args["group"],
        "account": args["account"],
        "shares": {"dbs-share-files": "dbs"},
        "host": on_azure,
    }
    found = adoption.find_data(data)
    files = AzureFileShares("files", AzureFileSharesArgs(**args, found=found))  # type: ignore[typeddict-item]
    made = AzureShare("dbs-share", {"files": files, "share": "dbs", "gib": 100, "tier": None})
    return {"share": made.share, **made.options}


def test_an_account_for_files_alone(build: Build, recorder: AzureRecorder) -> None:
    out = build(shares)
    made = recorder.one(ACCOUNT, "files-account")
    assert (made["kind"], made["sku"]["name"], made["minimumTlsVersion"]) == ("StorageV2", "Standard_LRS", "TLS1_2")
    assert made["enableHttpsTrafficOnly"] is True
    assert made["allowBlobPublicAccess"] is False
    rules = made["networkRuleSet"]
    assert (rules["defaultAction"], rules["bypass"]) == ("Deny", "None")
    assert [r["virtualNetworkResourceId"] for r in rules["virtualNetworkRules"]] == [SUBNET]
    assert [r["iPAddressOrRange"] for r in rules["ipRules"]] == ["203.0.113.7"]
    assert made["tags"] == {"team": "data"} | OWNED
    service = recorder.one(SERVICE, "files-service")
    assert service["shareDeleteRetentionPolicy"] == {"enabled": True, "days": 7}
    assert service["protocolSettings"]["smb"]["versions"] == "SMB3.1.1"
    share = recorder.one(SHARE, "dbs-share-files")
    assert (share["shareName"], share["shareQuota"], share["enabledProtocols"]) == ("dbs", 100, "SMB")
    assert (out["share"], out["protocol"], out["account"]) == ("dbs", "smb", "datadockerunit")
    assert made["allowCrossTenantReplication"] is False


def test_a_share_is_made_under_its_services_settings(build: Build, recorder: AzureRecorder, options: Options) -> None:
    build(shares)
    assert waited_for(options[SHARE, "dbs-share-files"]) == ["files-service"]


def test_a_share_whose_protocol_azure_does_not_say_is_not_replaced(
    build: Build, recorder: AzureRecorder, options: Options
) -> None:
    build(shares)
    assert options[SHARE, "dbs-share-files"].ignore_changes == ["enabledProtocols"]


def test_nfs_is_premium_without_key_and_without_secure_transfer(build: Build, recorder: AzureRecorder) -> None:
    out = build(lambda: shares(nfs=True, premium=True, redundancy="ZRS", allow_from=[], soft_delete_days=0))
    made = recorder.one(ACCOUNT, "files-account")
    assert (made["kind"], made["sku"]["name"]) == ("FileStorage", "Premium_ZRS")
    assert made["enableHttpsTrafficOnly"] is False
    assert made["allowSharedKeyAccess"] is False
    share = recorder.one(SHARE, "dbs-share-files")
    assert (share["enabledProtocols"], share["rootSquash"]) == ("NFS", "NoRootSquash")
    # Azure refuses a tier beside NFS: pulumi-azure-native#786
    assert "accessTier" not in share
    assert recorder.one(SERVICE, "files-service")["shareDeleteRetentionPolicy"] == {"enabled": False}
    assert recorder.all(KEY) == {}
    assert out["server"] == "datadockerunit.file.core.windows.net"
    assert (out["protocol"], out["account"]) == ("nfs", "datadockerunit")


@pytest.mark.parametrize(
    ("change", "state"),
    [({"gib": 5120}, None), ({"gib": 5121}, "Enabled"), ({"gib": 5121, "premium": True}, None)],
)
def test_an_account_is_for_large_shares_only_where_one_is(
    build: Build, recorder: AzureRecorder, change: dict[str, Any], state: str | None
) -> None:
    build(lambda: shares(**change))
    assert recorder.one(ACCOUNT, "files-account").get("largeFileSharesState") == state


@pytest.mark.parametrize(("key", "value"), [("key1", "one=="), ("key2", "two==")])
def test_the_key_that_the_settings_name_reaches_the_host_as_a_secret(
    build: Build, recorder: AzureRecorder, key: str, value: str
) -> None:
    build(lambda: shares(key=key))
    made = recorder.one(KEY, "files-key")
    assert made["key"] == value
    assert recorder.is_secret(KEY, "files-key", "key")
    assert made["server"] == "datadockerunit.file.core.windows.net"
    assert (made["account"], made["root"]) == ("datadockerunit", "/var/lib/datadocker")
    everywhere = [m for m in recorder.made if m.typ != KEY and value in str(m.inputs)]
    assert everywhere == []


@pytest.mark.parametrize("retain", [True, False])
@pytest.mark.parametrize("protect", [True, False])
def test_what_is_kept_and_protected(
    build: Build, recorder: AzureRecorder, options: Options, retain: bool, protect: bool
) -> None:
    build(lambda: shares(retain=retain, protect=protect))
    data = {(GROUP, "files-group"), (ACCOUNT, "files-account"), (SERVICE, "files-service"), (SHARE, "dbs-share-files")}
    for kept in data:
        assert options[kept].retain_on_delete is retain, kept
        assert options[kept].protect is protect, kept
        # the first one goes, if it does, once the next is there
        assert options[kept].delete_before_replace is False, kept
    # the key's file on the host is none of the data
    assert options[KEY, "files-key"].retain_on_delete is None


def test_nothing_is_taken_back_where_nothing_is(build: Build, recorder: AzureRecorder, options: Options) -> None:
    build(shares)
    assert all(o.import_ is None for o in options.values())
    # nothing is in a group that is not there
    assert [token for token in recorder.asked if ":get" in token] == ["azure-native:resources:getResourceGroup"]


@pytest.mark.parametrize("account", [True, False])
def test_a_group_that_is_there_is_looked_into(
    build: Build, recorder: AzureRecorder, options: Options, account: bool
) -> None:
    recorder.existing = {"azure-native:resources:getResourceGroup": {"id": "/group", "tags": OWNED}}
    if account:
        recorder.existing["azure-native:storage:getStorageAccount"] = {"id": "/account", "tags": OWNED}
    build(shares)
    asked = [token.rsplit(":", 1)[-1] for token in recorder.asked if ":get" in token]
    assert asked == ["getResourceGroup", "getStorageAccount", *["getFileShare"] * account]
    assert options[SHARE, "dbs-share-files"].import_ is None


def test_what_an_earlier_life_left_is_taken_back(build: Build, recorder: AzureRecorder, options: Options) -> None:
    recorder.existing = {
        "azure-native:resources:getResourceGroup": {"id": "/group", "tags": OWNED},
        "azure-native:storage:getStorageAccount": {"id": "/account", "tags": OWNED},
        "azure-native:storage:getFileShare": {"id": "/share"},
    }
    build(shares)
    assert options[GROUP, "files-group"].import_ == "/group"
    assert options[ACCOUNT, "files-account"].import_ == "/account"
    assert options[SHARE, "dbs-share-files"].import_ == "/share"
    # what is taken back is kept as what was made
    assert options[ACCOUNT, "files-account"].retain_on_delete is True


MADE = SUBNET.replace("/v/subnets/s", "/old-vnet/subnets/host-0123abcd")


@pytest.mark.parametrize(
    ("rule", "host", "recorded", "there", "user"),
    [
        # a host by another name, which the rules know
        (MADE, None, {}, "network:getSubnet", "n"),
        (MADE, {}, {}, "network:getSubnet", "n"),
        (MADE.removesuffix("-0123abcd"), {}, {}, "network:getSubnet", "n"),
        (f"{MADE}s", {}, {}, "network:getSubnet", None),
        (MADE, None, {}, None, None),
        (MADE, {}, {(SUBNETWORK, "host-net-subnet"): {"id": MADE.upper()}}, "network:getSubnet", None),
        (MADE, {"subnet": MADE}, {}, "network:getSubnet", None),
        # a subnet that is given stays let in when its host is gone
        (SUBNET, {"subnet": SUBNET}, {}, None, None),
        (SUBNET, {"subnet": SUBNET}, {}, "compute:getVirtualMachine", "hosts"),
        (SUBNET, {"subnet": SUBNET}, {(VM, "host-machine-vm"): {}}, "compute:getVirtualMachine", None),
        (SUBNET, {}, {}, "network:getSubnet", None),
    ],
)
def test_what_another_checkouts_host_lives_on_is_not_taken(
    build: Build,
    recorder: AzureRecorder,
    options: Options,
    rule: str,
    host: dict[str, str] | None,
    recorded: dict[tuple[str, str], dict[str, Any]],
    there: str | None,
    user: str | None,
) -> None:
    recorder.existing = {
        "azure-native:resources:getResourceGroup": {"id": "/group", "tags": OWNED},
        "azure-native:storage:getStorageAccount": {
            "id": "/account",
            "tags": OWNED,
            "networkRuleSet": {"virtualNetworkRules": [{"virtualNetworkResourceId": rule}]},
        },
    }
    if there:
        recorder.existing[f"azure-native:{there}"] = {"id": "/there"}
    recorder.in_state = recorded
    named = None if host is None else {"group": "hosts", "machine": "box", "subnet": host.get("subnet")}
    said = f"^datadockerunit in resource group datadocker-unit-data is in use by a host in resource group {user}, which"
    with pytest.raises(pulumi.RunError, match=said) if user else nullcontext():
        build(lambda: shares(on_azure=named))
    assert ((ACCOUNT, "files-account") in options) is not bool(user)


def test_what_is_in_the_state_is_not_looked_up(build: Build, recorder: AzureRecorder, options: Options) -> None:
    recorder.in_state = {
        (GROUP, "files-group"): {},
        (ACCOUNT, "files-account"): {},
        (SHARE, "dbs-share-files"): {},
    }
    build(shares)
    assert [token for token in recorder.asked if ":get" in token] == []
    assert all(o.import_ is None for o in options.values())


def test_what_is_in_the_state_by_another_name_is_looked_up(
    build: Build, recorder: AzureRecorder, options: Options
) -> None:
    recorder.in_state = {
        (GROUP, "files-group"): {"name": "datadocker-unit-data"},
        (ACCOUNT, "files-account"): {"name": "theother"},
        (SHARE, "dbs-share-files"): {"name": "dbs"},
    }
    recorder.existing = {
        "azure-native:storage:getStorageAccount": {"id": "/account", "tags": OWNED},
        "azure-native:storage:getFileShare": {"id": "/share"},
    }
    build(shares)
    assert options[GROUP, "files-group"].import_ is None
    assert options[ACCOUNT, "files-account"].import_ == "/account"
    assert options[SHARE, "dbs-share-files"].import_ == "/share"


def on_volume(share: str, account: str) -> State:
    return {(state.VOLUME, "dbs-volume"): {"driverOpts": {"share": share, "account": account}}}


def of_stack(share: str, account: str, *, retain: bool = True) -> State:
    """What is there also once the volumes have been forgotten with their machine."""
    return {
        state.FILES: {"account": account, "retain": retain},
        (state.AZURE_SHARE, "dbs-share"): {"share": share, "account": account},
    }


SHARE_ELSEWHERE: State = {(state.AZURE_SHARE, "dbs-share"): {"share": "dbs", "account": "theother"}}
KEPT = [
    (on_volume("dbs", "datadockerunit"), True),
    (on_volume("logs", "datadockerunit"), False),
    (on_volume("dbs", "theother"), False),
    ({(state.VOLUME, "dbs-volume"): {"driverOpts": {"share": "dbs", "protocol": "local"}}}, False),
    (of_stack("dbs", "datadockerunit"), True),
    (of_stack("logs", "datadockerunit"), False),
    (of_stack("dbs", "theother"), False),
    # as where an exchange of accounts has come no further than to the account
    ({state.FILES: {"account": "datadockerunit", "retain": True}, **SHARE_ELSEWHERE}, False),
    # what is not kept a destroy deletes, and may have ended then
    (of_stack("dbs", "datadockerunit", retain=False), False),
]


@pytest.mark.parametrize(("known", "refused"), KEPT)
def test_a_share_that_is_gone_is_not_made_anew(
    build: Build, recorder: AzureRecorder, options: Options, known: State, refused: bool
) -> None:
    recorder.in_state |= known
    build(shares)
    hooks = options[SHARE, "dbs-share-files"].hooks
    assert hooks is not None
    (before,) = hooks.before_create or []
    said = "^share dbs of account datadockerunit is gone: undelete it"
    with pytest.raises(pulumi.RunError, match=said) if refused else nullcontext():
        before(pulumi.ResourceHookArgs("urn", "", "", SHARE, new_inputs={"shareName": "dbs"}))
    # another volume's, which is new
    before(pulumi.ResourceHookArgs("urn", "", "", SHARE, new_inputs={"shareName": "more"}))


@pytest.mark.parametrize(
    ("known", "refused"),
    [
        (on_volume("dbs", "datadockerunit"), True),
        (on_volume("dbs", "theother"), False),
        (of_stack("dbs", "datadockerunit"), True),
        (of_stack("dbs", "datadockerunit", retain=False), False),
        ({state.FILES: {"account": "datadockerunit", "retain": True}}, True),
        ({state.FILES: {"account": "theother", "retain": True}}, False),
    ],
)
def test_an_account_that_is_gone_is_not_made_anew(
    build: Build, recorder: AzureRecorder, options: Options, known: State, refused: bool
) -> None:
    """Azure has a deleted one back only until another has its name."""
    recorder.in_state |= known
    build(shares)
    hooks = options[ACCOUNT, "files-account"].hooks
    assert hooks is not None
    (before,) = hooks.before_create or []
    said = "^storage account datadockerunit is gone, and the stack's data is on it: have it back before another has"
    with pytest.raises(pulumi.RunError, match=said) if refused else nullcontext():
        before(pulumi.ResourceHookArgs("urn", "", "", ACCOUNT, new_inputs={"accountName": "datadockerunit"}))


@pytest.mark.parametrize("theirs", ["resources:getResourceGroup", "storage:getStorageAccount"])
def test_somebody_elses_group_or_account_is_left_alone(build: Build, recorder: AzureRecorder, theirs: str) -> None:
    recorder.existing = {
        "azure-native:resources:getResourceGroup": {"id": "/group", "tags": OWNED},
        "azure-native:storage:getStorageAccount": {"id": "/account", "tags": OWNED},
        f"azure-native:{theirs}": {"id": "/theirs", "tags": {}},
    }
    with pytest.raises(pulumi.RunError, match="/theirs exists and is not this stack's: it lacks the tag") as caught:
        build(shares)
    # all that it has by then is the stack's
    assert "tag it so: up then changes its tags and firewall, and destroy deletes it if" in str(caught.value)


def test_azure_that_can_not_be_asked_is_no_absence(build: Build, recorder: AzureRecorder) -> None:
    recorder.refusal = "AuthorizationFailed\nno permission"
    with pytest.raises(
        pulumi.RunError, match="could not be asked for what is there: AuthorizationFailed no permission"
    ):
        build(shares)


def test_a_subscription_that_is_not_there_is_no_absence(build: Build, recorder: AzureRecorder) -> None:
    recorder.refusal = 'Status=404 Code="SubscriptionNotFound" Message="The subscription \'x\' could not be found."'
    with pytest.raises(pulumi.RunError, match=r"could not be asked for what is there: Status=404 Code=.Subscr"):
        build(shares)


def test_a_key_that_can_not_be_had_is_one_line(
    build: Build, recorder: AzureRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a stack that stands it is all that a no-op asks Azure for."""

    def call(args: pulumi.runtime.MockCallArgs) -> object:
        if args.token.endswith("listStorageAccountKeys"):
            raise Exception("AADSTS700082: The refresh token has expired\ndue to inactivity.")
        return AzureRecorder.call(recorder, args)

    monkeypatch.setattr(recorder, "call", call)
    with pytest.raises(pulumi.RunError) as caught:
        build(shares)
    assert str(caught.value) == (
        "Azure could not be asked for what is there: AADSTS700082: The refresh token has expired due to inactivity."
    )


def test_an_accounts_name_is_the_same_each_time_and_nobody_elses() -> None:
    name = account_name("datadocker", "staging", SUBSCRIPTION)
    assert name == account_name("datadocker", "staging", SUBSCRIPTION.upper())
    assert name.startswith("datadockerst")
    assert len({name, account_name("datadocker", "staging", "other"), account_name("datadocker", "prod", "other")}) == 3
    for project, stack in (("d", "s"), ("A_very-long.project", "with-a-very-long-stack-name")):
        assert 3 <= len(account_name(project, stack, SUBSCRIPTION)) <= 24
        assert account_name(project, stack, SUBSCRIPTION).isalnum()


def test_dev_imports_none_of_azures_sdk() -> None:
    program = "import stacks.build, stacks.hosts, sys; print([m for m in sys.modules if m.startswith('pulumi_azure')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
