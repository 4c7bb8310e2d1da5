"""Copies of a machine, and of a share: what was copied holds nothing, and takes nothing away."""

import os

import pytest

from azurefile import liveness
from azurefile.held import Held
from azurefile.lease import TakenOver
from azurefile.owner import Container
from azurefile.sharedstore import SharedStore
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World, volume


def test_a_copy_of_the_machine_is_another_holder(world: World, folder: MemoryFolder, one: Machine) -> None:
    """Same identity, same boot: only the lock tells the two apart."""
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    one.leases.renew(lease)
    copy = Machine(world, folder, "copy", identity="id-one")
    with pytest.raises(Held, match="renewed 0 s ago"):
        copy.claim()
    world.now += TAKEOVER
    copy.mount()
    with pytest.raises(TakenOver, match="copy of this machine"):
        one.leases.renew(lease)


def test_a_record_that_was_copied_with_the_data_to_another_share_holds_nothing(world: World, one: Machine) -> None:
    """A backup that is looked at beside the original, on the same host."""
    pid = os.getpid()
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=pid, ticks=liveness.start_ticks(pid))]
    one.leases.renew(lease)
    there = one.store._folder
    assert isinstance(there, MemoryFolder)
    restored = MemoryFolder(world)
    restored.files = dict(there.files)
    lease.owner.renewed -= 10
    one.leases.renew(lease)
    other = SharedStore(restored, "check", clock=lambda: world.now)
    one.fence.claim(volume("check", share="check"), other, rejoin=False)
    one.leases.renew(lease)
    # what the original's share says is nothing to this one
    world.share_down = True
    again = MemoryFolder(World())
    again.files = dict(restored.files)
    again.files.pop("id-one.azurefile.dbs.taken")
    with pytest.raises(Held):
        one.fence.claim(volume("again"), SharedStore(again, "again", clock=lambda: world.now), rejoin=False)
    world.share_down = False
    # by another name it is the same share
    alias = SharedStore(there, "alias", clock=lambda: world.now)
    with pytest.raises(Held, match='"mydb"'):
        one.fence.claim(volume("alias", share="alias"), alias, rejoin=False)


def test_removing_a_volume_on_a_copy_of_the_machine_leaves_the_originals_record(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    copy = Machine(world, folder, "copy", identity="id-one")
    copy.leases.forget(volume("dbs"), copy.store)
    with pytest.raises(Held):
        two.claim()
    one.leases.renew(lease)
    one.leases.forget(volume("dbs"), one.store)
    assert [name for name in folder.files if "dbs" in name] == []
