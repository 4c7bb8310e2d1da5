"""A database whose volume or port goes to another is stopped right before that one is made, on a host far away, too."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.folders import Folder
from components.hosts import Claims, LocalHost, Plugin, Server, SSHHost
from provider.connection import Engine, EngineConnection, EngineError
from provider.owner import CHECKOUT_LABEL, STACK_LABEL
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import STOP, logged_in, settings_of
from tests.unit.conftest import Build, Options, Recorder
from tests.unit.fake_engine import FakeEngine, fake_engine, listed_plugin

LABELS = {STACK_LABEL: "datadocker/unit", CHECKOUT_LABEL: "here:/one#1"}
THEIRS = {STACK_LABEL: "datadocker/unit", CHECKOUT_LABEL: "here:/two#2"}
STATE = {
    ("docker:index/container:Container", f"{name}-container"): {
        "id": f"{name}-id", "name": name, "volumes": [{"volumeName": volume}],
        "ports": [{"internal": 3306, "external": port}],
    }
    for name, volume, port in (("mydb", "dbs", 1.0), ("other", "more", 2.0))
} | {
    ("docker:index/volume:Volume", f"{volume}-volume"): {"name": volume, "driverOpts": {"share": volume}}
    for volume in ("dbs", "more")
}  # fmt: skip
PLUGIN = Plugin(driver="azurefile", root="/r")


def server(name: str, volume: str, port: int, share: str = "") -> Server:
    return Server(container=name, volume=volume, folder=Folder(share or volume), port=port)


def claims(*servers: Server) -> Claims:
    return {"labels": LABELS, "containers": [], "volumes": [], "servers": list(servers), "files": [], "plugin": PLUGIN}


def running(name: str, labels: dict[str, str] = LABELS) -> dict[str, Any]:
    volume, port = {"other": ("more", 2), "theirs": ("dbs", 9)}.get(name, ("dbs", 1))
    return {
        "Id": f"{name}-id", "Names": [f"/{name}"], "State": "running", "Labels": labels,
        "Ports": [{"PublicPort": port}], "Mounts": [{"Name": volume}],
    }  # fmt: skip


def known_state(monkeypatch: pytest.MonkeyPatch, state: Mapping[tuple[str, str], dict[str, Any]]) -> None:
    monkeypatch.setattr("components.state.recorded", lambda: state)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path) as made:
        made.answers["/containers/json"] = [running("mydb"), running("other"), running("theirs", THEIRS)]
        yield made


@pytest.fixture
def logins(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where was logged in to."""
    made: list[str] = []

    @contextmanager
    def login(there: Engine) -> Iterator[EngineConnection]:
        made.append(there["url"])
        yield EngineConnection(engine.path)

    for module in ("claims", "holders"):
        monkeypatch.setattr(f"components.hosts.{module}.connect", login)
    known_state(monkeypatch, STATE)
    return made


