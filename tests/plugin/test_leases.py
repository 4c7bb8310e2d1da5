"""Leases on a share that other hosts reach: renewed, overdue, taken, given back."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from azurefile import liveness
from azurefile.errors import ShareError, ShareSilent
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.lease import TakenOver
from azurefile.leasememory import LeaseMemory
from azurefile.owner import Container, Owner
from azurefile.sharedstore import SharedStore
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


def test_an_evicted_holder_finds_out_and_never_writes_its_record_again(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    world.now += TAKEOVER
    two.mount()
    before = dict(folder.files)
    with pytest.raises(TakenOver, match="taken over by two"):
        one.leases.renew(lease)
    assert folder.files == before
    lease.lost = "taken"
    one.leases.drop(lease)
    assert folder.files == before
    with pytest.raises(Held, match="host two"):
        one.claim()


def test_a_host_that_was_evicted_once_holds_the_folder_again_like_any_other(
    world: World, one: Machine, two: Machine
) -> None:
    """The mark of its former hold is still there."""
    evicted = one.claim()
    world.now += TAKEOVER
    two.mount()
    two.leases.release("dbs")
    evicted.lost = "taken over by two"
    one.leases.drop(evicted)
    one.leases.renew(one.claim())
    with pytest.raises(Held, match="host one"):
        two.claim()


def test_a_holder_stops_itself_half_of_its_time_after_its_last_renewal(world: World, one: Machine) -> None:
    lease = one.claim()
    world.now += TAKEOVER / 6
    one.leases.renew(lease)
    world.share_down = True
    world.now += TAKEOVER / 2
    with pytest.raises(ShareError):
        one.leases.renew(lease)
    assert not one.leases.overdue(lease)
    world.now += 0.1
    assert one.leases.overdue(lease)


def test_a_slow_renewal_counts_from_its_beginning(world: World, one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record may be as old as that, and by its age another host takes over."""
    lease = one.claim()
    world.now += TAKEOVER / 6
    began = world.now

    def slow(owner: Owner) -> None:
        SharedStore.write(one.store, owner)
        world.now += 10

    monkeypatch.setattr(one.store, "write", slow)
    one.leases.renew(lease)
    assert lease.confirmed == began


def test_a_hold_that_excludes_nobody_outlasts_a_short_outage(world: World, one: Machine, two: Machine) -> None:
    lease = one.claim(exclusive="false")
    world.now += TAKEOVER
    assert not one.leases.overdue(lease)
    with pytest.raises(Held):
        two.claim()
    world.now += TAKEOVER * 9
    assert one.leases.overdue(lease)
    two.mount()


def test_a_lost_lock_is_taken_again_with_the_next_renewal(folder: MemoryFolder, one: Machine) -> None:
    lease = one.claim()
    folder.locks.clear()
    one.leases.renew(lease)
    assert list(folder.locks) == ["id-one.azurefile.dbs.lock"]


def test_a_share_that_fails_keeps_nothing_held_at_the_release(world: World, one: Machine, two: Machine) -> None:
    one.claim()
    world.share_down = True
    one.leases.release("dbs")
    assert one.leases.of("dbs") is None
    world.share_down = False
    with pytest.raises(Held):
        two.claim()
    one.claim()


def test_what_was_given_back_is_not_remembered_also_if_it_was_being_renewed(
    world: World, folder: MemoryFolder, tmp_path: Path
) -> None:
    """The plugin's next life would go on with it."""
    memory = LeaseMemory(tmp_path)
    one = Machine(world, folder, "one", memory=memory)
    lease = one.claim()
    assert memory.volumes() == ["dbs"]
    one.leases.drop(lease)
    assert memory.volumes() == []
    one.leases.renew(lease)
    assert memory.volumes() == []


