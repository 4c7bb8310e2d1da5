"""What a restarted plugin does with the leases of its last life."""

import dataclasses

import pytest

from azurefile.held import Held
from azurefile.lastleases import clear, resume
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


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