@pytest.fixture(autouse=True)
def hooks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was given to the containers' hooks to call, which mocks don't."""
    made: list[Any] = []

    def hook(name: str, call: Any, *_: Any) -> Any:
        if name != "no-empty-share":
            made.append(call)
        return call

    monkeypatch.setattr(pulumi, "ResourceHook", hook)
    return made


def before(container: str, *volumes: str) -> pulumi.ResourceHookArgs:
    inputs = {"name": container, "volumes": [{"volumeName": volume} for volume in volumes]}
    return pulumi.ResourceHookArgs("urn", "", "", "", new_inputs=inputs)


@pytest.mark.parametrize(
    ("wanted", "stopped"),
    [
        ([server("mydb", "dbs", 1)], []),
        ([server("renamed", "dbs", 1)], ["mydb"]),
        # by a volume of another name
        ([server("renamed", "data", 3, "dbs"), server("other", "more", 2)], ["mydb"]),
        ([server("mydb", "dbs", 2), server("other", "more", 1)], ["mydb", "other"]),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_over_ssh_nobody_logs_in_without_need(
    build: Build,
    engine: FakeEngine,
    logins: list[str],
    monkeypatch: pytest.MonkeyPatch,
    hooks: list[Any],
    wanted: list[Server],
    stopped: list[str],
    preview: bool,
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    said = build(lambda: dict(SSHHost("host", {"address": "box.example"}).claim(claims(*wanted))))
    assert {label: said[label] for label in LABELS} == LABELS
    expected = [] if preview else stopped
    # what else may fail comes first
    assert engine.posted == []
    assert logins == (["ssh://root@box.example:22"] if expected else [])
    # that volumes are still there is asked when a container is made
    assert len(hooks) == (not preview)
    for call in hooks:
        for made in wanted:
            asyncio.get_event_loop().run_until_complete(call(before(made["container"])))
    assert sorted(engine.posted) == [f"/v1.41/containers/{name}-id/stop?t=60" for name in expected]


@pytest.mark.usefixtures("logins")
def test_it_waits_for_no_thread_in_which_another_registration_waits_for_it(
    build: Build, engine: FakeEngine, hooks: list[Any]
) -> None:
    """With --parallel 1 the engine makes nothing else before the hook is done, and all threads may wait for that."""
    build(lambda: SSHHost("host", {"address": "box.example"}).claim(claims(server("renamed", "dbs", 1))) and None)
    done = threading.Event()

    async def made() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        other = loop.run_in_executor(None, done.wait)
        try:
            await asyncio.wait_for(hooks[0](before("renamed")), 10)
        finally:
            done.set()
            await other
            # the tests' loop is one
            loop.set_default_executor(ThreadPoolExecutor())

    asyncio.get_event_loop().run_until_complete(made())
    assert engine.posted == ["/v1.41/containers/mydb-id/stop?t=60"]


@pytest.mark.usefixtures("logins")
def test_no_container_is_made_on_a_volume_that_is_gone(build: Build, engine: FakeEngine, hooks: list[Any]) -> None:
    """The engine would make one of that name, empty and on its own disk, and the server fill it."""
    build(lambda: SSHHost("host", {"address": "box.example"}).claim(claims(server("mydb", "dbs", 1))) and None)
    engine.answers["/volumes"] = {"Volumes": [{"Name": "more", "Driver": "azurefile:latest", "Labels": LABELS}]}
    loop = asyncio.get_event_loop()
    with pytest.raises(
        pulumi.RunError, match=r"^volume dbs: gone from the engine, .*: \./pulumiw up --refresh --stack unit makes"
    ):
        loop.run_until_complete(hooks[0](before("mydb", "dbs", "more")))
    loop.run_until_complete(hooks[0](before("docker1", "more")))


@pytest.mark.usefixtures("logins")
def test_a_volume_whose_plugin_is_disabled_is_not_said_to_come_back_by_a_refresh(
    build: Build, engine: FakeEngine, hooks: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh takes only what the engine does not know for gone, and of this the engine says something else."""
    driver = {"name": "dbs", "driver": "azurefile:latest"}
    known_state(monkeypatch, {("docker:index/volume:Volume", "dbs-volume"): driver})
    build(lambda: SSHHost("host", {"address": "box.example"}).claim(claims(server("mydb", "dbs", 1))) and None)
    said = r"^volume dbs: its plugin azurefile is disabled: docker plugin enable --timeout 120 azurefile, then say it "
    for plugins, expected in (
        ([listed_plugin("other", "/o") | {"Enabled": False}, listed_plugin("azurefile", "/r")], "gone from the engine"),
        ([listed_plugin("azurefile", "/r") | {"Enabled": False}], said),
    ):
        engine.answers["/plugins"] = plugins
        with pytest.raises(pulumi.RunError, match=expected):
            asyncio.get_event_loop().run_until_complete(hooks[0](before("mydb", "dbs")))


@pytest.mark.parametrize(("there", "watched"), [(["dbs", "more"], False), (["more"], True)])
def test_on_this_machine_a_volume_that_is_gone_is_seen_at_once(
    build: Build,
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    hooks: list[Any],
    there: list[str],
    watched: bool,
) -> None:
    known_state(monkeypatch, STATE)
    engine.answers["/containers/json"] = []
    engine.answers["/volumes"] = {"Volumes": [{"Name": n, "Driver": "azurefile", "Labels": LABELS} for n in there]}
    wanted = claims(server("mydb", "dbs", 1), server("other", "more", 2))
    build(lambda: LocalHost("host", {"socket": engine.path}).claim(wanted) and None)
    assert len(hooks) == watched


