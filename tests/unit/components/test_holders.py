"""Which of a stack's containers are stopped, since what they hold goes to another."""

from __future__ import annotations

from typing import Any

import pytest

from components.folders import Folder
from components.hosts import Server
from components.hosts.holders import Wanted, ports_of, stop_holders
from provider.connection import EngineConnection
from provider.owner import CHECKOUT_LABEL, STACK_LABEL
from tests.unit.conftest import Build, Recorder
from tests.unit.fake_engine import FakeEngine

LABELS = {STACK_LABEL: "datadocker/unit", CHECKOUT_LABEL: "here:/one#1"}


def server(name: str, volume: str, port: int, share: str = "", **folder: str) -> Server:
    return Server(container=name, volume=volume, folder=Folder(share or volume, **folder), port=port)


def running(name: str, volume: str, port: int) -> dict[str, Any]:
    return {
        "Id": f"{name}-id", "Names": [f"/{name}"], "State": "running", "Labels": LABELS,
        "Ports": [{"PublicPort": port}], "Mounts": [{"Name": volume}],
    }  # fmt: skip


def mapped(name: str, share: str, **options: str) -> dict[str, Any]:
    """A volume of the stack, as the engine lists it."""
    return {"Name": name, "Labels": LABELS, "Options": {"share": share} | options}


def stopped(build: Build, engine: FakeEngine, *servers: Server, files: list[Folder] | None = None) -> list[str]:
    connection, wanted = EngineConnection(engine.path), Wanted(servers=list(servers), files=files or [])
    build(lambda: stop_holders(connection, wanted, LABELS, connection.get("/volumes")["Volumes"] or []))
    return [path.removeprefix("/v1.41/containers/").removesuffix("-id/stop?t=60") for path in engine.posted]


@pytest.mark.parametrize(
    ("port", "taken"),
    [
        ({"IP": "127.0.0.1", "Type": "tcp"}, True),
        ({"IP": "0.0.0.0", "Type": "tcp"}, True),
        ({"IP": "192.168.1.5", "Type": "tcp"}, False),
        ({"IP": "127.0.0.1", "Type": "udp"}, False),
        ({}, True),
    ],
)
def test_a_port_is_taken_on_its_own_address_for_its_own_protocol(port: dict[str, str], taken: bool) -> None:
    assert ports_of({"Ports": [{"PublicPort": 6603, **port}, {"PrivatePort": 33060}]}) == ({6603} if taken else set())


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([server("mydb", "dbs", 1)], []),
        ([], []),
        ([server("mydb", "dbs", 2)], ["other"]),
        ([server("renamed", "dbs", 1)], ["mydb"]),
        ([server("mydb", "more", 3), server("other", "dbs", 2)], ["mydb", "other"]),
        ([server("mydb", "dbs", 2), server("other", "more", 1)], ["mydb", "other"]),
        # a share by a volume of another name: of one that gets another name, of one that goes, of two that exchange
        ([server("renamed", "data", 3, "dbs"), server("other", "more", 2)], ["mydb"]),
        ([server("other", "data", 2, "dbs")], ["mydb"]),
        ([server("mydb", "n1", 3, "more"), server("other", "n2", 4, "dbs")], ["mydb", "other"]),
        # it keeps what it has
        ([server("mydb", "data", 3, "dbs"), server("other", "more", 2)], []),
    ],
)
def test_a_database_whose_volume_or_port_or_share_goes_to_another_is_stopped_first(
    build: Build, engine: FakeEngine, wanted: list[Server], expected: list[str]
) -> None:
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1), running("other", "more", 2)]
    engine.answers["/volumes"] = {"Volumes": [mapped("dbs", "dbs"), mapped("more", "more")]}
    assert stopped(build, engine, *wanted) == expected


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ({"folder": "a"}, "a", True),
        ({"folder": "a"}, "a/b", True),
        ({"folder": "a/b"}, "a", True),
        ({"folder": "a"}, "", True),
        ({}, "a", True),
        ({"folder": "a"}, "ab", False),
        ({"folder": "a", "protocol": "nfs"}, "A", False),
        ({"folder": "\u00c4", "protocol": "smb"}, "a\u0308", True),
        ({"folder": "a", "share": "more"}, "a", False),
    ],
)
def test_folders_of_a_share_are_compared_as_the_plugin_does(
    build: Build, engine: FakeEngine, held: dict[str, str], wanted: str, expected: bool
) -> None:
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1)]
    engine.answers["/volumes"] = {"Volumes": [mapped("dbs", **{"share": "files"} | held)]}
    assert stopped(build, engine, server("other", "new", 2, "files", path=wanted)) == (["mydb"] if expected else [])


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ({"protocol": "local"}, False),
        ({"protocol": "NFS", "server": "nas"}, True),
        ({"protocol": "smb", "server": "other"}, False),
        ({"share": "more"}, False),
    ],
)
def test_a_share_of_the_same_name_on_another_server_is_another(
    build: Build, engine: FakeEngine, held: dict[str, str], expected: bool
) -> None:
    """To Pulumi what holds that is as it was, so nobody would start it again."""
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1)]
    engine.answers["/volumes"] = {"Volumes": [mapped("dbs", **{"share": "files"} | held, exclusive="true")]}
    there = {"protocol": "nfs", "server": "nas"}
    assert stopped(build, engine, server("other", "new", 2, "files", **there)) == (["mydb"] if expected else [])
    engine.posted.clear()
    assert stopped(build, engine, files=[Folder("files", **there)]) == (["mydb"] if expected else [])


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_files_that_the_demos_containers_get_are_left_by_whoever_had_them_alone(
    build: Build, engine: FakeEngine, exclusive: str
) -> None:
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1)]
    engine.answers["/volumes"] = {"Volumes": [mapped("dbs", "files", exclusive=exclusive)]}
    files: list[Folder] = [Folder("files")]
    assert stopped(build, engine, files=files) == (["mydb"] if exclusive == "true" else [])


def test_the_state_knows_the_share_of_a_volume_whose_plugin_was_away(
    build: Build, engine: FakeEngine, recorder: Recorder
) -> None:
    recorder.in_state["docker:index/volume:Volume", "dbs-volume"] = {"name": "dbs", "driverOpts": {"share": "files"}}
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1)]
    engine.answers["/volumes"] = {"Volumes": [{"Name": "dbs", "Labels": LABELS, "Options": None}]}
    assert stopped(build, engine, server("renamed", "data", 2, "files")) == ["mydb"]


@pytest.mark.parametrize(("wanted", "expected"), [("mydb", []), ("renamed", ["byhand"])])
def test_a_container_that_was_renamed_by_hand_is_still_the_one_of_the_state(
    build: Build, engine: FakeEngine, recorder: Recorder, wanted: str, expected: list[str]
) -> None:
    recorder.in_state["docker:index/container:Container", "mydb-container"] = {"id": "byhand-id", "name": "mydb"}
    engine.answers["/containers/json"] = [running("byhand", "dbs", 1)]
    assert stopped(build, engine, server(wanted, "dbs", 1)) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [("running", True), ("paused", True), ("restarting", True), ("exited", False), ("created", False)],
)
def test_whatever_may_hold_a_volume_is_stopped(build: Build, engine: FakeEngine, state: str, expected: bool) -> None:
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1) | {"State": state}]
    assert stopped(build, engine, server("renamed", "dbs", 1)) == (["mydb"] if expected else [])
