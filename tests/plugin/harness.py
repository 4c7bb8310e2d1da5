"""A real plugin process on a folder of its own."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from azurefile import mounts

REPOSITORY = Path(__file__).resolve().parents[2]
# Until something happens that has to: a busy machine takes its time.
PATIENCE = 90
# Times in a row that cost nothing, and how often it is tried.
STILL, GROWS = 3, 20


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float = PATIENCE) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Refused(Exception):
    """The plugin answered with an error."""


class PluginProcess:
    """The server as a plain process; everything it touches is below `folder` and `root`."""

    def __init__(
        self,
        folder: Path,
        root: Path | None = None,
        state: str = "azurefile",
        engine: Path | None = None,
        defaults: str = "protocol=local",
        program: Path = REPOSITORY,
        module: str = "azurefile",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`program` is the folder in which its package is, `module` what of it is run, in this `environment` more."""
        self.folder = folder
        self._program = program
        self._module = module
        self._environment = environment or {}
        folder.mkdir(parents=True, exist_ok=True)
        self.root = root or folder / "root"
        self.socket = folder / "plugin.sock"
        self.mounts = folder / "mounts"
        self.state = state
        self.log = folder / "log"
        self._engine = engine or folder / "no-engine.sock"
        self._defaults = defaults
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = 0
        """How many of its workers were killed by a test."""

    @property
    def pid(self) -> int:
        """The one that does the plugin's work."""
        return self.pids[-1]

    @property
    def pids(self) -> list[int]:
        """Its first process, and that one's child."""
        assert self._process is not None
        return [self._process.pid, *children(self._process.pid)]

    def start(self) -> "PluginProcess":
        arguments = {
            "root": self.root,
            "socket": self.socket,
            "mounts": self.mounts,
            "engine": self._engine,
            "state": self.state,
            "defaults": self._defaults,
            "log-level": "debug",
        }
        if not mounts.is_mounted(self.mounts):
            # an engine sees what is mounted there, whatever namespace the worker has
            self.mounts.mkdir(exist_ok=True)
            subprocess.run(["mount", "--bind", self.mounts, self.mounts], check=True)
            # out of the peer group of what it lies on, where it would be mounted twice
            subprocess.run(["mount", "--make-private", self.mounts], check=True)
            subprocess.run(["mount", "--make-shared", self.mounts], check=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module] + [f"--{name}={value}" for name, value in arguments.items()],
                cwd=self._program,
                env=os.environ | self._environment,
                stderr=log,
                stdout=log,
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(self.log.read_text())
            try:
                self.call("Plugin.Activate")
            except OSError:
                time.sleep(0.02)
            else:
                return self
        raise TimeoutError(self.log.read_text())

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """End it without warning, and all of it."""
        self._end(signal.SIGKILL)

    def kill_worker(self) -> None:
        """End what does its work without warning."""
        _, pid = self.pids
        worker = os.pidfd_open(pid)
        signal.pidfd_send_signal(worker, signal.SIGKILL)
        _await_end(worker)
        self._killed += 1

        def followed() -> None:
            assert self.pids[1:] not in ([], [pid])

        eventually(followed)

    def stop(self) -> int:
        """End it politely; the exit code."""
        return self._end(signal.SIGTERM)

    def signal(self, number: int) -> None:
        for pid in self.pids:
            os.kill(pid, number)

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """One call; raises Refused with the plugin's words."""
        status, answer = self.raw(f"/{path}", json.dumps(body).encode())
        if status != 200:
            raise Refused(answer["Err"])
        return answer

    def raw(self, path: str, body: bytes, method: str = "POST") -> tuple[int, dict[str, Any]]:
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert isinstance(answer, dict)
            return response.status, answer
        finally:
            connection.close()

    def create(self, name: str, **opts: str) -> None:
        self.call("VolumeDriver.Create", Name=name, Opts=opts)

    def mount(self, name: str, mount_id: str) -> Path:
        return Path(self.call("VolumeDriver.Mount", Name=name, ID=mount_id)["Mountpoint"])

    def mount_for_an_engine_that_ends(self, name: str, mount_id: str) -> None:
        """Mount as another process, which is gone when this returns."""
        call = "import sys; from pathlib import Path; from tests.plugin.harness import UnixConnection as C\n"
        call += "c = C(Path(sys.argv[1])); c.request('POST', '/VolumeDriver.Mount', sys.argv[2])\n"
        call += "sys.exit(c.getresponse().status != 200)"
        body = json.dumps({"Name": name, "ID": mount_id})
        subprocess.run([sys.executable, "-c", call, str(self.socket), body], cwd=REPOSITORY, check=True)

    def unmount(self, name: str, mount_id: str) -> None:
        self.call("VolumeDriver.Unmount", Name=name, ID=mount_id)

    def remove(self, name: str) -> None:
        self.call("VolumeDriver.Remove", Name=name)

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("VolumeDriver.Get", Name=name)["Volume"]["Status"]
        return found

    def names(self) -> list[str]:
        return [volume["Name"] for volume in self.call("VolumeDriver.List")["Volumes"]]

    def mounted(self, name: str) -> int:
        """How many mounts lie on the volume's mount point."""
        target = str(self.mounts / name)
        return sum(entry.target == target for entry in mounts.read_mountinfo())

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()
        for entry in mounts.read_mountinfo():
            if entry.target.startswith(f"{self.mounts}/"):
                mounts.detach(Path(entry.target))
        while mounts.is_mounted(self.mounts):
            subprocess.run(["umount", "-l", self.mounts], check=True)
        # one that crashes is healed, and nothing else would tell
        log = self.log.read_text() if self.log.exists() else ""
        assert log.count("the plugin was killed") == self._killed, log

    def _end(self, number: int) -> int:
        assert self._process is not None
        worker = os.pidfd_open(self.pid)
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE)
        _await_end(worker)
        return code