@pytest.mark.usefixtures("logins")
def test_only_what_the_container_gets_that_is_made_is_let_go(
    build: Build, engine: FakeEngine, hooks: list[Any], options: Options
) -> None:
    wanted = claims(server("renamed", "dbs", 1), server("mydb", "new", 8), server("last", "more", 7))
    wanted["files"] = [Folder("more")]
    alone = {"share": "more", "exclusive": "true"}
    engine.answers["/volumes"] = {"Volumes": [{"Name": "more", "Labels": LABELS, "Options": alone}]}
    build(lambda: SSHHost("host", {"address": "box.example"}).claim(wanted) and None)
    for container, stopped in (("docker1", ["other"]), ("mydb", []), ("last", ["other"]), ("renamed", ["mydb"])):
        engine.posted.clear()
        asyncio.get_event_loop().run_until_complete(hooks[0](before(container)))
        assert engine.posted == [f"/v1.41/containers/{name}-id/stop?t=60" for name in stopped], container


def test_each_container_of_a_stack_has_its_hook_and_nothing_else_has(
    build: Build, engine: FakeEngine, hooks: list[Any], options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_state(monkeypatch, STATE)
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)
    monkeypatch.setattr("components.databases.readiness._wait", lambda *_: None)
    engine.answers["/containers/json"] = []
    raw: dict[str, Any] = {"host": {"kind": "local", "socket": engine.path}, "shares": {"kind": "local"}}
    raw |= {"volumes": ["logs", "config", "dbs"], "databases": [{"name": "renamed", "volume": "dbs", "port": 1}]}

    def program() -> None:
        settings = parse(raw, file="Pulumi.dev.yaml")
        build_stack(settings, *docker_host(settings))

    build(program)
    hooked = {name for (_, name), opts in options.items() if opts.hooks and opts.hooks.before_create == hooks}
    assert hooked == {f"{name}-container" for name in ("docker1", "docker2", "docker3", "reader", "renamed")}
    assert len([opts for opts in options.values() if opts.hooks and opts.hooks.before_create]) == len(hooked)


def test_over_ssh_a_name_that_another_has_is_refused_before_a_database_is_stopped_for_it(
    build: Build, engine: FakeEngine, logins: list[str], hooks: list[Any]
) -> None:
    wanted = claims(server("theirs", "dbs", 1)) | {"containers": ["theirs"]}
    with pytest.raises(pulumi.RunError, match=r"^container theirs: taken on this engine by stack datadocker/unit "):
        build(lambda: dict(SSHHost("host", {"address": "box.example"}).claim(wanted)))
    assert len(logins) == 1


def test_over_ssh_a_port_that_another_has_is_refused_before_the_container_goes(
    build: Build, engine: FakeEngine, logins: list[str]
) -> None:
    wanted = claims(server("mydb", "dbs", 9), server("other", "more", 2))
    with pytest.raises(pulumi.RunError, match=r"^port 9: taken on this engine by stack datadocker/unit .*here:/two"):
        build(lambda: dict(SSHHost("host", {"address": "box.example"}).claim(wanted)))
    assert engine.posted == []
    # one that nobody has is what it can be moved to
    build(lambda: dict(SSHHost("host", {"address": "box.example"}).claim(claims(server("mydb", "dbs", 8)))))
    assert len(logins) == 2


