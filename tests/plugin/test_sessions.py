"""The record says by which session of its server a hold's data is reached, as long as it is mounted."""

import asyncio
import json
from pathlib import Path

import pytest

from azurefile.driver import Driver
from azurefile.flush import Flush
from azurefile.lastleases import clear
from azurefile.sharedstore import SharedStore
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in
from tests.plugin.harness import eventually
from tests.plugin.last_life import leave_mounted
from tests.plugin.prompted import prompted
from tests.plugin.shared import Machine, MemoryFolder, OnShare, World, reboot

pytestmark = pytest.mark.root


class WithSession(OnShare):
    """Folders of the host whose server calls each mount's session `now`."""

    def __init__(self, root: Path, store: SharedStore) -> None:
        super().__init__(root, store)
        self.now = "0xa"
        self.asked: list[str] = []

    def session(self, volume: Volume, known: str) -> str:
        self.asked.append(known)
        return self.now


def recorded(folder: MemoryFolder) -> str:
    (name,) = (name for name in folder.files if name.endswith(".json"))
    return str(json.loads(folder.files[name][0])["session"])


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return prompted(tmp_path)


@pytest.fixture
def way(driver: Driver, tmp_path: Path, one: Machine) -> WithSession:
    made = WithSession(tmp_path / "root", one.store)
    driver._protocols["local"] = made
    return made


def test_a_mounts_session_is_in_the_record_at_once_and_when_it_is_another(
    driver: Driver, way: WithSession, folder: MemoryFolder
) -> None:
    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        await driver.mount("dbs", "a")
        await asyncio.to_thread(eventually, lambda: told("0xa"))
        way.now = "0xb"
        await driver._sweeper.round()
        await asyncio.to_thread(eventually, lambda: told("0xb"))
        await driver.unmount("dbs", "a")

    def told(session: str) -> None:
        assert recorded(folder) == session

    asyncio.run(calls())
    assert way.asked == ["", "0xa"]


def test_the_plugins_next_life_looks_at_the_session(
    tmp_path: Path, world: World, folder: MemoryFolder, one: Machine
) -> None:
    async def last_life() -> None:
        await leave_mounted(driver_in(tmp_path), world, folder)

    asyncio.run(last_life())
    again = driver_in(tmp_path)
    again._protocols["local"] = WithSession(tmp_path / "root", one.store)
    again.restore()
    lease = again._leases.of("dbs")
    assert lease is not None
    assert lease.owner.session == "0xa"


def test_what_a_mount_has_open_that_was_cut_is_ended(
    driver: Driver, way: WithSession, folder: MemoryFolder, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packets were dropped, so that its kernel can't tell the server; the fence's connection was made anew in time."""

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        await driver.mount("dbs", "a")
        monkeypatch.setattr(Flush, "settled", lambda *_: False)
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    two.claim()
    assert folder.ended == ["0xa"]


def test_what_an_earlier_boot_has_open_is_ended_before_it_is_given_back(
    world: World, folder: MemoryFolder, one: Machine
) -> None:
    lease = one.claim()
    lease.owner.session = "0xa"
    one.leases.renew(lease)
    reboot(folder)
    clear(lease.owner, one.store)
    assert folder.ended == ["0xa"]
