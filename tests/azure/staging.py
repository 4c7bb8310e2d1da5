"""Stack staging as it is committed, against a stand-in whose machines boot and whose shares are served."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from tests.azure import effects, prebuilt
from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.qemu import QemuRoom
from tests.azure.served import ServedShares
from tests.azure.standin import StandIn
from tests.machines.machine import Machine
from tests.machines.ports import free_port
from tests.machines.samba import SambaServer

VM = "compute:VirtualMachine"
CLIENT = "192.0.2.1"
"""Where the user comes from: of the range that the committed file lets in."""
RUNS_SECONDS = 300
"""For an emulated machine that starts all again, beside other work."""
WRITERS = {"docker1", "docker2", "docker3"}
SAID = "disconbobulating"
ROW = f"CREATE DATABASE demo; CREATE TABLE demo.talk (said TEXT); INSERT INTO demo.talk VALUES ('{SAID}')"


class Staging(Clone):
    """The stack, its cloud, and what a user sees of both."""

    def __init__(self, folder: Path) -> None:
        """Clones into `folder`. Call `close`."""
        # the machines' disk is made once for each change of what is built, and is none of an `up`'s time
        prebuilt.ensure()
        self.machines = QemuRoom()
        self.shares = ServedShares(self.machines)
        self.azure = StandIn(folder / "cloud.json", machines=self.machines, shares=self.shares)
        self.cloud.client = CLIENT
        super().__init__(folder, self.azure, "staging")

    def have_no_plugin(self, yes: bool) -> None:
        """Decides whether new machines come without the plugin, as Azure's do. To make it takes a minute of each."""
        self.machines.before = (
            f"docker plugin rm {prebuilt.PLUGIN} >/dev/null" if yes and not prebuilt.is_cold() else ""
        )

    @property
    def cloud(self) -> Cloud:
        return self.azure.cloud

    def come_from(self, client: str) -> None:
        """Has all who connect from now on come from that address."""
        self.cloud.client = client
        effects.refresh_ports(self.cloud)

    def lets_in(self, port: int) -> bool:
        """Whether the host's public address takes a connection at a port."""
        address = self.cloud.only("network:PublicIPAddress").facts["ipAddress"]
        try:
            socket.create_connection((address, port), 10).close()
        except ConnectionRefusedError:
            return False
        return True

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    @property
    def machine(self) -> Machine:
        """The one virtual machine, past the stack's own way in."""
        (found,) = self.machines.machines.values()
        return found

    @property
    def server(self) -> SambaServer:
        """What serves the one storage account over SMB."""
        (found,) = self.shares.servers.values()
        return found

    def share(self, share: str) -> Path:
        """Where the share's files are on this side, whatever serves them."""
        (account,) = self.shares.servers
        exported = self.shares.exports.get(account)
        return exported.exports[f"{account}/{share}"] if exported else self.server.share(share)

    def login(self) -> list[str]:
        """The `ssh` line of the outputs, word by word."""
        return shlex.split(os.path.expandvars(self.outputs()["ssh"]))

    def ssh(self, line: str) -> str:
        """Runs a shell line on the host by that line."""
        done = subprocess.run([*self.login(), line], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def docker(self, line: str) -> str:
        """Runs a line of Docker's client, whose ssh has the block `sshConfig` of the outputs."""
        client = self.folder / "client"
        client.mkdir(exist_ok=True)
        (client / "ssh_config").write_text(self.outputs()["sshConfig"])
        # ssh asks the system where its user's home is, and heeds no HOME
        (client / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {client}/ssh_config "$@"\n')
        (client / "ssh").chmod(0o755)
        env = {**os.environ, "DOCKER_CONFIG": str(client), "PATH": f"{client}:{os.environ['PATH']}"}
        done = subprocess.run(shlex.split(line), env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def written(self) -> dict[str, int]:
        """Writer → its last number, as the share's folder on this side has it."""
        file = self.share("logs") / "testfile"
        lines = file.read_text().splitlines()[:-1] if file.exists() else []
        return {name: int(number) for name, number in (line.split() for line in lines)}

    def assert_demo_runs(self, kind: str = "cifs", version: str = "vers=3.1.1") -> None:
        """Writers write to the share, the reader reads them over what it is meant to."""
        before = self.written()
        end = time.monotonic() + RUNS_SECONDS
        while any(self.written().get(w, 0) <= before.get(w, 0) for w in WRITERS):
            assert time.monotonic() < end, (before, self.written(), self.ssh("docker ps -a"))
            time.sleep(1)
        read = self.ssh("docker logs --tail 20 reader")
        assert {line.split()[0] for line in read.splitlines()} >= WRITERS, read
        mounts = self.ssh("docker exec reader cat /proc/mounts")
        (logs,) = [line for line in mounts.splitlines() if " /logs " in line]
        assert kind in logs
        assert version in logs

    def store_row(self) -> None:
        """Makes a database of its own, and a row in it."""
        with self.database() as cursor:
            for statement in ROW.split("; "):
                cursor.execute(statement)

    def rows(self) -> list[str]:
        """What the rows of that database say."""
        with self.database() as cursor:
            cursor.execute("SELECT said FROM demo.talk")
            return [said for (said,) in cursor.fetchall()]

    @contextlib.contextmanager
    def database(self) -> Iterator[pymysql.cursors.Cursor]:
        """Logs in to mydb where the outputs say, by their `tunnel` line if it has one, by the password of its URL."""
        mydb = self.outputs()["databases"]["mydb"]
        password = unquote(urlsplit(mydb["url"]).password or "")
        with contextlib.ExitStack() as way:
            port = way.enter_context(_tunnel(mydb["tunnel"], mydb["port"])) if "tunnel" in mydb else mydb["port"]
            connection = way.enter_context(contextlib.closing(_login(mydb["host"], port, password)))
            yield connection.cursor()
            connection.commit()

    def close(self) -> None:
        """Ends machines, servers and the stand-in."""
        self.machines.close()
        self.shares.close()
        self.azure.close()


@contextlib.contextmanager
def _tunnel(line: str, port: int) -> Iterator[int]:
    # the port on this side is another one: the machine that tests may have a demo of its own at 6603
    here = free_port()
    words = shlex.split(os.path.expandvars(line).replace(f"-L {port}:", f"-L {here}:"))
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as tunnel:
        try:
            _wait_for(here, tunnel)
            yield here
        finally:
            tunnel.terminate()


def _login(host: str, port: int, password: str) -> pymysql.Connection:
    # the server's own certificate, made by nobody that is known here
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    return pymysql.connect(
        host=host, port=port, user="root", password=password, ssl=trusting, connect_timeout=60, read_timeout=60
    )


def _wait_for(port: int, tunnel: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            assert tunnel.poll() is None, "the tunnel ended"
            assert time.monotonic() < end, "the tunnel does not open"
            # ssh tells nobody when it listens
            time.sleep(0.1)
