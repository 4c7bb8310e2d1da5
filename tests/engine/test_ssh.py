"""The same stack on a host that SSH reaches: only the provider's address differs."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.hosts.ssh import ssh_options
from provider.connection import Engine, EngineError, connect
from tests.engine.conftest import CHECKOUT, Project, changes, docker, free_port

pytestmark = pytest.mark.engine


@dataclass
class SSHServer:
    port: int
    identity: Path
    host_key: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@contextlib.contextmanager
def sshd(folder: Path, settings: str = "") -> Iterator[SSHServer]:
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    shutil.copy(folder / "user.pub", folder / "authorized_keys")
    port = free_port()
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\n{settings}"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    running = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", folder / "sshd_config", "-E",
                                folder / "log"])  # fmt: skip
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert running.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        kind, key = (folder / "host.pub").read_text().split()[:2]
        yield SSHServer(port, folder / "user", f"{kind} {key}")
    finally:
        running.terminate()
        running.wait()


@pytest.fixture(autouse=True)
def _no_local_engine(project: Project) -> None:
    """Nothing may go to the engine that is beside the one at the other end of ssh."""
    project.more_env["DOCKER_HOST"] = "unix:///nonexistent/docker.sock"


def host(server: SSHServer, **change: object) -> dict[str, object]:
    return {
        "kind": "ssh",
        "address": "127.0.0.1",
        "user": getpass.getuser(),
        "port": server.port,
        "identityFile": str(server.identity),
        "hostKey": server.host_key,
    } | change


def test_the_demo_over_ssh(project: Project, server: SSHServer) -> None:
    config = project.config(host=host(server), shares={"kind": "local", "retain": False})
    stack = project.stack("ssh", config)
    try:
        stack.up()
        assert stack.outputs()["dockerHost"].value == f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}"
        assert project.sql(stack, "SELECT 1") == "1"
        assert f"{project.prefix}reader" in docker("ps", "--format", "{{.Names}}")
        assert changes(stack.up()) == {}
        assert changes(stack.refresh()) == {}
        project.sql(stack, "CREATE DATABASE talk; CREATE TABLE talk.t (n INT); INSERT INTO talk.t VALUES (42)")
        # the one that holds its volume and port is stopped by ssh first
        stack = project.stack("ssh", config | {"databases": [{**config["databases"][0], "name": "renamed"}]})
        stack.up()
        assert project.sql(stack, "SELECT n FROM talk.t", "renamed") == "42"
    finally:
        stack.destroy()
    assert docker("ps", "-aq", "--filter", f"name={project.prefix}") == ""


def test_a_host_key_that_is_not_the_pinned_one_is_refused(project: Project, server: SSHServer, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    other = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    project.stack("liar", project.config(stack="databases", host=host(server, hostKey=other)))
    try:
        done = project.cli("up", "--yes", "--skip-preview", "--stack", "liar")
        assert done.returncode != 0
        assert "ssh to root@127.0.0.1 failed: Host key verification failed." in done.stdout
        assert docker("ps", "-aq", "--filter", f"name={project.prefix}") == ""
    finally:
        project.cli("destroy", "--yes", "--skip-preview", "--stack", "liar")


def test_an_engine_that_ssh_does_not_reach_is_named_with_what_ssh_says(tmp_path: Path) -> None:
    with (
        sshd(tmp_path, "AllowStreamLocalForwarding no\n") as server,
        pytest.raises(EngineError) as caught,
        connect(way(server)) as engine,
    ):
        engine.ping()
    said = str(caught.value)
    assert re.fullmatch(
        rf"the Docker engine on {getpass.getuser()}@127.0.0.1 broke off \(channel .*: open failed: .*\): does it run "
        r"there, may this user use it \(group docker\), and does sshd forward sockets \(AllowStreamLocalForwarding\)\?",
        said,
    ), said


def test_many_databases_are_asked_at_once_without_more_logins_than_sshd_takes(tmp_path: Path) -> None:
    def ask(_: int) -> None:
        together.wait()
        with connect(way(server)) as engine:
            engine.ping()

    many = 20
    together = threading.Barrier(many)
    # by default it turns away some from the tenth on, this one all
    with sshd(tmp_path, "MaxStartups 10\n") as server, ThreadPoolExecutor(many) as pool:
        list(pool.map(ask, range(many)))


def way(server: SSHServer) -> Engine:
    options = ssh_options(
        {"address": "127.0.0.1", "port": server.port, "identity_file": server.identity, "host_key": server.host_key}
    )
    return Engine(url=f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}", ssh_opts=options)


HOLDS = """
import json, sys, time
from provider.connection import connect
with connect(json.loads(sys.argv[1])) as engine:
    engine.ping()
    print("connected", flush=True)
    time.sleep(600)
"""


def test_a_provider_that_is_killed_takes_its_way_to_the_engine_with_it(server: SSHServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, json.dumps(way(server))], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as provider:
        assert provider.stdout is not None
        assert provider.stdout.readline() == "connected\n"
        (ssh,) = map(int, Path(f"/proc/{provider.pid}/task/{provider.pid}/children").read_text().split())
        ended = os.pidfd_open(ssh)
        try:
            provider.kill()
            assert select.select([ended], [], [], 60)[0], "ssh is still there"
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(ended, signal.SIGKILL)
            os.close(ended)
