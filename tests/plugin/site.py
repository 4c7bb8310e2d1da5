"""Machines with the plugin in their engines, and one storage account that they reach over SMB or NFS."""

import json
import shlex
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.machines import images
from tests.machines.host import Ran
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer

# Long enough that a machine without hardware virtualisation, beside other work, renews in time.
TAKEOVER = 24
PASSWORD = "mypassword"
ROOT = "/var/lib/datadocker"
# Appends a number a line, each on the server's disk before the next, until it is stopped.
WRITER = "n=0; while n=$((n+1)); do echo $HOSTNAME $n >> /v/rows && sync /v/rows; sleep 0.3; done"


class Site:
    """What a test does with machines and shares; volumes are made with the server's own options."""

    def __init__(self, plugin: MachinePlugin, server: SambaServer | GaneshaServer) -> None:
        self.server = server
        self._plugin = plugin

    @contextmanager
    def machines(self, *names: str, database: bool = False) -> Iterator[tuple[Machine, ...]]:
        """Restores machines side by side, with the plugin enabled and the account's key in place."""

        def restore(name: str) -> Machine:
            defaults = ",".join(self.options)
            return self._plugin.restore(name, database=database, TAKEOVER_SECONDS=str(TAKEOVER), DEFAULTS=defaults)

        with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
            found = tuple(stack.enter_context(machine) for machine in pool.map(restore, names))
            for machine in found:
                self.write_key(machine)
            yield found

    @property
    def options(self) -> list[str]:
        protocol = "smb" if isinstance(self.server, SambaServer) else "nfs"
        return [f"protocol={protocol}", f"server={Machine.share_address}", f"port={self.server.port}"]

    def folder(self, share: str) -> Path:
        """Where the server has a share's files."""
        if isinstance(self.server, SambaServer):
            return self.server.folder / "shares" / share
        return self.server.exports[share]

    def write_key(self, machine: Machine, key: str | None = None) -> None:
        if isinstance(self.server, SambaServer):
            text = f"key={key or self.server.key}\n".encode()
            machine.put(text, f"{ROOT}/credentials/{self.server.account}", 0o600)


def create(machine: Machine, volume: str, *options: str) -> None:
    given = [part for option in options for part in ("-o", option)]
    machine.run(["docker", "volume", "create", "--name", volume, "-d", "azurefile", *given])


def run(machine: Machine, name: str, volume: str, command: str, *options: str, check: bool = True) -> Ran:
    """Starts a container that has the volume on /v."""
    line = ["docker", "run", "-d", "--name", name, "--hostname", f"{machine.name}-{name}", *options]
    return machine.run([*line, "-v", f"{volume}:/v", images.BASE, "sh", "-c", command], check=check, timeout=120)


def run_mysql(machine: Machine, name: str, volume: str, port: int, check: bool = True) -> Ran:
    """Starts the demo's database as the talk types it."""
    line = f"docker run -d -v {volume}:/var/lib/mysql -p {port}:3306 --env=MYSQL_ROOT_PASSWORD={PASSWORD}"
    return machine.run(f"{line} --restart=unless-stopped --name {name} {images.tag('mysql')}", check=check, timeout=180)


def query(machine: Machine, container: str, statement: str, seconds: float = 240) -> str:
    """Asks a database, which may still start."""
    line = f"docker exec {container} mysql -uroot -p{PASSWORD} -h127.0.0.1 -N -e {shlex.quote(statement)}"
    end = time.monotonic() + seconds
    while True:
        ran = machine.run(line, check=False, timeout=60)
        if ran.code == 0:
            return ran.out.strip()
        if time.monotonic() > end:
            raise TimeoutError(ran.text + machine.run(f"docker logs --tail 20 {container}", check=False).text)
        time.sleep(1)


def inspect(machine: Machine, container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run(["docker", "inspect", container]).out)[0]
    return found


def status(machine: Machine, volume: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(machine.run(["docker", "volume", "inspect", volume]).out)[0]["Status"]
    return found


def running(machine: Machine, container: str) -> bool:
    return bool(inspect(machine, container)["State"]["Running"])


def wait_until(check: Any, seconds: float) -> float:
    """Repeats a question until its answer is yes; returns how long that took."""
    started = time.monotonic()
    while not check():
        if time.monotonic() - started > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.3)
    return time.monotonic() - started


def wait_for_holder(machine: Machine, volume: str, container: str) -> None:
    """The holder's name follows its start by a moment."""
    wait_until(lambda: any(h["name"] == container and h.get("pid") for h in status(machine, volume)["holders"]), 30)


def mount_calls(machine: Machine, volume: str, count: int) -> list[tuple[str, float]]:
    """Calls Mount at the plugin's own socket, one after the other: its error or its answer, and the seconds."""
    script = (
        "s=$(ls /run/docker/plugins/*/azurefile.sock); for i in $(seq %d); do curl -s -w ' %%{time_total}\\n' "
        '--unix-socket $s -d \'{"Name":"%s","ID":"\'t$i\'"}\' http://x/VolumeDriver.Mount | tr -d "\\n"; echo; done'
    )
    lines = machine.run(script % (count, volume), timeout=20 + count * 5).out.strip().splitlines()
    answered = (line.rsplit(" ", 1) for line in lines)
    return [(json.loads(answer).get("Err") or answer, float(seconds)) for answer, seconds in answered]


def plugin_log(machine: Machine) -> str:
    """What the plugin wrote, from the engine's journal; a restored machine has that under its snapshot's machine id."""
    return machine.run("journalctl --merge -u docker --no-pager | grep plugin=", check=False).out


class ListWatch:
    """Runs `docker volume ls` again and again beside a test, and remembers the slowest."""

    def __init__(self, machine: Machine) -> None:
        self.slowest = 0.0
        self._machine = machine
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ListWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(60)

    def _run(self) -> None:
        line = "s=$(date +%s%N); docker volume ls -q >/dev/null; echo $(( ($(date +%s%N) - s) / 1000000 ))"
        while not self._end.wait(1):
            self.slowest = max(self.slowest, int(self._machine.run(line).out) / 1000)
