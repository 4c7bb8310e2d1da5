"""Starting an engine where there is none, also after one of ours was killed without warning; what can't be started."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.nobody import closed_socket, told_as_nobody
from toolchain import engine, packages
from toolchain.progress import ToolchainError

CHECKOUT = Path(__file__).resolve().parents[2]
# mounts and a network of its own: the machine's engine is not disturbed
SCRIPT = """
set -e
mount -t tmpfs none /run
mkdir /run/lock
mount -t tmpfs none /var/lib/docker
ip link set lo up
start() {
    timeout 100 python3 -c '
import pathlib
from toolchain import engine
engine.LOG = pathlib.Path("/run/dockerd.log")
engine.ensure()
engine.ensure()'
    docker version --format answers
}
start
kill -9 "$(cat /run/docker.pid)" "$(cat /run/docker/containerd/containerd.pid)"
start
daemon=$(cat /run/docker.pid)
kill -9 "$daemon"
start
daemon=$(cat /run/docker.pid)
kill "$daemon"
while [ -e /run/docker.pid ]; do sleep 0.1; done
"""


@pytest.mark.exclusive_engine
def test_an_engine_is_started_and_started_again_after_it_was_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-m", "-n", "--propagation", "private", "bash", "-c", SCRIPT],
        cwd=CHECKOUT, text=True, capture_output=True, check=False, timeout=400,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "DOCKER_HOST": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["answers"] * 3
    assert done.stderr.count("starting the Docker engine: done") == 3


def test_no_engine_at_docker_host_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ToolchainError, match=r"no Docker engine answers at DOCKER_HOST=.*: start it, or unset it"):
        engine.ensure()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_a_user_who_may_not_use_the_socket_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_socket() as path:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        said = told_as_nobody(engine.ensure)
    assert said == (
        f"ToolchainError: no permission to use the Docker engine's socket {path}: "
        "add yourself to the group docker (sudo usermod -aG docker $USER, then log in again)"
    )


def test_on_a_cold_machine_without_an_engine_building_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    engine.check_permission()


def test_the_engine_that_a_stack_stands_on_has_to_answer_before_it_is_destroyed(tmp_path: Path) -> None:
    engine.require(["ssh://ops@box:22"])
    with pytest.raises(ToolchainError, match=r"^no Docker engine answers at .*none.sock, where .*: start it$"):
        engine.require(["ssh://ops@box:22", f"unix://{tmp_path}/none.sock"])


@pytest.mark.parametrize("named", [False, True])
def test_without_being_root_a_missing_engine_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: bool
) -> None:
    socket_path = str(tmp_path / "none.sock")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if named:
        # the default one by its name is no engine of somebody's own
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket_path}")
    monkeypatch.setattr(engine, "SOCKET", socket_path)
    monkeypatch.setattr(engine, "SOCKETS", (socket_path,))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(
        ToolchainError, match=r"start it .*, install it .*, or, for a new stack, .* \(DOCKER_HOST=unix://…\)$"
    ):
        engine.ensure()


@pytest.mark.parametrize(
    ("there", "brings", "installed"),
    [
        (set(), {"docker.io": {"dockerd", "docker"}, "iptables": {"iptables"}}, ["docker.io iptables docker-cli"]),
        ({"iptables"}, {"docker.io": {"dockerd"}, "docker-cli": {"docker"}}, ["docker.io docker-cli"]),
        # as of Docker's own archive, beside which Debian's would be a second one
        ({"dockerd", "docker"}, {"iptables": {"iptables"}}, ["iptables"]),
        ({"dockerd", "iptables"}, {"docker-cli": {"docker"}}, ["docker-cli"]),
        ({"dockerd", "iptables", "docker"}, {}, []),
    ],
)
def test_an_engine_that_is_installed_comes_with_its_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: set[str], brings: dict[str, set[str]], installed: list[str]
) -> None:
    done: list[str] = []

    def install(names: list[str], _: str, optional: list[str]) -> None:
        done.append(" ".join([*names, *optional]))
        there.update(*(brings.get(name, set()) for name in [*names, *optional]))

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr(engine, "_start", lambda: done.append("started"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages, "install", install)
    monkeypatch.setattr(shutil, "which", lambda program: program if program in there else None)
    engine.ensure()
    assert done == [*installed, "started"]


def test_an_engine_is_found_by_the_path_of_a_user_and_learns_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system, said = tmp_path / "sbin", tmp_path / "said"
    system.mkdir()
    for program in ("dockerd", "iptables"):
        (system / program).write_text(f"#!/bin/sh\n/bin/pwd >> {said}\n/usr/bin/env >> {said}\nexit 1\n")
        (system / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for variable in ("PULUMI_CONFIG_PASSPHRASE", "ARM_CLIENT_SECRET", "DOCKER_PASSWORD"):
        monkeypatch.setenv(variable, "s3cret")
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(packages, "SYSTEM_PATH", (str(system),))
    monkeypatch.setattr(engine, "SOCKET", str(tmp_path / "none.sock"))
    monkeypatch.setattr(engine, "LOG", tmp_path / "log")
    monkeypatch.setattr(engine, "PID_FILES", {"dockerd": tmp_path / "docker.pid"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(ToolchainError, match="the Docker engine stopped at once"):
        engine.ensure()
    folder, *environment = said.read_text().splitlines()
    assert folder == "/"
    assert "https_proxy=http://proxy:3128" in environment
    assert f"PATH={tmp_path}:{system}" in environment
    assert "s3cret" not in said.read_text()


def test_pid_files_of_the_dead_are_removed_and_of_the_living_kept(tmp_path: Path) -> None:
    file = tmp_path / "docker.pid"
    file.write_text(str(os.getpid()))
    engine._forget_dead("dockerd", file)
    assert not file.exists()
    file.write_text(str(os.getpid()))
    engine._forget_dead(Path("/proc/self/comm").read_text().strip(), file)
    assert file.exists()


def test_a_service_that_does_not_start_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(Path, "is_dir", lambda _: True)
    with pytest.raises(ToolchainError, match="the Docker engine does not start: journalctl -u docker says why"):
        engine._start()


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (b"Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1", "what answers at .*docker.sock is Podman, which has no "),
        (b"Api-Version: 1.40\r\nServer: Docker", "the Docker engine at .*docker.sock is older than 20.10, which this"),
    ],
)
def test_an_engine_that_this_can_not_work_with_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, headers: bytes, said: str
) -> None:
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with socket.create_server(str(path), family=socket.AF_UNIX) as server, ThreadPoolExecutor() as beside:

        def answer() -> None:
            with server.accept()[0] as asked:
                asked.recv(4096)
                asked.sendall(b"HTTP/1.0 200 OK\r\n" + headers + b"\r\n\r\nOK")

        for ask in (engine.check_permission, engine.ensure):
            answered = beside.submit(answer)
            with pytest.raises(ToolchainError, match=f"^{said}"):
                ask()
            answered.result()
