"""What a plugin that starts finds of its life before: holds, the containers that it had stopped, its accounts."""

import asyncio
import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import engine as engine_module
from azurefile import liveness, mounts
from azurefile.driver import Driver
from azurefile.flush import Flush
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.lease import Lease
from azurefile.stoppedmemory import StoppedMemory
from tests.plugin.drivers import driver_in
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.last_life import leave_mounted
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, OnShare, World

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return driver_in(tmp_path)


@pytest.fixture
def one(driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder) -> Machine:
    """A host whose plugin has volume `dbs` on a share that other hosts reach, too."""
    made = Machine(world, folder, "one")
    driver._protocols["local"] = OnShare(tmp_path / "root", made.store)
    asyncio.run(driver.create("dbs", {"share": "dbs", "exclusive": "true"}))
    return made


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[None]:
    """Volume `dbs` is mounted, as a plugin leaves it that was killed."""
    target = tmp_path / "mounts/dbs"
    target.mkdir(parents=True)
    mounts.bind(str(tmp_path), target)
    yield
    mounts.detach(target)


@pytest.mark.parametrize("resumed", [False, True])
@pytest.mark.parametrize("policy", ["always", "no"])
def test_a_restarted_plugin_starts_what_it_had_stopped(
    driver: Driver, engine: FakeEngine, tmp_path: Path, one: Machine, policy: str, resumed: bool
) -> None:
    """Whether the stop was over (no mount is counted) or not (its lease is resumed), and for the share or its mount."""
    lease = one.claim(protocol="local")
    lease.restart = policy == "no"
    mydb = FakeContainer("mydb", "dbs", restart=policy)
    engine.containers.append(mydb)
    mydb.kill()
    StoppedMemory(tmp_path / "root/azurefile/stopped").save(lease, [mydb.id])
    if resumed:
        driver._attachments.of("dbs").add("a", 1.0)
        driver._restorer._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))
    driver.restore()

    def started() -> None:
        assert engine.started == ["mydb"]

    eventually(started)
    assert not (tmp_path / "mounts/dbs").exists()


@pytest.mark.usefixtures("mounted")
def test_a_restarted_plugin_renews_what_it_holds(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(leave_mounted(driver, world, folder))
    driver.restore()
    lease = driver._leases.of("dbs")
    assert lease is not None

    def renewed() -> None:
        assert lease.wrote

    eventually(renewed)


@pytest.mark.usefixtures("mounted")
def test_a_stop_of_an_earlier_hold_does_not_end_the_present_one(
    driver: Driver, engine: FakeEngine, tmp_path: Path, one: Machine
) -> None:
    """It could not be started then, and somebody did so later."""
    earlier = one.claim(protocol="local")
    mydb = FakeContainer("mydb", "dbs", restart="always")
    engine.containers.append(mydb)
    memory = StoppedMemory(tmp_path / "root/azurefile/stopped")
    memory.save(earlier, [mydb.id])
    one.leases.release("dbs")
    lease = one.claim(protocol="local")
    driver._attachments.of("dbs").add("a", 1.0)
    driver._restorer._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))
    driver.restore()

    def settled() -> None:
        assert memory.load("dbs") is None

    eventually(settled)
    held = driver._leases.of("dbs")
    assert held is not None
    assert not held.lost
    assert mydb.process.poll() is None
    mydb.kill()
    engine.containers.remove(mydb)


@pytest.mark.parametrize(("exclusive", "answers"), [("true", True), ("false", True), ("true", False)])
def test_what_uses_a_mount_that_went_with_the_plugin_is_started_anew(
    driver: Driver,
    engine: FakeEngine,
    tmp_path: Path,
    world: World,
    folder: MemoryFolder,
    monkeypatch: pytest.MonkeyPatch,
    exclusive: str,
    answers: bool,
) -> None:
    """Whoever disables a plugin by force takes its mounts away, and the containers' own are out of reach."""
    # there is one look, and no second for an engine that was late
    monkeypatch.setattr(engine_module, "_CLAIM_SECONDS", 30)
    driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(leave_mounted(driver, world, folder, exclusive=exclusive))
    mydb = FakeContainer("mydb", "dbs", restart="no")
    engine.containers.append(mydb)
    if not answers:
        # it is still ending what ran when it was killed
        monkeypatch.setattr(driver._mounter._fence, "_running", lambda _: None)
    driver.restore()
    asyncio.run(driver._sweeper.round())

    def started() -> None:
        assert engine.started == ["mydb"]

    if exclusive == "true" and answers:
        eventually(started)
    else:
        # of what is not exclusive nobody has to be kept from its files
        lease = driver._leases.of("dbs")
        assert lease is not None
        assert not lease.lost
        mydb.kill()
    engine.containers.remove(mydb)


