"""Hosts: how the engine is reached, and what is wrong when it is not."""

from __future__ import annotations

import json
import os
import shlex
import socket
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
import pytest

from components.hosts import LocalHost, SSHHost
from components.hosts.docker_provider import DockerProvider
from provider.connection import EngineConnection, EngineError
from provider.resource import engine_client
from tests.unit.conftest import Build, Recorder
from tests.unit.fake_engine import FakeEngine, NewerEngine, served
from tests.unit.nobody import closed_socket, told_as_nobody

PROVIDER = "pulumi:providers:docker"


def test_a_local_host_is_its_socket(build: Build, recorder: Recorder, engine: FakeEngine) -> None:
    path = engine.path
    out = build(lambda: {"host": LocalHost("host", {"socket": path}).docker_host})
    assert out["host"] == f"unix://{path}"
    assert recorder.one(PROVIDER, "host-engine")["host"] == f"unix://{path}"


def test_docker_host_names_the_local_engine(build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.path}")
    out = build(lambda: {"host": LocalHost("host", {}).docker_host})
    assert out["host"] == f"unix://{engine.path}"


@pytest.mark.parametrize("elsewhere", ["ssh://ops@box", "tcp://127.0.0.1:2375"])
def test_docker_host_of_an_engine_elsewhere_is_refused(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", elsewhere)
    with pytest.raises(pulumi.RunError, match=rf"DOCKER_HOST={elsewhere} is an engine elsewhere, .*: unset it"):
        build(lambda: LocalHost("host", {}) and None)
    # a socket in the settings is what counts
    build(lambda: LocalHost("host", {"socket": engine.path}) and None)


def test_no_engine_is_one_line_that_says_what_to_do(build: Build, tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"no Docker engine answers at .*: start it") as caught:
        build(lambda: LocalHost("host", {"socket": str(tmp_path / "none.sock")}) and None)
    assert "\n" not in str(caught.value)


def test_a_dead_engines_socket_is_no_engine(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(EngineError, match=r"^no Docker engine answers at .*, or, for a new stack, set"):
        EngineConnection(str(path)).get("/version")


def test_a_socket_that_is_closed_to_us(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def denied(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "connect", denied)
    with pytest.raises(EngineError, match=r"no permission .*: add your user to the group docker"):
        EngineConnection(str(tmp_path / "docker.sock")).get("/version")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_user_who_may_not_use_the_socket_is_told_so() -> None:
    with closed_socket() as path:
        said = told_as_nobody(EngineConnection(path).ping)
    assert said == (
        f"EngineError: no permission to use the Docker engine's socket {path}: "
        "add your user to the group docker, or run as root"
    )


def test_what_the_engine_refuses_is_said_in_its_words(engine: FakeEngine) -> None:
    engine.answers["/broken"] = Exception("disk full")
    with pytest.raises(EngineError, match="answered: disk full"):
        EngineConnection(engine.path).get("/broken")


def test_an_engine_that_does_not_take_our_version_any_more_is_asked_by_its_oldest(tmp_path: Path) -> None:
    with served(NewerEngine(tmp_path / "docker.sock")) as engine:
        connection = EngineConnection(engine.path)
        connection.ping()
        assert connection.get("/containers/json", all=1) == []
        connection.post("/containers/x/start")
        assert engine.asked[:3] == ["/v1.41/_ping", "/version", "/v1.100/_ping"]
        # once for the connection
        assert engine.asked[3:] == ["/v1.100/containers/json?all=1", "/v1.100/containers/x/start"]
        with engine_client({"url": f"unix://{engine.path}", "ssh_opts": []}) as client:
            assert client.containers.list() == []
        assert engine.asked[-1].startswith("/v1.100/containers/json")


def test_podman_is_said_to_be_no_engine_for_this(engine: FakeEngine) -> None:
    engine.headers["Libpod-API-Version"] = "5.4.2"
    said = rf"^what answers at {engine.path} is Podman, which has no volume plugins: .* datadocker:host.socket"
    with pytest.raises(EngineError, match=said):
        EngineConnection(engine.path).ping()
    with pytest.raises(EngineError, match=said), engine_client({"url": f"unix://{engine.path}", "ssh_opts": []}):
        pass


def test_an_engine_that_is_too_old_is_to_be_upgraded(engine: FakeEngine) -> None:
    said = b'{"message": "client version 1.41 is too new. Maximum supported API version is 1.40"}'
    engine.respond = lambda *asked: (400, said)  # type: ignore[method-assign]
    with pytest.raises(EngineError, match=r"answered: it is older than 20\.10, which this needs: upgrade it "):
        EngineConnection(engine.path).ping()


def test_what_is_too_old_is_said_where_no_version_helps(engine: FakeEngine) -> None:
    engine.answers["/version"] = {"ApiVersion": "1.41", "MinAPIVersion": "1.9"}
    engine.respond = lambda *asked: (400, b'{"message": "x is too old"}') if "/broken" in asked[1] else None  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="answered: x is too old"):
        EngineConnection(engine.path).get("/broken")


def test_the_provider_is_the_packages_own(build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    versions: list[str | None] = []
    register = pulumi.ProviderResource.__init__

    def noted(self: pulumi.ProviderResource, *given: Any) -> None:
        versions.append(given[3].version)
        register(self, *given)

    monkeypatch.setattr(pulumi.ProviderResource, "__init__", noted)

    def program() -> None:
        options = pulumi.Output.secret(["-o", "BatchMode=yes"]).apply(lambda known: known)
        DockerProvider("ours", "ssh://box", options, pulumi.ResourceOptions())
        # said to be none: what is left out is the environment's
        docker.Provider(
            "theirs", host="ssh://box", ssh_opts=options,
            context="", cert_path="", ca_material="", cert_material="", key_material="",
        )  # fmt: skip

    build(program)
    assert recorder.one(PROVIDER, "ours") == recorder.one(PROVIDER, "theirs")
    assert recorder.is_secret(PROVIDER, "ours", "sshOpts")
    assert versions[0] == versions[1] is not None


def test_an_ssh_host_pins_the_key_without_a_file(build: Build, recorder: Recorder) -> None:
    key = "ssh-ed25519 AAAAC3Nz"

    def program() -> dict[str, object]:
        host = SSHHost(
            "host",
            {
                "address": "box.example",
                "user": "ops",
                "port": 2222,
                "host_key": key,
                "identity_file": "/k",
            },
        )
        return {"host": host.docker_host, "ssh": host.ssh}

    out = build(program)
    assert out["host"] == "ssh://ops@box.example:2222"
    login = shlex.split(out["ssh"])
    assert [login[0], *login[-3:]] == ["ssh", "-p", "2222", "ops@box.example"]
    assert f"KnownHostsCommand=/bin/echo [box.example]:2222 {key}" in login
    made = recorder.one(PROVIDER, "host-engine")
    assert made["host"] == "ssh://ops@box.example:2222"
    options = made["sshOpts"] if isinstance(made["sshOpts"], list) else json.loads(made["sshOpts"])
    assert f"KnownHostsCommand=/bin/echo [box.example]:2222 {key}" in options
    assert "StrictHostKeyChecking=yes" in options
    assert "StrictHostKeyChecking=no" not in options
    # else an up stands for hours after a suspend
    assert {"ServerAliveInterval=10", "ServerAliveCountMax=6"} <= set(options)
    assert options[options.index("-i") + 1] == "/k"
    assert os.fspath("/k") in options
