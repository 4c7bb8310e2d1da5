"""Machines with the plugin in their engines, and one storage account that they reach over SMB or NFS."""

import contextlib
import http.client
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.machines import images
from tests.machines.command import CommandError, Ran
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.harness import UnixConnection

# Long enough that a machine without hardware virtualisation, beside other work, renews in time.
TAKEOVER = 36
PASSWORD = "mypassword"
ROOT = "/var/lib/datadocker"
# Appends a number a line, each on the server's disk before the next, until it is stopped. Longer than the plugin's
# own records, so that a server's log which knows only lengths tells them apart.
ROW_BYTES = 3000
WRITER = (
    f"pad=$(printf %0{ROW_BYTES}d 0); n=0; "
    "while n=$((n+1)); do echo $HOSTNAME $n $pad >> /v/rows && sync /v/rows; sleep 0.3; done"
)

# Print the ids of the plugin's first process, with which all of it ends, and of the one that does its work.
PLUGIN_PID = "pgrep -o -f '^/usr/bin/python3 -m azurefile'"
WORKER_PID = "pgrep -n -f '^/usr/bin/python3 -m azurefile'"
# Beside each call a thread sleeps again and again: by what it oversleeps, the machine stands still, not the plugin.
MOUNT_CALLS = """
import glob, http.client, json, socket, sys, threading, time
path, = glob.glob("/run/docker/plugins/*/azurefile.sock")
stood = 0.0
def watch():
    global stood
    while True:
        began = time.monotonic()
        time.sleep(0.05)
        stood = max(stood, time.monotonic() - began - 0.05)
threading.Thread(target=watch, daemon=True).start()
answers = []
for number in range(int(sys.argv[2])):
    stood, started = 0.0, time.monotonic()
    connection = http.client.HTTPConnection("plugin")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    connection.request("POST", "/VolumeDriver.Mount", json.dumps({"Name": sys.argv[1], "ID": f"t{number}"}))
    answer = json.loads(connection.getresponse().read())
    seconds = time.monotonic() - started
    # one that began before a pause ends after it
    time.sleep(0.06)
    answers.append((answer, seconds, stood))
    connection.close()
print(json.dumps(answers))
"""


class Site:
    """What a test does with machines and shares; volumes are made with the server's own options."""

    def __init__(self, plugin: MachinePlugin, server: SambaServer | GaneshaServer) -> None:
        self.server = server
        self._plugin = plugin

    @contextmanager
    def machines(self, *names: str, database: bool = False, **settings: str) -> Iterator[tuple[Machine, ...]]:
        """Restores machines side by side, with the plugin enabled and the account's key in place."""
        given = {"TAKEOVER_SECONDS": str(TAKEOVER), "DEFAULTS": ",".join(self.options), **settings}

        def restore(name: str) -> Machine:
            return self._plugin.restore(name, database=database, **given)

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

    def add_share(self, share: str) -> None:
        """Has the server serve one more; over NFS it restarts for that."""
        if isinstance(self.server, SambaServer):
            self.server.add_share(share)
        else:
            self.server.add_export(share)

    def delete_share(self, share: str) -> None:
        """Has it gone with its data under those who have it mounted."""
        if isinstance(self.server, SambaServer):
            self.server.delete_share(share)
        else:
            self.server.remove_export(share)

    def writers(self, share: str) -> list[str]:
        """Hosts in the order in which they wrote rows, as the server's own log tells; twice if others were between."""
        if isinstance(self.server, SambaServer):
            return [turn.client for turn in self.server.turns(share, "rows")]
        return [turn.client for turn in self.server.turns(minimum=ROW_BYTES)]

    def write_key(self, machine: Machine, key: str | None = None) -> None:
        if isinstance(self.server, SambaServer):
            text = f"key={key or self.server.key}\n".encode()
            machine.put(text, f"{ROOT}/credentials/{self.server.account}", 0o600)


