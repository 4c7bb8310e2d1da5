"""What a restarted plugin does with the leases of its last life."""

import dataclasses
import threading
from pathlib import Path

import pytest

from azurefile import lastleases
from azurefile.held import Held
from azurefile.identity import Host
from azurefile.lastleases import clear, restore, resume
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.protocols import flock
from azurefile.protocols.flock import FlockLock, FlockStore
from tests.plugin.shared import TAKEOVER, Forgetful, Machine, MemoryFolder, World, volume

LOCAL = {"protocol": "local"}
HOST = Host("host", "0123456789ab", TAKEOVER)


def test_a_restarted_plugin_goes_on_with_its_lease(world: World, folder: MemoryFolder, one: Machine) -> None:
    lease = one.claim()
    folder.locks.clear()
    again = Machine(world, folder, "one")
    assert resume(again.leases, lease.owner, again.store, 1, lease.confirmed)
    resumed = again.leases.of("dbs")
    assert resumed is not None
    assert resumed.changed
    again.leases.renew(resumed)
    assert resumed.lock is not None
    world.now += TAKEOVER
    assert again.leases.overdue(resumed)


def test_a_restarted_plugin_gives_back_what_nothing_is_mounted_under(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    folder.locks.clear()
    again = Machine(world, folder, "one")
    assert not resume(again.leases, lease.owner, again.store, 0, lease.confirmed)
    clear(lease.owner, again.store)
    two.claim()


def test_a_copys_first_start_does_not_give_the_originals_folder_back(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    copy = Machine(world, folder, "copy", identity="id-one")
    clear(lease.owner, copy.store)
    with pytest.raises(Held):
        two.claim()


def test_a_hold_that_was_taken_meanwhile_is_not_given_back_with_the_one_before(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    before = dataclasses.replace(one.claim().owner)
    one.leases.release("dbs")
    one.claim()
    folder.locks.clear()
    clear(before, one.store)
    with pytest.raises(Held):
        two.claim()


def test_nothing_is_given_back_beside_a_claim(folder: MemoryFolder, one: Machine) -> None:
    """It may have looked at the same record already, and be about to write its own."""
    lease = one.claim()
    folder.locks.clear()
    folder.lock("mutex")
    clear(lease.owner, one.store)
    record = one.store.read(lease.owner.key)
    assert record is not None
    assert record.in_force


def test_a_lease_of_an_earlier_version_learns_its_protocol(tmp_path: Path, world: World, folder: MemoryFolder) -> None:
    """Without one its folder would be in the way of another that differs in case, which NFS allows."""
    memory = LeaseMemory(tmp_path)
    given = {"protocol": "nfs", "server": "192.0.2.1", "folder": "Data"}
    lease = Machine(world, folder, "one", memory=memory).claim(**given)
    lease.owner.protocol = ""
    lease.store.write(lease.owner)
    memory.save(lease)
    folder.locks.clear()
    again = Machine(world, folder, "one", memory=memory)
    assert restore(volume("dbs", **given), again.store, again.leases, memory, 1)
    restored = again.leases.of("dbs")
    assert restored is not None
    again.leases.renew(restored)
    again.claim("other", **given | {"folder": "data"})


def test_a_lock_that_another_plugin_only_looks_at_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lastleases, "_LOOK_SECONDS", 60)
    store, key = last_life(tmp_path)
    other, leases = FlockStore(tmp_path), Leases("azurefile", HOST, Forgetful())
    with other.mutex():
        look = other.lock(key)
        assert look is not None
        threading.Timer(0.1, look.close).start()
        back = threading.Thread(
            target=restore, args=(volume("dbs", **LOCAL), store, leases, Forgetful(), 1), daemon=True
        )
        back.start()
        while look.descriptor >= 0:
            back.join(0.01)
    back.join(60)
    lease = leases.of("dbs")
    assert lease is not None
    assert lease.lock is not None


def test_a_plugin_that_stopped_in_a_claim_keeps_no_hold_from_coming_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = last_life(tmp_path)
    leases = Leases("azurefile", HOST, Forgetful())
    with FlockStore(tmp_path).mutex():
        monkeypatch.setattr(flock, "_MUTEX_SECONDS", 0.05)
        assert restore(volume("dbs", **LOCAL), store, leases, Forgetful(), 1)
    lease = leases.of("dbs")
    assert lease is not None
    assert lease.lock is not None


def test_a_volume_that_held_nothing_leaves_nothing_in_its_fence(tmp_path: Path) -> None:
    store = FlockStore(tmp_path / "fence")
    assert not restore(volume("dbs", **LOCAL), store, Leases("azurefile", HOST, Forgetful()), Forgetful(), 0)
    assert not (tmp_path / "fence").exists()


def last_life(folder: Path) -> tuple[FlockStore, str]:
    """The fence of a plugin that held `dbs` and was killed."""
    store = FlockStore(folder)
    lease = Leases("azurefile", HOST, Forgetful()).grant(volume("dbs", **LOCAL), store)
    assert isinstance(lease.lock, FlockLock)
    lease.lock.close()
    return store, lease.owner.key