def test_a_record_that_cant_be_written_leaves_no_lock_behind(
    world: World, folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the lock, its own record would look like a living holder's until the plugin ends."""

    def cut_off(owner: Owner) -> None:
        SharedStore.write(one.store, owner)
        raise ShareError("the share does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(one.store, "write", cut_off)
        with pytest.raises(ShareError):
            one.claim()
    assert folder.locks == {}
    one.claim("other")


def test_a_holder_that_is_evicted_while_it_renews_finds_out(
    world: World, folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes the folder marks it and looks at the record again; so one of the two sees the other."""
    lease = one.claim()
    confirmed = lease.confirmed
    world.now += 1

    def overtaken(owner: Owner) -> None:
        SharedStore.write(one.store, owner)
        SharedStore.take(one.store, owner, "two")

    monkeypatch.setattr(one.store, "write", overtaken)
    with pytest.raises(TakenOver, match="taken over by two"):
        one.leases.renew(lease)
    assert lease.confirmed == confirmed


def test_a_mark_is_taken_away_by_who_made_it_alone(one: Machine, two: Machine) -> None:
    """Of two takers one may have gone on by it, when the other finds that the holder came back."""
    owner = one.claim().owner
    for taker in ("two", "three"):
        two.store.take(owner, taker)
    two.store.spare(owner, "three")
    assert _marked_by(two, owner) == "two"
    two.store.spare(owner, "two")
    assert _marked_by(two, owner) == ""


def _marked_by(machine: Machine, owner: Owner) -> str:
    record = machine.store.read(owner.key)
    assert record is not None
    return record.taken_by


def test_a_renewal_that_a_full_share_has_no_room_for_names_fewer_containers(
    one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = one.claim()
    lease.owner.containers = [Container(f"c{number}", f"db{number}") for number in range(8)]
    room = 3

    def full(owner: Owner) -> None:
        if len(owner.containers) > room:
            raise ShareError("the share is full")
        SharedStore.write(one.store, owner)

    monkeypatch.setattr(one.store, "write", full)
    one.leases.renew(lease)
    written = one.store.read(lease.owner.key)
    assert written is not None
    assert [container.name for container in written.owner.containers] == ["db0", "db1"]
    # in memory all are known, and are stopped if the lease is lost
    assert len(lease.owner.containers) == 8
    room = -1
    with pytest.raises(ShareError, match="the share is full"):
        one.leases.renew(lease)


def test_a_renewal_without_an_answer_is_tried_once(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes seconds, of which the others' renewals have few."""
    lease = one.claim()
    lease.owner.containers = [Container(f"c{number}", f"db{number}") for number in range(8)]
    tried: list[Owner] = []

    def silent(owner: Owner) -> None:
        tried.append(owner)
        raise ShareSilent("the share does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(one.store, "write", silent)
        with pytest.raises(ShareSilent):
            one.leases.renew(lease)
    assert tried == [lease.owner]


def test_a_hold_that_is_lost_is_not_renewed(world: World, folder: MemoryFolder, one: Machine) -> None:
    """Its containers are being stopped, and another host would wait for it anew."""
    lease = one.claim()
    lease.lost = "no renewal"
    before = dict(folder.files)
    world.now += 1
    one.leases.renew(lease)
    assert folder.files == before


def test_a_renewal_in_the_middle_of_a_grant_does_not_end_it(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share still has the record of the volume's hold before."""
    one.claim()
    one.leases.release("dbs")
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)

    def renewed(owner: Owner) -> None:
        keeper.renew(one.store)
        SharedStore.write(one.store, owner)

    with monkeypatch.context() as patch:
        patch.setattr(one.store, "write", renewed)
        lease = one.claim()
    keeper.renew(one.store)
    assert not lease.lost


def test_a_claim_that_fails_after_its_grant_holds_nothing(
    folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock("mutex")
    records = one.store.records
    looks: list[object] = []

    def fails_at_the_second_look(**given: Any) -> object:
        looks.append(None)
        if len(looks) > 1:
            raise ShareError("the share does not answer")
        return records(**given)

    monkeypatch.setattr(one.store, "records", fails_at_the_second_look)
    with pytest.raises(ShareError):
        one.claim()
    assert one.leases.all() == []
    assert list(folder.locks) == ["mutex"]


def test_a_container_named_while_another_mount_ends_is_not_forgotten(one: Machine) -> None:
    lease = one.claim(exclusive="false")
    lease.owner.mounts = 2
    told = threading.Thread(target=one.holders.identify, args=("dbs", Container("2", "second"), liveness.clock()))

    class Looked(Container):
        def dead(self) -> bool:
            told.start()
            told.join(0.2)
            return False

    lease.owner.containers = [Looked("1", "first")]
    one.holders.unmounted("dbs", 1)
    told.join()
    assert [container.name for container in lease.owner.containers] == ["first", "second"]


def test_containers_that_never_got_a_process_are_forgotten_with_their_mounts(one: Machine) -> None:
    """The newest are kept: an older one without a process had its Unmount."""
    lease = one.claim(exclusive="false")
    pid = os.getpid()
    lease.owner.containers = [Container("writer", "writer", pid=pid, ticks=liveness.start_ticks(pid))]
    for number in range(5):
        one.holders.identify("dbs", Container(f"job{number}", f"job{number}"), liveness.clock())
        if number < 4:
            one.holders.unmounted("dbs", 1)
    assert [container.name for container in lease.owner.containers] == ["writer", "job4"]
    one.holders.unmounted("dbs", 1)
    assert [container.name for container in lease.owner.containers] == ["writer"]


def test_a_lease_that_two_threads_drop_is_dropped_once(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One by a claim of another volume, and its own Unmount while that still tells the share."""
    lease = one.claim()
    told: list[str] = []

    def meanwhile() -> None:
        if not told:
            told.append("first")
            one.leases.drop(lease)

    monkeypatch.setattr(lease, "release", meanwhile)
    one.leases.drop(lease)
    assert one.leases.of("dbs") is None