def docker(machine: Machine, *arguments: str, check: bool = True, timeout: float = 180) -> Ran:
    """Runs this side's docker command against a machine's engine: an emulated machine takes long to start its own."""
    done = subprocess.run(
        ["docker", *arguments],
        env=os.environ | {"DOCKER_HOST": f"unix://{machine.docker_socket}"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise CommandError(f"docker {' '.join(arguments)[:300]} for {machine.name}: {done.stderr.strip()}")
    return Ran(done.returncode, done.stdout, done.stderr)


def create(machine: Machine, volume: str, *options: str) -> None:
    given = [part for option in options for part in ("-o", option)]
    docker(machine, "volume", "create", "--name", volume, "-d", "azurefile", *given)


def run(machine: Machine, name: str, volume: str, command: str, *options: str, check: bool = True) -> Ran:
    """Starts a container that has the volume on /v."""
    line = ["run", "-d", "--name", name, "--hostname", f"{machine.name}-{name}", *options]
    return docker(machine, *line, "-v", f"{volume}:/v", images.BASE, "sh", "-c", command, check=check)


def run_mysql(machine: Machine, name: str, volume: str, port: int, check: bool = True) -> Ran:
    """Starts the demo's database as the talk types it, and waits until it takes logins."""
    line = f"run -d -v {volume}:/var/lib/mysql -p {port}:3306 --env=MYSQL_ROOT_PASSWORD={PASSWORD}"
    line += f" --restart=unless-stopped --name {name} {images.tag('mysql')}"
    ran = docker(machine, *line.split(), check=check)
    if ran.code == 0:
        wait_for_database(machine, name)
    return ran


def wait_for_database(machine: Machine, container: str, seconds: float = 400) -> None:
    """Waits until the image's own health check says that it takes logins; until then no query takes its time."""

    def healthy() -> bool:
        # An engine that still starts answers nothing.
        with contextlib.suppress(CommandError):
            return bool(inspect(machine, container)["State"].get("Health", {}).get("Status") == "healthy")
        return False

    try:
        wait_until(healthy, seconds)
    except TimeoutError as error:
        raise TimeoutError(docker(machine, "logs", "--tail", "30", container, check=False).text) from error


def query(machine: Machine, container: str, statement: str) -> str:
    """Asks a database."""
    client = f"exec {container} mysql -uroot -p{PASSWORD} -h127.0.0.1 -N -e"
    return docker(machine, *client.split(), statement).out.strip()


def inspect(machine: Machine, container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker(machine, "inspect", container).out)[0]
    return found


def status(machine: Machine, volume: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker(machine, "volume", "inspect", volume).out)[0]["Status"]
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
    return [(answer, seconds) for answer, seconds, _ in _mount_calls(machine, volume, count)]


def check_refusals(machine: Machine, volume: str, words: str) -> None:
    """Asserts that 100 of 100 Mounts are refused in these words, each within two seconds in which the machine ran."""
    answers = _mount_calls(machine, volume, 100)
    assert [answer for answer, _, _ in answers if words not in answer] == []
    assert max(seconds - stood for _, seconds, stood in answers) < 2, answers


def _mount_calls(machine: Machine, volume: str, count: int) -> list[tuple[str, float, float]]:
    ran = machine.run(["python3", "-c", MOUNT_CALLS, volume, str(count)], timeout=30 + count * 5)
    return [(answer.get("Err") or json.dumps(answer), seconds, stood) for answer, seconds, stood in json.loads(ran.out)]


def plugin_log(machine: Machine) -> str:
    """What the plugin wrote, from the engine's journal; a restored machine has that under its snapshot's machine id."""
    return machine.run("journalctl --merge -u docker --no-pager | grep plugin=", check=False).out


# That a list takes less than a second is seen where nothing is emulated (test_engine.py). Here it is told from one that
# waits for a share, which takes 5 s and more.
LIST_SECONDS = 3
# The engine asks a plugin that is away again after 1, 2, 4 and 8 s, and lists nothing before; one that has just started
# takes its holds back meanwhile.
AWAY_SECONDS = 15 + 2 * LIST_SECONDS


class ListWatch:
    """Asks the engine for its volumes again and again beside a test, and remembers the slowest answer.

    Asked as `docker volume ls` does, but from this side: an emulated machine takes long to start a command, and beside
    other work it may stand still for seconds. So the engine is pinged meanwhile, which asks no plugin, and what the
    slowest ping took is taken off. An engine that is down has no answer.
    """

    def __init__(self, machine: Machine, *volumes: str) -> None:
        """Each list has to have the `volumes`."""
        self._slowest = 0.0
        self._full = 0
        self._short: list[str] = []
        self._volumes = set(volumes)
        self._machine = machine
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "ListWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(100)
        assert not self._thread.is_alive()

    def check(self, *, away: bool = False, pauses: float = 0) -> None:
        """Asserts that the lists came at once and were complete, as they can't be while the plugin is `away`.

        `pauses`: what the engine may have waited before it asked again, in seconds.
        """
        assert self._full, "no list was complete"
        limit = AWAY_SECONDS if away else LIST_SECONDS + pauses
        assert self._slowest < limit, f"a list took {self._slowest:.1f} s more than a ping"
        assert away or not self._short, self._short

    def _run(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            while not self._end.wait(0.5):
                answered = threading.Event()
                pings = pool.submit(self._ping_until, answered)
                seconds, answer = self._ask("/volumes")
                answered.set()
                self._slowest = max(self._slowest, seconds - pings.result())
                if answer is None:
                    continue
                listed = {volume["Name"] for volume in answer.get("Volumes") or []}
                if self._volumes <= listed:
                    self._full += 1
                else:
                    self._short.append(str(answer)[:500])

    def _ping_until(self, answered: threading.Event) -> float:
        slowest = 0.0
        while not answered.wait(0.05):
            slowest = max(slowest, self._ask("/_ping")[0])
        return slowest

    def _ask(self, path: str) -> tuple[float, dict[str, Any] | None]:
        """Seconds until the engine answered, and its answer if it did: one that is down is no slow one."""
        started = time.monotonic()
        connection = UnixConnection(self._machine.docker_socket)
        with contextlib.closing(connection):
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read()
            except TimeoutError:
                return time.monotonic() - started, None
            except (OSError, http.client.HTTPException):
                return 0.0, None
        answer = json.loads(body) if body.startswith(b"{") else {"said": body.decode(errors="replace")}
        return time.monotonic() - started, answer
