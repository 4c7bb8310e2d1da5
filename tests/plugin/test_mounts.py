"""Whether the engine sees what the plugin mounts, by the kernel's own tables."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import mounts
from azurefile.caller import Caller
from azurefile.errors import MountUnseen
from azurefile.liveness import Process
from tests.plugin.drivers import driver_in

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
    shared: Path, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(signal, "raise_signal", ended.append)
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
