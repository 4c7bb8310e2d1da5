"""Shares of the settings: their data stays where it is."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.azure_lookup import STACK_TAG
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import ACCOUNT, GROUP, SHARE, AzureRecorder, logged_in, settings_of
from tests.unit.conftest import Build, Options


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


def stand(build: Build, raw: dict[str, Any], **change: Any) -> None:
    def program() -> None:
        settings = parse(raw | change, file="Pulumi.staging.yaml")
        build_stack(settings, *docker_host(settings))

    build(program)


def staging(**shares: Any) -> dict[str, Any]:
    raw = settings_of("staging")
    return raw | {"shares": raw["shares"] | shares, "host": raw["host"] | {"sshFrom": ["203.0.113.7/32"]}}


def test_the_machines_name_is_not_the_datas(build: Build, recorder: AzureRecorder) -> None:
    raw = staging()
    stand(build, raw | {"host": raw["host"] | {"name": "another"}})
    assert recorder.one(GROUP, "host-group")["resourceGroupName"] == "another"
    assert recorder.one(GROUP, "files-group")["resourceGroupName"] == "datadocker-staging-data"


@pytest.mark.parametrize(
    ("production", "shares", "protected"),
    [(True, {}, True), (False, {}, False), (True, {"protect": False}, False), (False, {"protect": True}, True)],
)
def test_the_data_of_production_is_protected_unless_the_settings_say_otherwise(
    build: Build,
    recorder: AzureRecorder,
    options: Options,
    production: bool,
    shares: dict[str, Any],
    protected: bool,
) -> None:
    stand(build, staging(**shares), production=production)
    for data in ((GROUP, "files-group"), (ACCOUNT, "files-account"), (SHARE, "dbs-share-files")):
        assert options[data].protect is protected, data


def test_data_that_is_there_by_the_names_that_are_set_is_taken_back_whatever_the_state_has(
    build: Build, recorder: AzureRecorder, options: Options
) -> None:
    recorder.in_state = {
        (GROUP, "files-group"): {"name": "other-data"},
        (GROUP, "host-group"): {"name": "datadocker-staging"},
    }
    tags = {STACK_TAG: "datadocker/staging"}
    recorder.existing = {
        "azure-native:resources:getResourceGroup": {"id": "/group", "name": "demo-data", "tags": tags},
        "azure-native:storage:getStorageAccount": {"id": "/account", "name": "demodata", "tags": tags},
    }
    stand(build, staging(account="demodata", resourceGroup="demo-data"))
    assert options[GROUP, "files-group"].import_ == "/group"
    assert options[ACCOUNT, "files-account"].import_ == "/account"


def test_the_machine_of_nfs_shares_stays_in_their_region(build: Build, recorder: AzureRecorder) -> None:
    raw = staging(account="demodata", resourceGroup="demo-data", protocol="nfs", performance="premium")
    recorder.in_state = {(ACCOUNT, "files-account"): {"name": "demodata", "location": "West Europe"}}
    raw["host"] |= {"location": "northeurope"}
    with pytest.raises(pulumi.RunError, match=r"the data is in westeurope: set datadocker:host.location to it$"):
        stand(build, raw)
    # one of its own has to be the same
    raw["shares"] |= {"location": "northeurope"}
    with pytest.raises(pulumi.RunError, match=r"set datadocker:host.location to it, and leave shares.location out$"):
        stand(build, raw)


@pytest.mark.parametrize(("typ", "name"), [(ACCOUNT, "files-account"), (GROUP, "files-group")])
def test_another_region_of_the_machine_leaves_the_data_where_it_is(
    build: Build, recorder: AzureRecorder, typ: str, name: str
) -> None:
    raw = staging(account="demodata", resourceGroup="demo-data")
    known = "demodata" if typ == ACCOUNT else "demo-data"
    recorder.in_state = {(typ, name): {"name": known, "location": "West Europe"}}
    stand(build, raw)
    raw["host"] |= {"location": "northeurope"}
    with pytest.raises(pulumi.RunError, match=r"the data is in westeurope: set datadocker:shares.location to it"):
        stand(build, raw)
    recorder.made.clear()
    raw["shares"] |= {"location": "westeurope"}
    stand(build, raw)
    assert recorder.one(ACCOUNT, "files-account")["location"] == "westeurope"
    # other names mean other data
    stand(build, staging(account="other", resourceGroup="other", location="northeurope"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"resourceGroup": "other"},
            r"^demodata: the data is in resource group demo-data: set datadocker:shares\.resou",
        ),
        (
            {"performance": "premium"},
            r"^demodata: its shares are standard, and stay so: set .*shares\.performance back, or",
        ),
        (
            {"redundancy": "ZRS"},
            r"^demodata: it is LRS, .* then \./pulumiw refresh --stack staging\): set .*shares\.redundancy back, or",
        ),
        (
            {"performance": "premium", "protocol": "nfs"},
            r"^share dbs: it is served by SMB, and stays so: set .*shares\.protocol back, or name another account",
        ),
    ],
)
def test_what_azure_changes_in_no_account_is_refused(
    build: Build, recorder: AzureRecorder, change: dict[str, Any], said: str
) -> None:
    names = {"account": "demodata", "resourceGroup": "demo-data"}
    recorder.in_state = {
        (GROUP, "files-group"): {"name": "Demo-Data", "location": "westeurope"},
        (ACCOUNT, "files-account"): {"name": "demodata", "location": "westeurope", "kind": "StorageV2"},
        (SHARE, "dbs-share-files"): {"name": "dbs", "enabledProtocols": "SMB"},
    }
    recorder.in_state[ACCOUNT, "files-account"]["sku"] = {"name": "Standard_LRS"}
    if "protocol" in change:
        recorder.in_state[ACCOUNT, "files-account"]["kind"] = "FileStorage"
    else:
        stand(build, staging(**names))
    with pytest.raises(pulumi.RunError, match=said.replace("demo-data", "(?i:demo-data)")):
        stand(build, staging(**names | change))
    with pytest.raises(pulumi.RunError) as caught:
        stand(build, staging(**names | change, retain=False))
    assert ("name another" in str(caught.value)) is ("after an up with shares.retain: true" in str(caught.value))
    # another account is another one's data
    stand(build, staging(**change | {"account": "more", "resourceGroup": "more"}))


@pytest.mark.parametrize("was", [True, False, None])
def test_a_share_that_is_to_be_kept_from_now_on_is_not_dropped_in_the_same_step(
    build: Build, recorder: AzureRecorder, was: bool | None
) -> None:
    recorder.in_state = {
        ("datadocker:index:AzureFileShares", "files"): {"retain": was},
        (SHARE, "dbs-share-files"): {"name": "dbs"},
        (SHARE, "old-share-files"): {"name": "old"},
    }
    loss = r"^share old: its data would be deleted, since shares\.retain was false at the last up: put its volume back"
    with pytest.raises(pulumi.RunError, match=loss) if was is False else nullcontext():
        stand(build, staging(retain=True))
    # who says that the data may go can take a volume out
    stand(build, staging(retain=False))


@pytest.mark.parametrize(
    ("was", "is_to_be", "refused"), [(True, False, False), (False, True, True), (None, False, True)]
)
def test_data_that_is_not_retained_is_not_exchanged_for_another_accounts(
    build: Build, recorder: AzureRecorder, was: bool | None, is_to_be: bool, refused: bool
) -> None:
    recorder.in_state = {(ACCOUNT, "files-account"): {"name": "demodata", "location": "westeurope"}}
    if was is not None:
        recorder.in_state["datadocker:index:AzureFileShares", "files"] = {"retain": was}
    with pytest.raises(pulumi.RunError, match=r"^demodata: its data would be deleted") if refused else nullcontext():
        stand(build, staging(account="more", retain=is_to_be))
    stand(build, staging(account="demodata", retain=is_to_be))
