"""Copies of a machine, and of a share: what was copied holds nothing, and takes nothing away."""

import copy
import dataclasses
import os
import threading
import time

import pytest

from azurefile import liveness
from azurefile.errors import ShareSilent
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.lastleases import resume
from azurefile.lease import TakenOver
from azurefile.owner import Container
from azurefile.sharedstore import SharedStore
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World, volume


def test_a_copy_of_the_machine_is_another_holder(world: World, folder: MemoryFolder, one: Machine) -> None:
    """Same identity, same boot: only the lock tells the two apart."""
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    one.leases.renew(lease)
    clone = Machine(world, folder, "copy", identity="id-one")
    with pytest.raises(Held, match="renewed 0 s ago"):
        clone.claim()
    world.now += TAKEOVER
    clone.mount()
    with pytest.raises(TakenOver, match="copy of this machine"):
        one.leases.renew(lease)


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
def test_of_a_machine_and_its_copy_with_its_memory_one_goes_on(
    world: World, folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """Both renew the same hold; the copy's clock may stand at another time."""
    one.leases.renew(one.claim())
    twin, real = _with_its_memory(one, folder), time.time
    for _ in range(3):
        for machine, seconds in ((twin, ahead), (one, 0.0)):
            monkeypatch.setattr(time, "time", lambda seconds=seconds: real() + seconds)
            Keeper(machine.leases, TAKEOVER, lambda _: None).renew(machine.store)
            world.now += TAKEOVER / 6
    ended = sorted(machine.leases.all()[0].lost for machine in (one, twin))
    assert ended == ["", "renewed by a copy of this machine, which was made with its memory"]


def test_a_hold_that_a_copy_gave_back_is_lost_to_who_was_let_in(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    one.leases.renew(lease)
    _with_its_memory(one, folder).leases.release("dbs")
    two.claim()
    with pytest.raises(TakenOver, match="two was let in"):
        one.leases.renew(lease)


def test_what_a_life_wrote_that_ended_may_come_late(one: Machine) -> None:
    """It was in the kernel's socket when the plugin died, and the next life has looked at the record already."""
    lease = one.claim()
    late = dataclasses.replace(lease.owner, renewed=lease.owner.renewed + 5)
    one.world.share_down = True
    with pytest.raises(ShareSilent):
        one.leases.renew(lease)
    one.world.share_down = False
    assert lease._check()
    one.store.write(late)
    one.leases.renew(lease)
    assert not lease.lost


def test_a_machine_is_no_copy_of_itself(folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever became of what it wrote."""
    lease, real, write = one.claim(), time.time, folder.write
    name = f"{lease.owner.key}.json"

    def cut_off(name: str, data: bytes) -> float:
        write(name, data)
        raise ShareSilent("the share does not answer")

    one.leases.renew(lease)
    snapshot = folder.files[name]
    with monkeypatch.context() as patch:
        patch.setattr(folder, "write", cut_off)
        with pytest.raises(ShareSilent):
            one.leases.renew(lease)
    # written all the same
    one.leases.renew(lease)
    before = folder.files[name]
    # the clock is set back
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    one.leases.renew(lease)
    # a server that crashed has lost the last, and a share is restored from a snapshot
    for older in (before, snapshot):
        folder.files[name] = older
        one.leases.renew(lease)
    # the plugin was killed before it could remember the last
    remembered = copy.deepcopy(lease.owner)
    one.leases.renew(lease)
    assert resume(one.leases, remembered, one.store, 1, lease.confirmed)
    for _ in range(2):
        one.leases.renew(one.leases.all()[0])


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
    clone = Machine(world, folder, "copy", identity="id-one")
    clone.leases.forget(volume("dbs"), clone.store)
    with pytest.raises(Held):
        two.claim()
    one.leases.renew(lease)
    one.leases.forget(volume("dbs"), one.store)
    assert [name for name in folder.files if "dbs" in name] == []


def _with_its_memory(machine: Machine, folder: MemoryFolder) -> Machine:
    """A copy that runs on with the same hold; its connection, and with that its lock, is the original's."""
    twin = Machine(machine.world, folder, "one")
    for lease in machine.leases.all():
        copied = dataclasses.replace(
            lease, owner=copy.deepcopy(lease.owner), store=twin.store, lock=None, guard=threading.Lock()
        )
        twin.leases.adopt(copied)
    return twin