def children(pid: int) -> list[int]:
    """What its first thread began and has not awaited."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _await_end(process: int) -> None:
    """Wait for the end of the process that a descriptor stands for, and close that."""
    ended, _, _ = select.select([process], [], [], PATIENCE)
    os.close(process)
    assert ended


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_kilobytes(pid: int, field: str = "Pss") -> int:
    """Proportional set size; `Pss_Anon` does not change with who else runs the same program."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise LookupError(pid)


def assert_leaves_nothing(pid: int, work: Callable[[], None], spare_kilobytes: int, spare_descriptors: int = 2) -> None:
    """Repeats `work` until three times in a row cost a process less than that; nor does it leave a file open.

    How much runs side by side at first is chance, and takes its memory once; what is kept grows each time.
    """
    work()
    descriptors, before = open_descriptors(pid), resident_kilobytes(pid, "Pss_Anon")
    grown: list[int] = []
    while len(grown) < STILL or sum(grown[-STILL:]) >= spare_kilobytes:
        assert len(grown) < GROWS, f"it grew by {grown} kB"
        work()
        after = resident_kilobytes(pid, "Pss_Anon")
        grown.append(after - before)
        before = after

    def closed() -> None:
        assert open_descriptors(pid) <= descriptors + spare_descriptors

    eventually(closed)


class Standstill:
    """How long this machine stood still meanwhile, beside other work: the longest that a thread overslept."""

    _PAUSE_SECONDS = 0.02

    def __enter__(self) -> "Standstill":
        self.seconds = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        # what began before a pause ends after it
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            time.sleep(self._PAUSE_SECONDS)
            self.seconds = max(self.seconds, time.monotonic() - began - self._PAUSE_SECONDS)


def eventually(check: Any, seconds: float = PATIENCE) -> None:
    """Repeat an assertion until it holds."""
    end = time.monotonic() + seconds
    while True:
        try:
            check()
        except (AssertionError, LookupError):
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def holder_is(plugin: PluginProcess, volume: str, name: str) -> None:
    """Wait until the engine has told the plugin its one holder."""

    def check() -> None:
        assert [h["name"] for h in plugin.status(volume)["holders"]] == [name]
        assert plugin.status(volume)["holders"][0]["pid"]

    eventually(check)
