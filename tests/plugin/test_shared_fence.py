"""The fence between hosts: who gets a folder, when, and who must stop."""

import json
import os

import pytest

from azurefile import liveness
from azurefile.errors import ShareError
from azurefile.fence import Fence, Host
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.lease import Lease, TakenOver
from azurefile.owner import Container
from tests.plugin.harness import eventually
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World, volume


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def folder(world: World) -> MemoryFolder:
    return MemoryFolder(world)


@pytest.fixture
def one(world: World, folder: MemoryFolder) -> Machine:
    return Machine(world, folder, "one")


@pytest.fixture
def two(world: World, folder: MemoryFolder) -> Machine:
    return Machine(world, folder, "two")


def test_another_hosts_holder_is_refused_at_once_and_named(world: World, one: Machine, two: Machine) -> None:
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", database="orders")]
    one.fence.renew(lease)
    world.now += 3
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0
    assert 'container "mydb" (database orders, volume "dbs", host one, renewed 3 s ago)' in str(caught.value)
    assert "docker stop mydb on one" in str(caught.value)


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        ({"folder": "a"}, {"folder": "A/b"}, True),
        ({"folder": "a"}, {"folder": "ab"}, False),
        ({}, {"exclusive": "false"}, True),
        ({"exclusive": "false"}, {"exclusive": "false"}, False),
    ],
)
def test_folders_on_smb_overlap_whatever_their_case(
    one: Machine, two: Machine, mine: dict[str, str], theirs: dict[str, str], refused: bool
) -> None:
    one.claim(**mine)
    if refused:
        with pytest.raises(Held):
            two.claim(**theirs)
    else:
        two.claim(**theirs)


def test_what_was_given_back_is_free_at_once(one: Machine, two: Machine) -> None:
    one.claim()
    one.fence.release("dbs")
    two.claim()
    with pytest.raises(Held):
        one.claim()


def test_volume_names_that_differ_in_case_only_have_records_of_their_own(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    one.claim("db", folder="a")
    one.claim("DB", folder="b")
    assert len({name.casefold() for name in folder.files if name.endswith(".json")}) == 2
    with pytest.raises(Held, match='volume "DB"'):
        two.claim("x", folder="b")


def test_a_silent_holder_is_waited_for_and_evicted_when_its_time_is_over(
    world: World, one: Machine, two: Machine
) -> None:
    one.claim()
    world.now += TAKEOVER * 0.4
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0
    world.now += TAKEOVER * 0.1
    with pytest.raises(Held, match="is free in 30 s") as caught:
        two.claim()
    assert caught.value.wait == pytest.approx(TAKEOVER / 2)
    world.now += TAKEOVER / 2
    two.claim()


def test_a_holder_that_comes_back_before_its_time_is_over_keeps_the_folder(
    world: World, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    world.now += TAKEOVER * 0.5
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait > 0
    one.fence.renew(lease)
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0


def test_an_evicted_holder_finds_out_and_never_writes_its_record_again(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    world.now += TAKEOVER
    two.claim()
    before = dict(folder.files)
    with pytest.raises(TakenOver, match="taken over by two"):
        one.fence.renew(lease)
    assert folder.files == before
    lease.lost = "taken"
    one.fence.abandon(lease)
    assert folder.files == before
    with pytest.raises(Held, match="host two"):
        one.claim()


def test_a_holder_stops_itself_half_of_its_time_after_its_last_renewal(world: World, one: Machine) -> None:
    lease = one.claim()
    world.now += TAKEOVER / 6
    one.fence.renew(lease)
    world.share_down = True
    world.now += TAKEOVER / 2
    with pytest.raises(ShareError):
        one.fence.renew(lease)
    assert not one.fence.overdue(lease)
    world.now += 0.1
    assert one.fence.overdue(lease)


def test_a_hold_that_excludes_nobody_outlasts_a_short_outage(world: World, one: Machine, two: Machine) -> None:
    lease = one.claim(exclusive="false")
    world.now += TAKEOVER
    assert not one.fence.overdue(lease)
    with pytest.raises(Held):
        two.claim()
    world.now += TAKEOVER * 9
    assert one.fence.overdue(lease)
    two.claim()


def test_a_lost_lock_is_taken_again_with_the_next_renewal(folder: MemoryFolder, one: Machine) -> None:
    lease = one.claim()
    folder.locks.clear()
    one.fence.renew(lease)
    assert list(folder.locks) == ["id-one.azurefile.dbs.lock"]


def test_after_a_reboot_the_folder_is_given_at_once(folder: MemoryFolder, one: Machine, world: World) -> None:
    one.claim()
    _reboot(folder)
    Machine(world, folder, "one").claim()


def test_after_a_reboot_a_lock_that_is_still_held_is_waited_for(
    folder: MemoryFolder, one: Machine, world: World
) -> None:
    """It may be a connection that the server has not given up yet, or a copy of this machine."""
    one.claim()
    lock = folder.locks.copy()
    _reboot(folder)
    folder.locks.update(lock)
    again = Machine(world, folder, "one")
    world.now += TAKEOVER - 1
    with pytest.raises(Held) as caught:
        again.claim()
    assert caught.value.wait == pytest.approx(1)
    world.now += 1
    lease = again.claim()
    assert lease.lock is None
    folder.locks.clear()
    again.fence.renew(lease)
    assert lease.lock is not None


def test_a_copy_of_the_machine_is_another_holder(world: World, folder: MemoryFolder, one: Machine) -> None:
    """Same identity, same boot: only the lock tells the two apart."""
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    one.fence.renew(lease)
    copy = Machine(world, folder, "copy", identity="id-one")
    with pytest.raises(Held, match="renewed 0 s ago"):
        copy.claim()
    world.now += TAKEOVER
    copy.claim()
    with pytest.raises(TakenOver, match="copy of this machine"):
        one.fence.renew(lease)


def test_a_living_holder_on_the_same_host_is_refused_without_asking_the_share(world: World, one: Machine) -> None:
    lease = one.claim()
    pid = os.getpid()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=pid, ticks=liveness.start_ticks(pid))]
    world.share_down = True
    with pytest.raises(Held, match='"mydb"'):
        one.claim("other")
    with pytest.raises(Held, match='"mydb"'):
        one.claim()


def test_a_dead_holder_on_the_same_host_makes_way_at_once(one: Machine) -> None:
    for number in range(100):
        lease = one.claim(f"db{number}")
        lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]


