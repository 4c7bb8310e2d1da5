"""What a plugin that starts can't read of its life before, or does not know any more: its users are stopped."""

import asyncio
import errno
import json
from pathlib import Path
from typing import Any

import pytest

from azurefile import files, mounts
from azurefile.driver import Driver
from azurefile.stoppedmemory import StoppedMemory
from tests.plugin.drivers import driver_in
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.last_life import leave_mounted
from tests.plugin.shared import Machine, MemoryFolder, OnShare, World, reboot

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return driver_in(tmp_path)


@pytest.fixture
def one(world: World, folder: MemoryFolder) -> Machine:
    return Machine(world, folder, "one")


def test_what_uses_a_volume_that_is_not_known_any_more_is_stopped(
    driver: Driver, engine: FakeEngine, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    asyncio.run(leave_mounted(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    (tmp_path / "root/azurefile/volumes/dbs.json").unlink()
    again = driver_in(tmp_path)
    again.restore()
    _await_stop(again, mydb)
    engine.containers.remove(mydb)


def test_what_uses_such_a_volume_keeps_its_mount_until_it_is_stopped(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is mounted can be cut with force."""
    asyncio.run(leave_mounted(driver, world, folder))
    (tmp_path / "root/azurefile/volumes/dbs.json").unlink()
    target = tmp_path / "mounts/dbs"
    target.mkdir()
    mounts.bind(str(tmp_path), target)
    again = driver_in(tmp_path)
    monkeypatch.setattr(again._keeper, "_lost", lambda _: None)
    again.restore()
    still = mounts.is_mounted(target)
    mounts.detach(target)
    assert still


@pytest.mark.parametrize(
    ("kept", "torn", "known"),
    [
        ("leases", b"{", True),
        ("leases", b"[]", False),
        ("leases", None, True),
        ("mounts", b"\xff{", True),
        ("mounts", b"", False),
        ("mounts", None, True),
    ],
)
def test_what_is_held_under_files_that_cant_be_read_is_stopped_and_given_to_nobody(
    driver: Driver,
    engine: FakeEngine,
    tmp_path: Path,
    world: World,
    folder: MemoryFolder,
    monkeypatch: pytest.MonkeyPatch,
    kept: str,
    torn: bytes | None,
    known: bool,
) -> None:
    share = driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(leave_mounted(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    state = tmp_path / "root/azurefile"
    _spoil(state / kept / "dbs.json", torn, monkeypatch)
    if not known:
        (state / "volumes/dbs.json").unlink()
    again = driver_in(tmp_path)
    again._protocols["local"] = share
    again.restore()
    _await_stop(again, mydb)
    engine.containers.remove(mydb)
    (record,) = (json.loads(data) for name, (data, _) in folder.files.items() if name.endswith(".json"))
    assert record["released"] is None


@pytest.mark.parametrize("torn", [b"", bytes(64)], ids=["empty", "zeros"])
def test_a_lease_that_a_power_cut_tore_is_of_a_boot_that_is_over(
    driver: Driver, engine: FakeEngine, tmp_path: Path, world: World, folder: MemoryFolder, torn: bytes
) -> None:
    """Within a boot it is replaced as a whole. The database that starts meanwhile is not for us to stop."""
    share = driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(leave_mounted(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    reboot(folder)
    (tmp_path / "root/azurefile/leases/dbs.json").write_bytes(torn)
    again = driver_in(tmp_path)
    again._protocols["local"] = share
    again.restore()
    assert again._leases.of("dbs") is None
    assert mydb.process.poll() is None
    mydb.kill()
    engine.containers.remove(mydb)


def test_what_uses_a_volume_that_cant_be_restored_is_stopped(
    driver: Driver, engine: FakeEngine, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(leave_mounted(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(driver._protocols["local"], "locks", broken)
    driver.restore()
    _await_stop(driver, mydb)
    engine.containers.remove(mydb)


def test_what_was_stopped_is_started_again_although_its_volume_could_not_be_restored_at_first(
    driver: Driver, engine: FakeEngine, tmp_path: Path, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host that was short of threads."""
    share = driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    asyncio.run(driver.create("dbs", {"share": "dbs", "exclusive": "true"}))
    lease = one.claim(protocol="local")
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    mydb.kill()
    StoppedMemory(tmp_path / "root/azurefile/stopped").save(lease, [mydb.id])
    locks, failures = share.locks, [RuntimeError("can't start new thread")]

    def short(*given: Any) -> Any:
        if failures:
            raise failures.pop()
        return locks(*given)

    monkeypatch.setattr(share, "locks", short)
    driver.restore()

    def started() -> None:
        assert engine.started == ["mydb"]

    eventually(started)


def _spoil(file: Path, text: bytes | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put another text into a file, or with None let its disk fail."""
    read = files.read_json

    def fails(path: Path) -> Any:
        if path == file:
            raise OSError(errno.EIO, "Input/output error")
        return read(path)

    if text is None:
        monkeypatch.setattr(files, "read_json", fails)
    else:
        file.write_bytes(text)


def _await_stop(driver: Driver, mydb: FakeContainer) -> None:
    def stopped() -> None:
        assert mydb.process.poll() is not None
        assert driver._leases.of("dbs") is None

    eventually(stopped)
