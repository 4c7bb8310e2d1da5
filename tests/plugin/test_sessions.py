"""The record says by which session of its server a hold's data is reached, and whoever takes over ends it."""

import asyncio
import json
import threading
import time
from pathlib import Path

import pytest

from azurefile import sharedstore
from azurefile.driver import Driver
from azurefile.errors import ShareSilent
from azurefile.flush import Flush
from azurefile.held import Held
from azurefile.lastleases import clear
from azurefile.owner import Owner
from azurefile.sharedstore import SharedStore
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in
from tests.plugin.harness import eventually
from tests.plugin.last_life import leave_mounted
from tests.plugin.prompted import prompted
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, OnShare, World, reboot, volume

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


def released(folder: MemoryFolder, name: str) -> bool:
    return json.loads(folder.files[name][0])["released"] is not None


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


@pytest.mark.parametrize("end", ["another host", "another boot", "a lost hold"])
def test_what_a_dead_holder_has_open_on_the_server_is_ended(
    world: World, folder: MemoryFolder, one: Machine, two: Machine, end: str
) -> None:
    lease = one.claim()
    lease.owner.session = "0x5e55"
    one.leases.renew(lease)
    if end == "another host":
        world.now += TAKEOVER
        two.mount()
    elif end == "another boot":
        reboot(folder)
        Machine(world, folder, "one").claim()
    else:
        lease.lost = "no renewal for 30 s"
        one.leases.drop(lease)
        folder.locks.clear()
        one.claim()
    assert folder.ended == ["0x5e55"]


def test_what_a_living_holder_has_open_is_not_ended(
    world: World, folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = one.claim()
    lease.owner.session = "0x5e55"
    one.leases.renew(lease)
    with pytest.raises(Held):
        two.claim()
    # it comes back while it is taken
    world.now += TAKEOVER
    take = two.store.take

    def meanwhile(owner: Owner, by: str) -> None:
        one.leases.renew(lease)
        take(owner, by)

    with monkeypatch.context() as patched:
        patched.setattr(two.store, "take", meanwhile)
        with pytest.raises(Held):
            two.mount()
    # its record was copied with the data to another share, where nobody renews it
    copy = MemoryFolder(world)
    copy.files = dict(folder.files)
    world.now += TAKEOVER
    Machine(world, copy, "three", share="restored").mount(share="restored")
    # and a hold that was given back has nothing open
    one.leases.renew(lease)
    one.leases.drop(lease)
    two.claim()
    assert folder.ended == copy.ended == []


def test_a_server_that_can_not_be_told_at_once_keeps_nobody_from_the_folder_and_is_told_later(
    folder: MemoryFolder, one: Machine, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = one.claim()
    lease.owner.session = "0x5e55"
    one.leases.renew(lease)
    reboot(folder)
    failures, end = [ShareSilent("no answer"), ShareSilent("no answer")], folder.end_session
    told = threading.Event()

    def silent(session: str) -> None:
        if failures:
            raise failures.pop()
        end(session)
        told.set()

    monkeypatch.setattr(folder, "end_session", silent)
    monkeypatch.setattr(sharedstore, "_END_SECONDS", 0.01)
    Machine(world, folder, "one").claim()
    assert told.wait(10)
    assert folder.ended == ["0x5e55"]


@pytest.mark.parametrize("end", ["another host", "another boot", "a removed volume"])
def test_a_server_has_noticed_by_itself_what_is_long_gone_and_may_use_the_number_again(
    world: World, folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    lease = one.claim()
    lease.owner.session = "0x3"
    one.leases.renew(lease)
    world.now += 4 * 3600
    later = time.time() + 4 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    if end == "another host":
        two.mount()
    else:
        folder.locks.clear()
        if end == "another boot":
            clear(lease.owner, one.store)
        else:
            lease.lost = "no renewal for 30 s"
            one.leases.drop(lease)
            one.leases.forget(volume("dbs"), one.store)
    assert folder.ended == []


@pytest.mark.parametrize("end", ["another boot", "a removed volume"])
def test_a_copy_of_a_share_has_records_of_holders_that_live_elsewhere(
    world: World, folder: MemoryFolder, one: Machine, end: str
) -> None:
    lease = one.claim()
    lease.owner.session = "0x5e55"
    one.leases.renew(lease)
    copy = MemoryFolder(world)
    copy.files = dict(folder.files)
    restored = Machine(world, copy, "one", share="restored")
    if end == "another boot":
        clear(lease.owner, restored.store)
    else:
        restored.leases.forget(volume("dbs", share="restored"), restored.store)
    assert not [name for name in copy.files if name.endswith(".json") and not released(copy, name)]
    assert copy.ended == []


def test_a_volume_that_is_removed_after_its_hold_was_lost_leaves_nothing_open(
    folder: MemoryFolder, one: Machine
) -> None:
    lease = one.claim()
    lease.owner.session = "0x5e55"
    one.leases.renew(lease)
    lease.lost = "no renewal for 30 s"
    one.leases.drop(lease)
    folder.locks.clear()
    one.leases.forget(volume("dbs"), one.store)
    assert folder.ended == ["0x5e55"]
    # a hold that was given back has nothing open
    lease = one.claim()
    lease.owner.session = "0x5e56"
    one.leases.drop(lease)
    one.leases.forget(volume("dbs"), one.store)
    assert folder.ended == ["0x5e55"]