def test_a_restarted_plugin_asks_for_the_account_that_had_the_hold(driver: Driver, one: Machine) -> None:
    one.store.account = "first"
    driver._restorer._memory.save(one.claim(protocol="local"))
    driver.restore()
    way = driver._protocols["local"]
    assert isinstance(way, OnShare)
    assert way.accounts == ["first"]


def test_after_a_clean_reboot_a_share_that_is_not_back_yet_is_waited_for(driver: Driver, one: Machine) -> None:
    """The engine mounts for a container once, and starts sooner than many a file server."""
    assert driver._mounter.contact("dbs") is None
    driver.restore()
    assert driver._mounter.contact("dbs") is not None


def test_a_last_unmount_that_was_cut_short_is_ended_before_the_folder_is_given_back(
    driver: Driver, tmp_path: Path, one: Machine, two: Machine, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ID is gone before its last writes are, which may not land after another host has begun."""
    share = driver._protocols["local"]
    asyncio.run(driver.mount("dbs", "a"))
    driver._attachments.of("dbs").remove("a")
    folder.locks.clear()
    written = threading.Event()

    def settled(*_: object) -> bool:
        return written.wait(10)

    monkeypatch.setattr(Flush, "settled", settled)
    again = driver_in(tmp_path)
    again._protocols["local"] = share
    again.restore()
    assert mounts.is_mounted(tmp_path / "mounts/dbs")
    assert "dbs" not in again._mounter.in_use()
    with pytest.raises(Held):
        two.claim("other", protocol="local")

    async def mount() -> None:
        mounted = asyncio.create_task(again.mount("dbs", "b"))
        await asyncio.sleep(0.3)
        assert not mounted.done()
        written.set()
        await mounted
        assert mounts.is_mounted(tmp_path / "mounts/dbs")
        await again.unmount("dbs", "b")

    asyncio.run(mount())
    two.claim("other", protocol="local")


@pytest.mark.usefixtures("mounted")
def test_a_newer_versions_facts_of_a_lease_are_in_nobodys_way(
    driver: Driver, tmp_path: Path, one: Machine, world: World, folder: MemoryFolder
) -> None:
    asyncio.run(leave_mounted(driver, world, folder))
    file = tmp_path / "root/azurefile/leases/dbs.json"
    data = json.loads(file.read_text())
    data["owner"] |= {"generation": 3, "containers": [{"id": "x", "name": "mydb", "cgroup": "/"}]}
    file.write_text(json.dumps(data))
    driver.restore()
    lease = driver._leases.of("dbs")
    assert lease is not None
    assert not lease.lost
    assert [container.name for container in lease.owner.containers] == ["mydb"]


def test_a_restarted_plugin_knows_that_its_shares_were_well(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder
) -> None:
    """A machine's start may meet a share that is back a moment later."""
    driver._protocols["local"] = OnShare(tmp_path / "root", Machine(world, folder, "one").store)
    asyncio.run(leave_mounted(driver, world, folder))
    driver._attachments.of("dbs").clear()
    driver.restore()
    assert driver._mounter.contact("dbs") is not None


@pytest.mark.usefixtures("mounted")
def test_a_lease_whose_account_is_unclear_is_resumed_and_given_up_in_time(
    driver: Driver, tmp_path: Path, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(leave_mounted(driver, world, folder, protocol="smb", server="127.0.0.1", port="9"))
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


def _assert_stopped(lost: list[Lease], lease: Lease) -> None:
    assert lost == [lease]


def test_lists_need_not_wait_for_the_locks_and_mounts_do(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    taken_back = threading.Event()
    monkeypatch.setattr(Keeper, "settle", lambda _: taken_back.wait(60))

    async def restored() -> None:
        await driver.create("logs", {"share": "logs"})
        driver.restore()
        assert [volume["Name"] for volume in driver.list()] == ["logs"]
        mounting = asyncio.ensure_future(driver.mount("logs", "a"))
        done, _ = await asyncio.wait({mounting}, timeout=0.3)
        assert not done
        taken_back.set()
        await mounting
        await driver.unmount("logs", "a")

    asyncio.run(restored())
