"""An engine that remembers plugins, containers and volumes, and fails where a test says so."""

from __future__ import annotations

import contextlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from provider.connection import Engine, EngineConnection
from provider.owner import CHECKOUT_LABEL, IMAGE_LABEL, STACK_LABEL
from provider.resource import Props
from tests.unit.fake_engine import FakeEngine

OURS = "datadocker/azurefile:1"
STACK = {STACK_LABEL: "datadocker/dev", CHECKOUT_LABEL: "here:/one#1"}
# as a build comes
INITIAL = {"ENGINE": "/run/engine/docker.sock", "DEFAULTS": "protocol=local", "TAKEOVER_SECONDS": "60"}
# what a container by hand inherits from our image
INHERITED = {STACK_LABEL: "datadocker/dev", IMAGE_LABEL: "here:/one#1"}


def json_answer(value: Any, status: int = 200) -> tuple[int, bytes]:
    return status, json.dumps(value).encode()


def filesystem() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("app"))
        link = tarfile.TarInfo("app2")
        link.type, link.linkname = tarfile.LNKTYPE, "app"
        archive.addfile(link)
    return packed.getvalue()


class PluginEngine(FakeEngine):
    """Plugins, containers and volumes; `broken` is a step that fails, and `done` what was asked for.

    The one that does one thing ends with `code` and `log`; `graces` is how long each that was stopped was given.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.plugin: dict[str, Any] | None = None
        self.neighbour: dict[str, Any] | None = None
        self.containers: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.done: list[str] = []
        self.graces: dict[str, str | None] = {}
        self.oneoff: dict[str, Any] = {}
        self.code = 0
        self.broken = ""
        # a step that is never answered
        self.hanging = ""
        # the build that can't be enabled
        self.failing = ""
        # whether somebody else makes it right before it is made
        self.overtaken = False

    def has(self, description: str = OURS, *, enabled: bool = True, defaults: str = "protocol=local") -> None:
        self.plugin = {
            "Name": "azurefile:latest",
            "Enabled": enabled,
            "Config": {"Description": description, "Env": [{"Name": k, "Value": v} for k, v in INITIAL.items()]},
            "Settings": {
                "Mounts": [{"Name": "root", "Source": "/r"}, {"Name": "engine", "Source": str(Path(self.path).parent)}],
                "Env": [f"{k}={v}" for k, v in (INITIAL | {"DEFAULTS": defaults}).items()],
            },
        }

    def set(self, **settings: str) -> None:
        assert self.plugin is not None
        self.plugin["Settings"]["Env"] = [f"{k}={v}" for k, v in (self.settings() | settings).items()]

    def settings(self) -> dict[str, str]:
        assert self.plugin is not None
        return dict(e.split("=", 1) for e in self.plugin["Settings"]["Env"])

    def runs(self, name: str, labels: dict[str, str] | None = None, driver: str = "azurefile:latest") -> None:
        self.containers[name] = {
            "Id": name, "Names": [f"/{name}"], "State": "running", "Labels": labels if labels is not None else STACK,
            "Mounts": [{"Type": "volume", "Name": "dbs", "Driver": driver}],
        }  # fmt: skip

    def running(self) -> list[str]:
        return sorted(name for name, c in self.containers.items() if c["State"] == "running")

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        url = urlsplit(path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        step = f"{method} {re.sub('^/v[0-9.]+', '', url.path)}"
        if method != "GET":
            self.done.append(step)
        if self.hanging and self.hanging in step:
            self.silent.wait()
        if self.broken and self.broken in step:
            return json_answer({"message": "no space left on device"}, 500)
        kind, _, rest = step.partition(" ")[2].lstrip("/").partition("/")
        name, _, action = rest.partition("/")
        match kind:
            case "plugins":
                return self._plugins(method, name, action, query, body)
            case "volumes":
                return self._volumes(method, name, query, body)
            case "containers":
                return self._containers(method, name, action, query, body)
        return None

    def _plugins(self, method: str, name: str, action: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if not name:
            return json_answer([p for p in (self.neighbour, self.plugin) if p])
        if name == "create" and self.overtaken:
            self.has()
            return json_answer({"message": "plugin azurefile already exists"}, 409)
        if name == "create":
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                config = archive.extractfile("config.json")
                assert config is not None
                assert archive.getmember("rootfs/app2").linkname == "rootfs/app"
                self.has(json.load(config)["description"], enabled=False)
            return 204, b""
        if self.plugin is None:
            return json_answer({"message": f"plugin {name} not found"}, 404)
        if method == "DELETE":
            self.plugin = None
        elif action == "enable" and self.failing and self.failing in self.plugin["Config"]["Description"]:
            return json_answer({"message": "its program ended"}, 500)
        elif action in ("enable", "disable"):
            self.plugin["Enabled"] = action == "enable"
        elif action == "set":
            told = dict(setting.split("=", 1) for setting in json.loads(body))
            if unknown := {*told} - {*self.settings(), "root.source", "engine.source"}:
                return json_answer({"message": f"setting {unknown} not found in the plugin configuration"}, 500)
            self.set(**{k: v for k, v in told.items() if k in self.settings()})
        return json_answer(self.plugin)

    def _volumes(self, method: str, name: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if method == "DELETE":
            del self.volumes[name]
        elif name == "create":
            made = json.loads(body)
            self.volumes[made["Name"]] = {**made, "Driver": "local"}
            return json_answer(made, 201)
        elif name:
            return json_answer(self.volumes[name])
        wanted = json.loads(query.get("filters", "{}")).get("label", [])
        return json_answer({"Volumes": [v for v in self.volumes.values() if labelled(v.get("Labels"), wanted)]})

    def _containers(self, method: str, name: str, action: str, query: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if name == "json":
            wanted = json.loads(query.get("filters", "{}"))
            return json_answer([
                c for n, c in self.containers.items()
                if (query.get("all") == "1" or c["State"] == "running")
                and all(re.search(pattern, f"/{n}") for pattern in wanted.get("name", []))
                and labelled(c["Labels"], wanted.get("label", []))
                and c["State"] in wanted.get("status", [c["State"]])
                and ("volume" not in wanted or any(m.get("Name") in wanted["volume"] for m in c["Mounts"]))
            ])  # fmt: skip
        if name == "create":
            self.oneoff = json.loads(body)
            return json_answer({"Id": "oneoff"}, 201)
        if name == "oneoff" and action == "start" and self.oneoff["Cmd"][0] == "install":
            self.has(
                json.loads(dict(e.split("=", 1) for e in self.oneoff["Env"])["CONFIG"])["description"], enabled=False
            )
        if action == "wait":
            return json_answer({"StatusCode": self.code})
        if action == "logs":
            return 200, self.log
        if action == "export":
            return 200, filesystem()
        if method == "DELETE":
            self.containers.pop(name, None)
        if action == "stop":
            self.graces[name] = query.get("t")
        if action in ("start", "stop") and name != "oneoff":
            if name not in self.containers:
                return json_answer({"message": f"No such container: {name}"}, 404)
            self.containers[name]["State"] = {"start": "running", "stop": "exited"}[action]
        return json_answer({"Id": name, "Config": {"Tty": True}})


def labelled(labels: dict[str, str] | None, wanted: list[str]) -> bool:
    return {*wanted} <= {f"{k}={v}" for k, v in (labels or {}).items()}


def config(description: str) -> str:
    return json.dumps({"description": description, "env": [{"name": name} for name in INITIAL]})


def props(engine: PluginEngine, **change: Any) -> Props:
    return {
        "engine": {"url": f"unix://{engine.path}", "ssh_opts": []},
        "driver": "azurefile",
        "image": "datadocker/azurefile:tag",
        "config": config(OURS),
        "root": "/r",
        "socket": engine.path,
        "defaults": "protocol=local",
        "enabled": True,
    } | change


def newer(engine: PluginEngine) -> Props:
    return props(engine, config=config("datadocker/azurefile:2"))


def in_order(engine: PluginEngine, *steps: str) -> bool:
    """Whether the engine was asked for all of them, in this order."""
    places = [engine.done.index(step) for step in steps]
    return places == sorted(places)


def on_another_machine(engine: PluginEngine, monkeypatch: pytest.MonkeyPatch) -> Props:
    """Props of the newer build on an engine that ssh reaches."""

    @contextlib.contextmanager
    def connected(_: Engine) -> Iterator[EngineConnection]:
        yield EngineConnection(engine.path)

    monkeypatch.setattr("provider.resource.connect", connected)
    return newer(engine) | {"socket": "/var/run/docker.sock", "engine": {"url": "ssh://ops@box:22", "ssh_opts": []}}
