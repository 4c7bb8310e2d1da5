"""What an engine that is killed or restarted does to the plugin, with an engine of the test's own.

It runs in network and mount namespaces of its own, so the machine's engine is left alone.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.plugin.harness import eventually
from tests.plugin.managed import (
    Docker,
    DockerError,
    ManagedPlugin,
    base_image,
    build_archive,
    wait_for_socket,
)

pytestmark = [pytest.mark.exclusive_engine, pytest.mark.engine]

RESTARTS = int(os.environ.get("PLUGIN_ENGINE_RESTARTS", "2"))
SIGNALS = [signal.SIGKILL, signal.SIGTERM]


class OwnEngine:
    """A dockerd below one folder."""

    def __init__(self, folder: Path, archive: Path, image: Path) -> None:
        self.folder = folder
        self.docker = Docker(folder / "run/docker.sock")
        self.plugin = ManagedPlugin(self.docker, "ddtest-own", folder / "root", archive)
        self._image = image
        self._log = folder / "dockerd.log"
        # One process keeps the namespaces while the engine is away.
        self._keeper = subprocess.Popen(
            ["unshare", "-n", "-m", "--propagation=private", "sh", "-c",
             "mkdir -p /run/docker && mount -t tmpfs none /run/docker && exec sleep 100000"],
        )  # fmt: skip
        self._engine: subprocess.Popen[bytes] | None = None
        self._live_restore = False

    def install(self, *, live_restore: bool) -> None:
        self._live_restore = live_restore
        eventually(self._has_namespaces, 30)
        self.start()
        self.docker("load", "-i", str(self._image), timeout=300)
        self.plugin.install()

    def start(self) -> None:
        run = self.folder / "run"
        run.mkdir(exist_ok=True)
        with self._log.open("ab") as log:
            self._engine = subprocess.Popen(
                ["nsenter", "-t", str(self._keeper.pid), "-n", "-m", "dockerd",
                 f"--data-root={self.folder}/data", f"--exec-root={run}/exec",
                 f"--pidfile={run}/docker.pid", f"--host=unix://{self.docker.socket}",
                 "--bridge=none", "--iptables=false",
                 f"--live-restore={self._live_restore}".lower()],
                stderr=log, stdout=log,
            )  # fmt: skip
        try:
            wait_for_socket(self.docker.socket)
            self.docker("info", timeout=60)
        except (TimeoutError, DockerError) as error:
            raise RuntimeError(self._log.read_text()[-3000:]) from error

    def restart(self, number: int) -> None:
        assert self._engine is not None
        self._engine.send_signal(number)
        self._engine.wait(60)
        # containerd dies with a killed engine, but where nobody reaps it its pid looks alive.
        for stale in ("run/docker.pid", "run/exec/containerd/containerd.pid"):
            (self.folder / stale).unlink(missing_ok=True)
        self.start()

    def run(self, name: str, volume: str, image: str) -> None:
        self.docker(
            "run", "-d", "--network=none", "--restart=always", "--name", name, "-v",
            f"{volume}:/data", image, "sh", "-c", "while :; do date >> /data/file; sleep 1; done",
        )  # fmt: skip

    def close(self) -> None:
        if self._engine is not None:
            if self._engine.poll() is None and self.docker.socket.exists():
                self.plugin.remove()
            self._engine.terminate()
            self._engine.wait(60)
        for pid in self._leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._keeper.kill()
        self._keeper.wait()

    def _has_namespaces(self) -> None:
        assert Path(f"/proc/{self._keeper.pid}/cmdline").read_bytes().startswith(b"sleep\0")

    def _leftovers(self) -> list[int]:
        """Processes of this engine: those that name its folder, and what they started."""
        found: set[int] = set()
        parents: dict[int, int] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
                stat = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue
            pid = int(entry.name)
            parents[pid] = int(stat.rpartition(")")[2].split()[1])
            if f"{self.folder}/".encode() in command and pid != os.getpid():
                found.add(pid)
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return sorted(found)


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Path, Path, str]]:
    """The packed plugin and an image, made with the machine's engine."""
    machine = Docker()
    folder = Path(tempfile.mkdtemp(prefix="ddtest-"))
    image = base_image(machine)
    machine("save", "-o", str(folder / "image.tar"), image, timeout=300)
    yield build_archive(machine, folder), folder / "image.tar", image
    shutil.rmtree(folder)