def test_what_is_looked_for_on_the_engine_makes_the_labels_depend_on_nothing_else(
    build: Build, logins: list[str]
) -> None:
    """A plan saved by a preview, which looks for nothing, would be violated by another dependency."""
    checked: dict[str, Any] = {}

    def program() -> dict[str, Any]:
        address = pulumi.Stash("address", input="box.example").output
        labels = {label: pulumi.Stash(label, input=value).output for label, value in LABELS.items()}
        wanted = claims(server("mydb", "dbs", 8)) | {"labels": labels}
        checked.update(SSHHost("host", {"address": address}).claim(wanted))
        return dict(checked)

    build(program)
    assert len(logins) == 1
    for output in checked.values():
        resources = asyncio.get_event_loop().run_until_complete(output.resources())
        assert {resource._name for resource in resources} == {*LABELS}


@pytest.mark.parametrize("others", [True, False])
def test_over_ssh_another_name_of_the_plugin_is_refused_while_others_need_the_first(
    build: Build, engine: FakeEngine, logins: list[str], monkeypatch: pytest.MonkeyPatch, others: bool
) -> None:
    known = STATE | {("datadocker-engine:index:EnginePlugin", "azurefile-plugin"): {"driver": "first"}}
    known_state(monkeypatch, known)
    engine.answers["/plugins"] = [listed_plugin("first", "/r")]
    engine.answers["/volumes"] = {"Volumes": [{"Name": "x", "Driver": "first", "Labels": THEIRS if others else LABELS}]}

    def program() -> dict[str, Any]:
        return dict(SSHHost("host", {"address": "box.example"}).claim(claims(server("mydb", "dbs", 1))))

    if others:
        with pytest.raises(pulumi.RunError, match=r"^plugin first stays, since others have volumes of it"):
            build(program)
    else:
        assert build(program)[CHECKOUT_LABEL] == LABELS[CHECKOUT_LABEL]
    assert len(logins) == 1


def test_what_keeps_ssh_out_when_something_has_to_be_stopped_is_one_line(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    def login(*_: object) -> None:
        raise EngineError("ssh to root@box.example failed: no route")

    monkeypatch.setattr("components.hosts.claims.connect", login)
    known_state(monkeypatch, STATE)
    wanted = claims(server("renamed", "dbs", 1))
    with pytest.raises(pulumi.RunError, match=r"^ssh to root@box.example failed: no route$"):
        build(lambda: dict(SSHHost("host", {"address": "box.example"}).claim(wanted)))


@pytest.mark.usefixtures("logins")
def test_what_keeps_ssh_out_when_a_container_is_made_is_one_line(
    build: Build, monkeypatch: pytest.MonkeyPatch, hooks: list[Any]
) -> None:
    def login(*_: object) -> None:
        raise EngineError("ssh to root@box.example failed: no route")

    build(lambda: SSHHost("host", {"address": "box.example"}).claim(claims(server("mydb", "dbs", 1))) and None)
    monkeypatch.setattr("components.hosts.holders.connect", login)
    refused = r"^container mydb can't be made: ssh to root@box.example failed: no route$"
    with pytest.raises(pulumi.RunError, match=refused):
        asyncio.get_event_loop().run_until_complete(hooks[0](before("mydb", "dbs")))


@pytest.mark.parametrize("moved", [True, False])
def test_on_azure_it_waits_for_the_machine(
    build: Build, engine: FakeEngine, logins: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moved: bool
) -> None:
    recorder = logged_in(monkeypatch, tmp_path)
    engine.answers["/containers/json"] = []
    made: list[str] = []
    register = Recorder.new_resource

    def noted(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> Any:
        made.append(args.typ + ("" if not logins else " after the login"))
        return register(self, args)

    monkeypatch.setattr(Recorder, "new_resource", noted)
    raw = settings_of("staging") | {"host": settings_of("staging")["host"] | {"sshFrom": ["203.0.113.7/32"]}}
    raw["databases"] = [{"name": "renamed" if moved else "mydb", "volume": "dbs", "port": 1}]

    def program() -> None:
        settings = parse(raw, file="Pulumi.staging.yaml")
        build_stack(settings, *docker_host(settings))

    build(program)
    assert logins == (["ssh://datadocker@203.0.113.10:22"] if moved else [])
    assert STOP in made
    container = "docker:index/container:Container"
    assert (f"{container} after the login" if moved else container) in made
    assert recorder.one(container, "renamed-container" if moved else "mydb-container")
