"""Whether the engine sees what the plugin mounts, by the kernel's own tables."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import mounts
from azurefile.caller import Caller
from azurefile.errors import MountUnseen
from azurefile.liveness import Process
from azurefile.sight import Sight
from tests.plugin.drivers import driver_in
from tests.plugin.harness import PluginProcess

pytestmark = pytest.mark.root

Stranger = Callable[[str], int]


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder whose mounts others get."""
    folder = tmp_path / "shared"
    folder.mkdir()
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "--make-rshared", folder], check=True)
    yield folder
    subprocess.run(["umount", "-lR", folder], check=True)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signals that the plugin gives itself."""
    raised: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", raised.append)
    return raised


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """Starts a process with mounts of its own, and returns its number."""
    started: list[subprocess.Popen[bytes]] = []

    def start(propagation: str) -> int:
        command = ["unshare", "-m", f"--propagation={propagation}", "sh", "-c", "echo; exec sleep 1000"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_mount_is_seen_by_who_gets_the_mounts_of_its_folder(shared: Path, stranger: Stranger) -> None:
    gets, does_not = stranger("slave"), stranger("private")
    target = shared / "dbs"
    target.mkdir()
    mounts.bind(str(shared), target)
    assert mounts.reaches(target, gets)
    assert mounts.reaches(target, os.getpid())
    assert not mounts.reaches(target, does_not)


def test_a_mount_that_the_engine_does_not_see_is_refused_and_the_plugin_ends(
    shared: Path, stranger: Stranger, ended: list[int]
) -> None:
    (shared / "mounts").mkdir()
    driver = driver_in(shared)

    async def life() -> None:
        await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        with pytest.raises(MountUnseen, match="is started again"):
            await driver.mount("dbs", "a", Caller(Process.of(stranger("private"))))
        assert ended == [signal.SIGTERM]
        assert not mounts.is_mounted(shared / "mounts/dbs")
        # who sees it has it at once: nothing is held
        await driver.mount("dbs", "b", Caller(Process.of(stranger("shared"))))

    asyncio.run(life())


def test_who_connects_and_would_not_see_a_mount_ends_the_plugin(
    shared: Path, tmp_path: Path, stranger: Stranger, ended: list[int]
) -> None:
    sight = Sight(shared, tmp_path / "unseen")
    sight.connected(os.getpid())
    # one that no number is seen of
    sight.connected(0)
    assert ended == []
    engine = stranger("private")
    sight.connected(engine)
    assert ended == [signal.SIGTERM]
    # another life is no better: not again at once for the same engine
    Sight(shared, tmp_path / "unseen").connected(engine)
    assert ended == [signal.SIGTERM]
    os.utime(tmp_path / "unseen", (time.time() - 61, time.time() - 61))
    Sight(shared, tmp_path / "unseen").connected(engine)
    Sight(shared, tmp_path / "unseen").connected(stranger("private"))
    assert ended == [signal.SIGTERM] * 3


def test_a_plugin_with_something_mounted_does_not_end_by_itself(
    shared: Path, tmp_path: Path, stranger: Stranger, ended: list[int]
) -> None:
    target = shared / "dbs"
    target.mkdir()
    mounts.bind(str(shared), target)
    Sight(shared, tmp_path / "unseen").connected(stranger("private"))
    assert ended == []
    mounts.detach(target)
    sight, engine = Sight(shared, tmp_path / "unseen"), stranger("slave")
    sight.connected(engine)
    subprocess.run(["nsenter", "-m", "-t", str(engine), "umount", "-l", shared], check=True)
    # it has calls on their way
    sight.connected(engine)
    assert ended == []


def test_a_table_that_lacks_a_line_once_makes_nothing_unmounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux before 5.8 gives a long table in parts, and goes on by their number when a line goes meanwhile."""
    mounts.bind(str(tmp_path), tmp_path)
    try:
        whole = mounts.read_mountinfo()
        tables = [[entry for entry in whole if entry.target != str(tmp_path)], whole]
        monkeypatch.setattr(mounts, "read_mountinfo", lambda: tables.pop(0))
        assert mounts.is_mounted(tmp_path)
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_the_plugin_ends_at_the_first_connection_before_it_is_asked_for_anything(
    start_plugin: Callable[..., PluginProcess], tmp_path: Path, stranger: Stranger
) -> None:
    folder = tmp_path / "azurefile/mounts"
    folder.mkdir(parents=True)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    subprocess.run(["mount", "--make-rshared", folder], check=True)
    try:
        plugin = start_plugin()
        assert plugin.names() == []
        dial = "import socket, sys, time; socket.socket(socket.AF_UNIX).connect(sys.argv[1]); time.sleep(20)"
        unshare = ["unshare", "-m", "--propagation=private", sys.executable, "-c", dial, str(plugin.socket)]
        with subprocess.Popen(unshare) as engine:
            assert plugin.wait() == 0
            engine.kill()
        assert "to be started anew" in plugin.log.read_text()
    finally:
        subprocess.run(["umount", "-lR", folder], check=True)
