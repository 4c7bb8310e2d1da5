"""What a Mount leaves behind when something goes wrong in the middle of it."""

import asyncio
import dataclasses
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azurefile import driver as driver_module
from azurefile import files, liveness, mounts
from azurefile.driver import Driver
from azurefile.errors import ShareError, ShareSilent, StaleMount
from azurefile.held import Held
from azurefile.lease import Lease
from azurefile.protocols.local import Local
from azurefile.protocols.nfs import Nfs
from azurefile.protocols.smb import Smb
from azurefile.sharedstore import SharedStore
from azurefile.stoppedmemory import StoppedMemory
from azurefile.volumes import Volume
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import driver_in, eventually
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World, volume

pytestmark = pytest.mark.root


class OnShare(Local):
    """Folders of the host whose fence other hosts reach too."""

    def __init__(self, root: Path, store: SharedStore) -> None:
        super().__init__(root)
        self.store = store
        self.places: list[str] = []

    def locks(self, volume: Volume, place: str) -> Any:
        self.places.append(place)
        return self.store


class Prompted(Local):
    """Folders of the host, and something that happens once one is mounted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.then: Callable[[], None] = lambda: None

    def mount(self, volume: Volume, target: Path) -> None:
        super().mount(volume, target)
        self.then()


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    made = driver_in(tmp_path)
    made._protocols["local"] = Prompted(tmp_path / "root")
    return made


def share(driver: Driver) -> Prompted:
    found = driver._protocols["local"]
    assert isinstance(found, Prompted)
    return found


async def make(driver: Driver, name: str) -> None:
    await driver.create(name, {"share": "dbs", "exclusive": "true"})


def test_a_lease_that_is_lost_in_a_mount_is_left_to_who_stops_its_containers(driver: Driver) -> None:
    """Given to another before that is over, its mount would be cut and its IDs forgotten with the old ones."""

    def lose() -> None:
        lease = driver._leases.of("dbs")
        assert lease is not None
        lease.lost = "no renewal"

    async def calls() -> None:
        await make(driver, "dbs")
        share(driver).then = lose
        with pytest.raises(ShareError, match="stopped answering"):
            await driver.mount("dbs", "a")

    asyncio.run(calls())
    lease = driver._leases.of("dbs")
    assert lease is not None
    driver._stopped(lease)
    assert driver._leases.of("dbs") is None
    driver._attachments.of("dbs").void()


def test_a_full_disk_leaves_no_hold_behind(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write_json

    def full(path: Path, value: Any, *, durable: bool) -> None:
        if path.parent.name == "mounts":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, value, durable=durable)

    async def calls() -> None:
        await make(driver, "dbs")
        await make(driver, "other")
        monkeypatch.setattr(files, "write_json", full)
        with pytest.raises(OSError, match="No space left"):
            await driver.mount("dbs", "a")
        monkeypatch.setattr(files, "write_json", write)
        assert "mounts" not in driver.get("dbs")["Status"]
        await driver.mount("other", "b")
        await driver.unmount("other", "b")

    asyncio.run(calls())
    assert driver._leases.all() == []


def test_what_somebody_put_below_a_mount_point_stays_and_is_in_nobodys_way(driver: Driver) -> None:
    async def calls() -> None:
        await make(driver, "dbs")
        target = Path(driver.path("dbs"))
        target.mkdir()
        (target / "kept").touch()
        (target.parent / "stray").write_text("no mount point at all")
        await driver.mount("dbs", "a")
        assert not (target / "kept").exists()
        await driver.unmount("dbs", "a")
        await driver.remove("dbs")
        assert (target / "kept").exists()

    asyncio.run(calls())
    driver.restore()


def test_a_lease_that_cant_be_renewed_keeps_no_other_volume_from_its_sweep(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []

    def fails(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        with monkeypatch.context() as patch:
            patch.setattr(driver._leases, "renew", fails)
            patch.setattr(driver._mounter, "sweep", lambda volume: swept.append(volume.name))
            await driver._sweeper.round()
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    assert swept == ["dbs"]


@pytest.mark.parametrize("resumed", [False, True])
def test_a_restarted_plugin_starts_what_it_had_stopped(
    driver: Driver, engine: FakeEngine, tmp_path: Path, world: World, folder: MemoryFolder, resumed: bool
) -> None:
    """Whether the stop was over (no mount is counted) or not (its lease is resumed)."""
    one = Machine(world, folder, "one")
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    asyncio.run(make(driver, "dbs"))
    lease = one.claim(protocol="local")
    mydb = FakeContainer("mydb", "dbs", restart="always")
    engine.containers.append(mydb)
    mydb.kill()
    StoppedMemory(tmp_path / "root/azurefile/stopped").save(lease, [mydb.id])
    if resumed:
        driver._attachments.of("dbs").add("a", 1.0)
        driver._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))
    driver.restore()

    def started() -> None:
        assert engine.started == ["mydb"]

    eventually(started, 10)
    assert not (tmp_path / "mounts/dbs").exists()


def test_a_stop_of_an_earlier_hold_does_not_end_the_present_one(
    driver: Driver, engine: FakeEngine, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    """It could not be started then, and somebody did so later."""
    one = Machine(world, folder, "one")
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    asyncio.run(make(driver, "dbs"))
    earlier = one.claim(protocol="local")
    mydb = FakeContainer("mydb", "dbs", restart="always")
    engine.containers.append(mydb)
    memory = StoppedMemory(tmp_path / "root/azurefile/stopped")
    memory.save(earlier, [mydb.id])
    one.leases.release("dbs")
    lease = one.claim(protocol="local")
    driver._attachments.of("dbs").add("a", 1.0)
    driver._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))
    driver.restore()

    def settled() -> None:
        assert memory.load("dbs") is None

    eventually(settled, 10)
    held = driver._leases.of("dbs")
    assert held is not None
    assert not held.lost
    assert mydb.process.poll() is None
    mydb.kill()
    engine.containers.remove(mydb)


def test_what_is_held_stays_on_its_account_whatever_the_volume_would_mean_by_now(
    driver: Driver, tmp_path: Path, world: World
) -> None:
    """A volume without the option means the one account that there is a file for."""
    first, second = (SharedStore(MemoryFolder(world), "dbs", place) for place in ("first", "second"))
    driver._protocols["local"] = way = OnShare(tmp_path / "root", first)

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        way.store = second
        with pytest.raises(Held):
            await driver.mount("dbs", "b")
        lease = driver._leases.of("dbs")
        assert lease is not None
        assert lease.store is first
        await driver.unmount("dbs", "a")
        await driver.mount("dbs", "b")
        lease = driver._leases.of("dbs")
        assert lease is not None
        assert lease.store is second
        await driver.unmount("dbs", "b")

    asyncio.run(calls())


def test_a_restarted_plugin_asks_for_the_account_that_had_the_hold(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    one = Machine(world, folder, "one")
    one.store.place = "first"
    driver._protocols["local"] = way = OnShare(tmp_path / "root", one.store)
    asyncio.run(make(driver, "dbs"))
    driver._memory.save(one.claim(protocol="local"))
    driver.restore()
    assert way.places == ["first"]


def test_a_hold_is_resumed_by_the_account_that_had_it(tmp_path: Path) -> None:
    file = tmp_path / "credentials/second"
    file.parent.mkdir()
    file.write_text("key=x\n")
    file.chmod(0o600)
    way = Smb(tmp_path, TAKEOVER)
    dbs = volume("dbs", server="127.0.0.1")
    assert way.locks(dbs, "").place == "second"
    assert way.locks(dbs, "first").place == "first"
    # the data, too
    with pytest.raises(ShareError, match="credentials/first does not exist"):
        way.refresh(dbs, tmp_path)


def test_what_uses_a_volume_that_is_not_known_any_more_is_stopped(
    driver: Driver, engine: FakeEngine, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    """A version of the plugin that was taken back does not know a newer one's options."""
    asyncio.run(_resume(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    file = tmp_path / "root/azurefile/volumes/dbs.json"
    file.write_text(file.read_text().replace('"exclusive"', '"newer"'))
    again = driver_in(tmp_path)
    again.restore()

    def stopped() -> None:
        assert mydb.process.poll() is not None
        assert again._leases.of("dbs") is None

    eventually(stopped, 10)
    engine.containers.remove(mydb)


@pytest.mark.parametrize("times", [1, 1000])
def test_a_share_that_falls_silent_after_the_claim_is_waited_for_but_not_for_ever(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    failures = [ShareSilent("the server restarts")] * times

    def flap() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(driver_module, "_LOOK_SECONDS", 0.2)
    if times > 1:
        monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 1.0)

    async def calls() -> None:
        await make(driver, "dbs")
        share(driver).then = flap
        if times > 1:
            with pytest.raises(ShareError, match="the server restarts"):
                await driver.mount("dbs", "a")
        else:
            await driver.mount("dbs", "a")
            await driver.unmount("dbs", "a")

    asyncio.run(calls())


def test_a_restarted_plugin_knows_that_its_shares_were_well(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    """A machine's start may meet a share that is back a moment later."""
    driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(_resume(driver, world, folder))
    driver._attachments.of("dbs").clear()
    driver.restore()
    assert driver._mounter.contact("dbs") is not None


async def _resume(driver: Driver, world: World, folder: MemoryFolder, **given: str) -> None:
    """What a life of the plugin leaves that ended while volume `dbs` was mounted."""
    await driver.create("dbs", {"share": "dbs", "exclusive": "true", **given})
    lease = Machine(world, folder, "one").claim()
    driver._attachments.of("dbs").add("a", 1.0)
    driver._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))


def test_a_lease_whose_account_is_unclear_is_resumed_and_given_up_in_time(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_resume(driver, world, folder, protocol="smb", server="127.0.0.1", port="9"))
    for account in ("first", "second"):
        path = tmp_path / "root/credentials" / account
        path.parent.mkdir(exist_ok=True)
        path.write_text("key=x\n")
        path.chmod(0o600)
    lost: list[Lease] = []
    monkeypatch.setattr(driver._keeper, "_lost", lost.append)
    driver.restore()
    lease = driver._leases.of("dbs")
    assert lease is not None
    driver._keeper.look()
    assert lost == []
    lease.confirmed -= TAKEOVER / 2
    driver._keeper.look()
    eventually(lambda: _assert_stopped(lost, lease))
    assert lease.lost == "no renewal for 30 s"


def test_what_uses_a_volume_that_cant_be_restored_is_stopped(
    driver: Driver, engine: FakeEngine, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_resume(driver, world, folder))
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(share(driver), "locks", broken)
    driver.restore()

    def stopped() -> None:
        assert mydb.process.poll() is not None
        assert driver._leases.of("dbs") is None

    eventually(stopped, 10)
    engine.containers.remove(mydb)


def _assert_stopped(lost: list[Lease], lease: Lease) -> None:
    assert lost == [lease]


def test_a_mount_whose_server_is_elsewhere_now_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    way = Nfs(tmp_path)
    dbs = volume("dbs", protocol="nfs", server="127.0.0.1")
    answers = False
    monkeypatch.setattr(mounts, "answers", lambda *_: answers)
    # what is not known to be mounted is left alone
    way.refresh(dbs, tmp_path)
    way._addresses["dbs"] = "127.0.0.1"
    way.refresh(dbs, tmp_path)
    way._addresses["dbs"] = "127.0.0.9"
    with pytest.raises(StaleMount, match="another address"):
        way.refresh(dbs, tmp_path)
    answers = True
    way.refresh(dbs, tmp_path)