@pytest.fixture
def own_engine(parts: tuple[Path, Path, str]) -> Iterator[Callable[[bool], OwnEngine]]:
    folder = Path(tempfile.mkdtemp(prefix="ddtest-"))
    engine = OwnEngine(folder, parts[0], parts[1])

    def install(live_restore: bool) -> OwnEngine:
        engine.install(live_restore=live_restore)
        return engine

    yield install
    engine.close()
    shutil.rmtree(folder, ignore_errors=True)


def is_up(docker: Docker, name: str, killed: int = 0) -> None:
    found = docker.inspect(name)
    assert found["State"]["Running"], found["State"]
    assert not found["State"]["Restarting"]
    assert found["State"]["Pid"] not in (0, killed)


def refused(engine: OwnEngine, image: str) -> None:
    with pytest.raises(DockerError, match='held by container "mydb"'):
        engine.run("mydb2", "dbs", image)
    engine.docker("rm", "-f", "mydb2")


@pytest.mark.parametrize("live_restore", [False, True])
def test_a_database_comes_back_under_its_fence(
    own_engine: Callable[[bool], OwnEngine], parts: tuple[Path, Path, str], live_restore: bool
) -> None:
    engine, image = own_engine(live_restore), parts[2]
    engine.plugin.create("dbs", share="dbs", exclusive="true")
    engine.run("mydb", "dbs", image)
    eventually(lambda: engine.plugin.status("dbs")["holders"][0]["pid"])
    for number in [n for _ in range(RESTARTS) for n in SIGNALS]:
        before = engine.docker.pid("mydb")
        engine.restart(number)
        eventually(lambda: is_up(engine.docker, "mydb"))
        assert (engine.docker.pid("mydb") == before) is live_restore
        refused(engine, image)
        engine.docker("cp", "mydb:/data/file", str(engine.folder / "copy"))
        refused(engine, image)
        killed = engine.docker.pid("mydb")
        os.kill(killed, signal.SIGKILL)
        eventually(partial(is_up, engine.docker, "mydb", killed))
        refused(engine, image)
    engine.docker("rm", "-f", "mydb")
    engine.run("mydb2", "dbs", image)
    engine.docker("rm", "-f", "mydb2")
    engine.docker("volume", "rm", "dbs")
    assert (engine.folder / "root/shares/dbs/file").exists()


def test_engine_and_plugin_killed_together(
    own_engine: Callable[[bool], OwnEngine], parts: tuple[Path, Path, str]
) -> None:
    engine, image = own_engine(True), parts[2]
    engine.plugin.create("dbs", share="dbs", exclusive="true")
    engine.run("mydb", "dbs", image)
    eventually(lambda: engine.plugin.status("dbs")["holders"][0]["pid"])
    os.kill(engine.plugin.pid, signal.SIGKILL)
    engine.restart(signal.SIGKILL)
    eventually(lambda: is_up(engine.docker, "mydb"))
    refused(engine, image)


@pytest.mark.parametrize("live_restore", [False, True])
def test_the_first_container_after_a_restart_has_its_mount(
    own_engine: Callable[[bool], OwnEngine], parts: tuple[Path, Path, str], live_restore: bool
) -> None:
    engine, image = own_engine(live_restore), parts[2]
    engine.plugin.create("dbs", share="dbs", exclusive="true")
    for number in [n for _ in range(RESTARTS) for n in SIGNALS]:
        engine.restart(number)
        # nothing is refused, so nothing had to be started again
        engine.run("mydb", "dbs", image)
        assert engine.docker.inspect("mydb")["RestartCount"] == 0
        engine.docker("rm", "-f", "mydb")
