"""Whose things on an engine are, and that no volume goes while others use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider.guard import ShareGuard, VolumeGuard
from provider.image import _quoted
from provider.owner import CHECKOUT_LABEL, IMAGE_LABEL, STACK_LABEL, is_of, owner_of
from provider.resource import Failure
from tests.unit.fake_engine import served
from tests.unit.plugin_engine import PluginEngine

OWNER = {STACK_LABEL: "datadocker/dev", CHECKOUT_LABEL: "here:/one#1"}
OTHER = OWNER | {CHECKOUT_LABEL: "here:/two#2"}
# what a container by hand inherits from our image
INHERITED = {STACK_LABEL: "datadocker/dev", IMAGE_LABEL: "here:/one#1"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[PluginEngine]:
    with served(PluginEngine(tmp_path / "docker.sock")) as made:
        yield made


def props(engine: PluginEngine, *volumes: str) -> dict[str, Any]:
    return {
        "engine": {"url": f"unix://{engine.path}", "ssh_opts": []},
        "volumes": list(volumes),
        "labels": OWNER,
    }


def container(name: str, labels: dict[str, str], *volumes: str, state: str = "running") -> dict[str, Any]:
    mounts = [{"Type": "volume", "Name": volume} for volume in volumes]
    return {"Names": [f"/{name}"], "Labels": labels, "Mounts": [*mounts, {"Type": "bind"}], "State": state}


@pytest.mark.parametrize(
    ("labels", "whose"),
    [
        (OWNER | {"more": "x"}, "stack datadocker/dev of here:/one"),
        (OTHER, "stack datadocker/dev of here:/two"),
        (INHERITED, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_a_container_is_its_stacks_by_labels_that_no_image_has(labels: dict[str, str] | None, whose: str) -> None:
    assert owner_of(labels) == whose
    assert is_of(labels, OWNER) == (whose == "stack datadocker/dev of here:/one")


def test_volumes_that_only_the_stack_uses_may_go(engine: PluginEngine) -> None:
    engine.containers = {"mydb": container("mydb", OWNER, "dbs"), "b-mydb": container("b-mydb", OTHER, "logs")}
    VolumeGuard().delete("volumes", props(engine, "dbs"))


def test_who_else_uses_them_is_one_line(engine: PluginEngine) -> None:
    engine.containers = {
        "mydb2": container("mydb2", INHERITED, "dbs", "theirs", state="created"),
        "b-mydb": container("b-mydb", OTHER, "logs"),
        "mydb": container("mydb", OWNER, "dbs"),
    }
    with pytest.raises(Failure) as caught:
        VolumeGuard().delete("volumes", props(engine, "dbs", "logs"))
    assert str(caught.value) == (
        "volumes of this stack are in use: dbs by mydb2 (made by hand, created); logs by b-mydb (stack datadocker/dev "
        "of here:/two, running): remove what uses them (docker rm -f mydb2 b-mydb) and say it again; none of them was "
        "deleted"
    )


def test_a_dead_container_that_lost_its_name_is_told_by_its_id(engine: PluginEngine) -> None:
    dead = container("", {}, "dbs", state="dead") | {"Names": [], "Id": "0123456789abcdef"}
    engine.containers = {"": dead}
    with pytest.raises(Failure, match=r"dbs by 0123456789ab \(made by hand, dead\).*docker rm -f 0123456789ab\)"):
        VolumeGuard().delete("volumes", props(engine, "dbs"))


def test_an_update_asks_only_for_volumes_that_go(engine: PluginEngine) -> None:
    engine.containers = {"byhand": container("byhand", {}, "dbs")}
    with pytest.raises(Failure, match="dbs by byhand"):
        VolumeGuard().update("volumes", props(engine), props(engine, "dbs"))
    # nobody is asked: there is no such engine
    gone = props(engine, "dbs", "more") | {"engine": {"url": "unix:///nowhere", "ssh_opts": []}}
    VolumeGuard().update("volumes", gone, props(engine, "dbs"))


def mapping(name: str, share: str, driver: str = "azurefile:latest", protocol: str = "local") -> dict[str, Any]:
    return {"Name": name, "Driver": driver, "Status": {"share": share, "protocol": protocol}}


def data(engine: PluginEngine, *shares: str, retain: bool) -> dict[str, Any]:
    return props(engine, *shares) | {"driver": "azurefile", "shares": list(shares), "retain": retain}


def test_nothing_goes_while_others_map_the_data_that_would_go_with_it(engine: PluginEngine) -> None:
    engine.volumes = {
        v["Name"]: v
        for v in (
            mapping("dbs", "dbs"),
            mapping("mine", "dbs"),
            mapping("other-share", "x"),
            mapping("other-driver", "dbs", driver="local"),
            mapping("other-server", "dbs", protocol="smb"),
        )
    }
    kept, gone = (data(engine, "dbs", "logs", retain=retain) for retain in (True, False))
    ShareGuard().delete("shares", kept)
    with pytest.raises(Failure) as caught:
        ShareGuard().delete("shares", gone)
    assert str(caught.value) == (
        "shares of this stack are deleted with it (shares.retain is false), and others map them: dbs by volume mine: "
        "remove these (docker volume rm mine), or keep the data (shares.retain: true, up), and say it again; no data "
        "was deleted"
    )
    with pytest.raises(Failure, match="dbs by volume mine"):
        ShareGuard().update("shares", data(engine, "logs", retain=False), gone)
    ShareGuard().update("shares", data(engine, "dbs", retain=False), gone)
    # what is said of the rest from now on deletes nothing
    ShareGuard().update("shares", data(engine, "logs", retain=True), gone)
    ShareGuard().update("shares", data(engine, "logs", retain=False), kept)
    # a user that keeps its shares elsewhere from now on
    with pytest.raises(Failure, match="dbs by volume mine"):
        ShareGuard().update("shares", data(engine, retain=False) | {"volumes": ["dbs"]}, gone)
    del engine.volumes["mine"]
    engine.containers = {"byhand": container("byhand", {}, "logs")}
    with pytest.raises(Failure, match="logs by byhand"):
        ShareGuard().delete("shares", kept)
    engine.containers = {}
    ShareGuard().delete("shares", gone)


def test_a_label_is_quoted_as_a_dockerfile_reads_it() -> None:
    assert _quoted('a "b" $c \\') == r'"a \"b\" \$c \\"'
