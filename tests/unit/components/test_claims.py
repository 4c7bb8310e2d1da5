"""What a stack claims on an engine: whether it can be had, and what is said where it can't be."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest

from components.folders import Folder
from components.hosts import Claims, LocalHost, Server
from components.state import PLUGIN
from provider.owner import CHECKOUT_LABEL, STACK_LABEL
from tests.unit.conftest import Build, Recorder
from tests.unit.fake_engine import FakeEngine, listed_plugin

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"


def server(name: str, volume: str, port: int) -> Server:
    return Server(container=name, volume=volume, folder=Folder(volume), port=port)


LABELS = {STACK_LABEL: "datadocker/unit", CHECKOUT_LABEL: "here:/one#1"}
THEIRS = {STACK_LABEL: "datadocker/unit", CHECKOUT_LABEL: "here:/two#2"}


def claims(*servers: Server, containers: list[str] | None = None) -> Claims:
    return {
        "labels": LABELS,
        "containers": [server["container"] for server in servers] + (containers or []),
        "volumes": [server["volume"] for server in servers],
        "servers": list(servers),
        "files": [],
        "plugin": {"driver": "azurefile", "root": "/r"},
    }


def running(name: str, volume: str, port: int, labels: dict[str, str] = LABELS) -> dict[str, object]:
    return {
        "Id": f"{name}-id", "Names": [f"/{name}"], "State": "running", "Labels": labels,
        "Ports": [{"PublicPort": port}], "Mounts": [{"Name": volume}],
    }  # fmt: skip


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_said_before_anything_is_made(build: Build, engine: FakeEngine, listening: int) -> None:
    def program() -> None:
        LocalHost("host", {"socket": engine.path}).claim(claims(server("mydb", "dbs", listening)))

    with pytest.raises(pulumi.RunError, match=f"port {listening} for mydb is in use on 127.0.0.1: stop"):
        build(program)


def test_a_port_that_is_not_for_us_is_free_as_far_as_one_can_tell(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", denied)
    build(lambda: LocalHost("host", {"socket": engine.path}).claim(claims(server("mydb", "dbs", 306))) and None)


def test_a_port_that_we_publish_ourselves_is_free(
    build: Build, recorder: Recorder, engine: FakeEngine, listening: int
) -> None:
    recorder.in_state[CONTAINER, "mydb-container"] = {"id": "mydb-id", "name": "mydb"}
    engine.answers["/containers/json"] = [running("mydb", "dbs", listening)]

    def program() -> None:
        LocalHost("host", {"socket": engine.path}).claim(claims(server("mydb", "dbs", listening)))

    build(program)


def refused(build: Build, recorder: Recorder, engine: FakeEngine, wanted: Claims) -> str:
    def program() -> None:
        host = LocalHost("host", {"socket": engine.path})
        labels = [docker.VolumeLabelArgs(label=label, value=value) for label, value in host.claim(wanted).items()]
        docker.Volume("first", labels=labels, opts=host.child(host))

    with pytest.raises(pulumi.RunError) as caught:
        build(program)
    assert recorder.all(VOLUME) == {}
    assert engine.posted == []
    return str(caught.value)


@pytest.mark.parametrize("stands", [False, True])
def test_an_engine_that_the_plugin_can_not_work_on_is_said_where_it_does_not_stand(
    build: Build, recorder: Recorder, engine: FakeEngine, stands: bool
) -> None:
    engine.answers["/info"] = {"OperatingSystem": "Docker Desktop"}
    if stands:
        recorder.in_state[PLUGIN, "azurefile-plugin"] = {"driver": "azurefile"}
        build(lambda: LocalHost("host", {"socket": engine.path}).claim(claims()) and None)
    else:
        assert refused(build, recorder, engine, claims()).startswith("the engine is Docker Desktop's, ")


def test_what_an_engine_with_selinux_is_to_be_told_is_said_and_keeps_nobody(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    engine.answers["/info"] = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=selinux"]}
    build(lambda: LocalHost("host", {"socket": engine.path}).claim(claims()) and None)
    assert [line[line.index("mkdir") :] for line in said] == [
        "mkdir -p /r/shares && semanage fcontext -a -t container_file_t '/r/shares(/.*)?' && restorecon -R /r/shares"
    ]


def test_what_another_checkouts_stack_has_is_one_line_that_names_it(
    build: Build, recorder: Recorder, engine: FakeEngine, listening: int
) -> None:
    engine.answers["/containers/json"] = [running("mydb", "dbs", listening, THEIRS), running("docker1", "x", 1, THEIRS)]
    engine.answers["/volumes"] = {"Volumes": [{"Name": "dbs", "Labels": THEIRS}, {"Name": "more", "Labels": THEIRS}]}
    said = refused(build, recorder, engine, claims(server("mydb", "dbs", listening), containers=["docker1"]))
    assert said == (
        f"container mydb, container docker1, port {listening}, volume dbs: taken on this engine by stack "
        "datadocker/unit of here:/two: destroy that stack first, or give this stack names and ports of its own "
        "(datadocker:prefix, databases[].port)"
    )


def test_what_is_left_of_a_state_that_is_gone_is_one_line_that_says_how_to_remove_it(
    build: Build, recorder: Recorder, engine: FakeEngine
) -> None:
    before = LABELS | {CHECKOUT_LABEL: "here:/one#0"}
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1, before)]
    said = refused(build, recorder, engine, claims(server("mydb", "dbs", 2)))
    assert (
        "an earlier life of this stack, whose state is gone: unless it is in another backend than ./pulumiw who" in said
    )
    assert "docker rm -f $(docker ps -aq --filter 'label=io.datadocker.checkout=here:/one#0')" in said
    assert "docker image prune -af --filter 'label=io.datadocker.image-of=here:/one#0'); its shares" in said


@pytest.mark.parametrize(("host", "gone"), [(socket.gethostname(), True), ("elsewhere", False)])
def test_what_is_left_of_a_checkout_that_is_gone_is_one_line_that_says_how_to_remove_it(
    build: Build, recorder: Recorder, engine: FakeEngine, tmp_path: Path, host: str, gone: bool
) -> None:
    for folder, removed in ((tmp_path, False), (tmp_path / "gone", gone)):
        before = LABELS | {CHECKOUT_LABEL: f"{host}:{folder}#0"}
        engine.answers["/containers/json"] = [running("mydb", "dbs", 1, before)]
        said = refused(build, recorder, engine, claims(server("mydb", "dbs", 2)))
        left = f"docker rm -f $(docker ps -aq --filter 'label=io.datadocker.checkout={host}:{folder}#0')"
        assert (
            f":{folder}, a folder that is gone: unless it was moved, remove what it left ({left}" in said
        ) is removed
        assert (f":{folder}: destroy that stack first" in said) is not removed


def test_a_container_by_hand_that_has_a_name_of_ours_is_one_line(
    build: Build, recorder: Recorder, engine: FakeEngine
) -> None:
    engine.answers["/containers/json"] = [running("mydb", "x", 1, {})]
    said = refused(build, recorder, engine, claims(server("mydb", "dbs", 2)))
    assert said.startswith(
        "container mydb: taken on this engine by container mydb, made by hand: remove it first (docker rm -f mydb), or"
    )


def test_a_container_of_ours_that_the_state_does_not_know_is_one_line(
    build: Build, recorder: Recorder, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)
    recorder.in_state[CONTAINER, "mydb-container"] = {"id": "an earlier one", "name": "mydb"}
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1), running("another", "x", 3)]
    said = refused(build, recorder, engine, claims(server("mydb", "dbs", 1)))
    assert said.startswith("container mydb is this stack's, and its state does not know it")
    assert "docker rm -f mydb (shares keep their data), then say it again" in said


@pytest.mark.parametrize(
    ("there", "data"),
    [
        ({"Driver": "azurefile:latest", "Options": {"share": "mine"}}, "its share keeps the data"),
        ({"Driver": "azurefile:latest", "Options": {"share": "mine"}, "Name": "known"}, "its share keeps the data"),
        ({"Driver": "azurefile:latest", "Labels": {"by": "hand"}, "Name": "known"}, "its share keeps the data"),
        ({"Driver": "azurefile:latest"}, "its share keeps the data"),
        ({"Driver": "local", "Name": "known"}, "its data goes, too"),
        # the engine forgets labels of volumes whose plugin was away
        ({"Driver": "azurefile:latest", "Name": "known"}, ""),
        ({"Driver": "before:latest", "Name": "known"}, ""),
        ({"Driver": "azurefile", "Name": "mounted"}, ""),
    ],
)
def test_a_volume_by_hand_that_has_a_name_of_ours_is_one_line(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    there: dict[str, Any],
    data: str,
) -> None:
    recorder.in_state = {
        ("datadocker-engine:index:EnginePlugin", "azurefile-plugin"): {"driver": "before"},
        (VOLUME, "known-volume"): {"name": "known"},
        (CONTAINER, "mydb-container"): {"id": "mydb-id"},
    }
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)
    volume = {"Name": "new", "Labels": None, "Options": None} | there
    engine.answers["/containers/json"] = [running("mydb", "mounted", 1)]
    engine.answers["/volumes"] = {"Volumes": [volume, volume | {"Name": "elsewhere"}]}
    wanted = claims(server("mydb", volume["Name"], 1))
    if data:
        assert refused(build, recorder, engine, wanted) == (
            f"volume {volume['Name']}: taken on this engine by a volume made by hand: remove it first (docker volume "
            f"rm {volume['Name']}; {data}), or give this stack names and ports of its own (datadocker:prefix, "
            "databases[].port)"
        )
    else:
        build(lambda: LocalHost("host", {"socket": engine.path}).claim(wanted) and None)


@pytest.mark.parametrize(
    ("plugin", "volumes", "said"),
    [
        (
            listed_plugin("azurefile", "/r", "x"),
            [],
            "the engine has a plugin azurefile that is not ours (x): remove it",
        ),
        (
            listed_plugin("azurefile", "/other"),
            [("theirs", "azurefile:latest", THEIRS)],
            "plugin azurefile works in the folder /other for volume theirs, and would find none of it in /r: set "
            "datadocker:plugin.name to another name, or datadocker:plugin.root to /other",
        ),
        (listed_plugin("azurefile", "/other"), [("theirs", "local", THEIRS), ("dbs", "azurefile", LABELS)], ""),
        (listed_plugin("theirs", "/r"), [], "plugin theirs uses the folder /r already, and one of two would never"),
        (listed_plugin("before", "/r"), [("dbs", "before", LABELS), ("bare", "before:latest", None)], ""),
        (
            listed_plugin("before", "/r"),
            [("dbs", "before", LABELS), ("x", "before", THEIRS), ("byhand", "before", None)],
            "plugin before stays, since others have volumes of it (byhand, x), and two can't share the folder /r: set "
            "datadocker:plugin.name back",
        ),
    ],
)
def test_a_plugin_that_others_keep_as_it_is_is_one_line(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    plugin: dict[str, Any],
    volumes: list[tuple[str, str, dict[str, str] | None]],
    said: str,
) -> None:
    recorder.in_state = {
        ("datadocker-engine:index:EnginePlugin", "azurefile-plugin"): {"driver": "before"},
        (VOLUME, "bare-volume"): {"name": "bare"},
    }
    engine.answers["/plugins"] = [plugin]
    engine.answers["/volumes"] = {"Volumes": [dict(zip(("Name", "Driver", "Labels"), v, strict=True)) for v in volumes]}
    if said:
        assert refused(build, recorder, engine, claims()).startswith(said)
    else:
        build(lambda: LocalHost("host", {"socket": engine.path}).claim(claims()) and None)


@pytest.mark.parametrize(("volumes", "said"), [(["dbs"], True), (["dbs", "logs"], False)])
def test_a_volume_that_somebody_uses_is_not_taken_out_and_nothing_is_changed_before_that_is_said(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    volumes: list[str],
    said: bool,
) -> None:
    recorder.in_state = {(VOLUME, f"{name}-volume"): {"name": name} for name in ("dbs", "logs")}
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1), running("byhand", "logs", 2, {})]
    wanted = claims() | {"volumes": volumes}
    if said:
        assert refused(build, recorder, engine, wanted) == (
            "volumes of this stack are in use: logs by byhand (made by hand, running): remove what uses them (docker "
            "rm -f byhand) and say it again; none of them was deleted"
        )
    else:
        build(lambda: LocalHost("host", {"socket": engine.path}).claim(wanted) and None)


def test_under_other_names_two_checkouts_stand_side_by_side(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)
    engine.answers["/containers/json"] = [running("mydb", "dbs", 1, THEIRS)]
    engine.answers["/volumes"] = {"Volumes": [{"Name": "dbs", "Labels": THEIRS}]}
    wanted = claims(server("b-mydb", "b-dbs", 2))
    build(lambda: LocalHost("host", {"socket": engine.path}).claim(wanted) and None)
    # not even one that has what is ours
    assert engine.posted == []
