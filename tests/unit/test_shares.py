"""Shares of the settings: none is deleted by an `up`, and data stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.build import build as build_stack
from stacks.hosts import docker_host
from stacks.settings import parse
from tests.unit.azure_parts import ACCOUNT, GROUP, SHARE, AzureRecorder, logged_in, settings_of
from tests.unit.conftest import Build

FOLDER = "datadocker-engine:index:ShareFolder"
LOCAL = {"stack": "databases", "host": {"kind": "ssh", "address": "box"}, "volumes": ["dbs"], "databases": []}


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


@pytest.mark.parametrize(
    "change", [{"volumes": ["other"]}, {"prefix": "two-"}, {"volumes": [{"name": "dbs", "share": "other"}]}]
)
def test_a_share_that_is_not_retained_is_not_deleted_by_an_up(
    build: Build, recorder: AzureRecorder, change: dict[str, Any]
) -> None:
    recorder.in_state = {(FOLDER, "dbs-share-folder"): {"share": "dbs", "retain": False}}
    gone = LOCAL | {"shares": {"kind": "local", "retain": False}}
    stand(build, gone)
    with pytest.raises(pulumi.RunError, match=r"^share dbs would be deleted with its data: .* put the volume back"):
        stand(build, gone, **change)


def test_a_share_that_was_retained_may_go(build: Build, recorder: AzureRecorder) -> None:
    recorder.in_state = {(FOLDER, "dbs-share-folder"): {"share": "dbs", "retain": True}}
    stand(build, LOCAL, volumes=["other"], shares={"kind": "local", "retain": False})


@pytest.mark.parametrize("retain", [True, False])
def test_nor_is_one_on_azure(build: Build, recorder: AzureRecorder, retain: bool) -> None:
    recorder.in_state = {(SHARE, f"{name}-share-files"): {"name": name} for name in ("logs", "config", "old")}
    if retain:
        stand(build, staging())
        return
    with pytest.raises(pulumi.RunError, match=r"^share old would be deleted with its data"):
        stand(build, staging(retain=False))


def test_another_kind_of_shares_deletes_none(build: Build, recorder: AzureRecorder) -> None:
    recorder.in_state = {(FOLDER, "logs-share-folder"): {"share": "logs", "retain": False}}
    with pytest.raises(pulumi.RunError, match=r"^share logs would be deleted with its data"):
        stand(build, staging())


def test_the_machines_name_is_not_the_datas(build: Build, recorder: AzureRecorder) -> None:
    raw = staging()
    stand(build, raw | {"host": raw["host"] | {"name": "another"}})
    assert recorder.one(GROUP, "host-group")["resourceGroupName"] == "another"
    assert recorder.one(GROUP, "files-group")["resourceGroupName"] == "datadocker-staging-data"


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