def test_a_claim_goes_on_without_a_mutex_that_a_vanished_host_holds(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    folder.lock("mutex")
    one.claim()
    with pytest.raises(Held):
        two.claim()


def test_of_two_claims_without_a_mutex_at_most_one_stays(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock("mutex")
    records = one.store.records
    raced: list[object] = []

    def overtaken() -> object:
        found = records()
        if not raced:
            # What the other one writes between this one's look and its own record.
            raced.append(two.claim())
        return found

    monkeypatch.setattr(one.store, "records", overtaken)
    with pytest.raises(Held):
        one.claim()
    assert one.fence.lease("dbs") is None
    assert two.fence.lease("dbs") is not None


def test_a_record_of_another_version_is_in_the_way_while_it_is_locked(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    one.claim()
    name = "id-one.azurefile.dbs.json"
    data, written = folder.files[name]
    folder.files[name] = (json.dumps(json.loads(data) | {"news": 1}).encode(), written)
    with pytest.raises(ShareError, match="same version of the plugin on every host"):
        two.claim()
    folder.locks.clear()
    two.claim()


def test_a_share_that_fails_keeps_nothing_held_at_the_release(world: World, one: Machine, two: Machine) -> None:
    one.claim()
    world.share_down = True
    one.fence.release("dbs")
    assert one.fence.lease("dbs") is None
    world.share_down = False
    with pytest.raises(Held):
        two.claim()
    one.claim()


def test_the_keeper_gives_up_what_was_not_confirmed_and_what_was_taken(
    world: World, one: Machine, two: Machine
) -> None:
    lost: list[Lease] = []
    keeper = Keeper(one.fence, TAKEOVER, lost.append)
    one.claim("a", folder="a")
    world.now += TAKEOVER
    two.claim("a", folder="a")
    one.claim("b", folder="b")
    keeper.renew(one.store)
    eventually(lambda: _assert_lost(lost, ["a"]))
    assert lost[0].taken
    world.share_down = True
    world.now += TAKEOVER
    keeper.renew(one.store)
    keeper.look()
    eventually(lambda: _assert_lost(lost, ["a", "b"]))
    assert lost[1].lost == "no renewal for 30 s"
    keeper.look()
    _assert_lost(lost, ["a", "b"])


def test_nothing_is_granted_while_a_lost_lease_is_being_stopped(world: World, one: Machine) -> None:
    lease = one.claim()
    lease.lost = "no renewal"
    with pytest.raises(Held):
        one.claim("other")
    with pytest.raises(Held):
        one.fence.claim(volume("dbs"), one.store, rejoin=True)
    one.fence.abandon(lease)
    one.claim("other")


def test_a_restarted_plugin_goes_on_with_its_lease(world: World, folder: MemoryFolder, one: Machine) -> None:
    lease = one.claim()
    folder.locks.clear()
    again = Machine(world, folder, "one")
    assert again.fence.resume(lease.owner, again.store, 1, lease.confirmed)
    resumed = again.fence.lease("dbs")
    assert resumed is not None
    assert resumed.changed
    again.fence.renew(resumed)
    assert resumed.lock is not None
    world.now += TAKEOVER
    assert again.fence.overdue(resumed)


def test_a_restarted_plugin_gives_back_what_nothing_is_mounted_under(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    folder.locks.clear()
    again = Machine(world, folder, "one")
    assert not again.fence.resume(lease.owner, again.store, 0, lease.confirmed)
    again.fence.clear(lease.owner, again.store)
    two.claim()


def test_a_copys_first_start_does_not_give_the_originals_folder_back(
    world: World, folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    copy = Machine(world, folder, "copy", identity="id-one")
    copy.fence.clear(lease.owner, copy.store)
    with pytest.raises(Held):
        two.claim()


def test_hosts_with_other_takeover_times_go_by_the_holders(world: World, folder: MemoryFolder, one: Machine) -> None:
    one.claim()
    hasty = Machine(world, folder, "hasty")
    hasty.fence = Fence("azurefile", Host("hasty", "id-hasty", 3), lambda _: False, lambda: False)
    world.now += TAKEOVER - 1
    with pytest.raises(Held):
        hasty.claim()


def _reboot(folder: MemoryFolder) -> None:
    """The records of this boot become those of an earlier one, and connections end."""
    folder.locks.clear()
    for name, (data, written) in folder.files.items():
        if name.endswith(".json"):
            folder.files[name] = (json.dumps(json.loads(data) | {"boot": "earlier"}).encode(), written)


def _assert_lost(lost: list[Lease], volumes: list[str]) -> None:
    assert [lease.owner.volume for lease in lost] == volumes
