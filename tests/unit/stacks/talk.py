"""The talk's composition, stood up by mocks."""

from __future__ import annotations

from typing import Any

from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.conftest import Build
from tests.unit.fake_engine import FakeEngine

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
TALK: dict[str, Any] = {
    "volumes": ["logs", "dbs", "config", "simpledb"],
    "databases": [{"name": "mydb", "volume": "dbs", "port": 1}],
}


def stand(build: Build, engine: FakeEngine, exported: dict[str, Any], **change: Any) -> dict[str, Any]:
    """Registers it with changed settings; returns the outputs."""
    raw = TALK | {"host": {"kind": "local", "socket": engine.path}} | change

    def program() -> dict[str, Any]:
        settings = parse(raw, file="f")
        build_stack(settings, *docker_host(settings))
        return exported

    return dict(build(program))
