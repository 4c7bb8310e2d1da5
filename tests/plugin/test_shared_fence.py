"""The fence between hosts: who gets a folder, and when."""

import os
from typing import Any

import pytest

from azurefile import liveness
from azurefile.errors import ShareError, ShareSilent
from azurefile.held import Held
from azurefile.lease import TakenOver
from azurefile.owner import Container, Owner
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World, reboot, volume


def test_another_hosts_holder_is_refused_at_once_and_named(world: World, one: Machine, two: Machine) -> None:
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", database="orders")]
    one.leases.renew(lease)
    world.now += 3
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0
    assert str(caught.value).endswith("; if that host is gone, try again in 57 s")
    assert 'container "mydb" (database orders, volume "dbs", host one, renewed 3 s ago)' in str(caught.value)
    assert "docker stop mydb on one" in str(caught.value)


def test_what_was_given_back_is_free_at_once(one: Machine, two: Machine) -> None:
    one.claim()
    one.leases.release("dbs")
    two.claim()
    with pytest.raises(Held):
        one.claim()


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
    before = world.now
    two.mount()
    assert world.now - before == pytest.approx(TAKEOVER / 2, abs=1)


def test_a_holder_that_comes_back_before_its_time_is_over_keeps_the_folder(
    world: World, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    world.now += TAKEOVER * 0.5
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait > 0
    one.leases.renew(lease)
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0


@pytest.mark.parametrize("living", ["a", "b"])
def test_who_is_refused_by_one_holder_has_taken_nothing_from_another(
    world: World, folder: MemoryFolder, one: Machine, two: Machine, living: str
) -> None:
    """Whichever of the two is read first."""
    three = Machine(world, folder, "three")
    leases = {"a": one.claim("a", folder="a"), "b": two.claim("b", folder="b")}
    for _ in range(int(TAKEOVER * 2)):
        world.now += 1
        (one if living == "a" else two).leases.renew(leases[living])
        with pytest.raises(Held):
            three.claim("all")
    assert not [name for name in folder.files if name.endswith(".taken")]
    silent = "b" if living == "a" else "a"
    (one if silent == "a" else two).leases.renew(leases[silent])


@pytest.mark.parametrize("moment", ["before the mark", "after the mark"])
def test_a_holder_that_comes_back_while_its_folder_is_taken_keeps_it_or_stops(
    world: World, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """As a machine does that was suspended: at most one of the two goes on."""
    lease = one.claim()
    world.now += TAKEOVER
    take = two.store.take
    ended: list[TakenOver] = []

    def renew() -> None:
        try:
            one.leases.renew(lease)
        except TakenOver as taken:
            ended.append(taken)

    def meanwhile(owner: Owner, by: str) -> None:
        if moment == "before the mark":
            renew()
        take(owner, by)
        if moment == "after the mark":
            renew()

    monkeypatch.setattr(two.store, "take", meanwhile)
    if moment == "before the mark":
        for _ in range(2):
            with pytest.raises(Held, match="renewed 0 s ago"):
                two.mount()
        assert two.leases.of("dbs") is None
        one.leases.renew(lease)
    else:
        two.mount()
        assert len(ended) == 1


@pytest.mark.parametrize("change", ["lost", "ending", "gone"])
def test_what_was_judged_dead_may_be_another_by_then(
    one: Machine, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """What else is in the way is judged first, which takes as long as the share does."""
    lease = one.claim("a", folder="a")
    monkeypatch.setattr(one.fence, "_alive", lambda *_, **__: False)
    judge = one.fence._judge

    def slowly(*given: Any) -> Any:
        found = judge(*given)
        if change == "gone":
            one.leases.drop(lease)
            one.leases.grant(one.volumes["a"], one.store)
        else:
            setattr(lease, change, "stopped" if change == "lost" else True)
        return found

    monkeypatch.setattr(one.fence, "_judge", slowly)
    with pytest.raises(Held):
        one.claim("all")
    assert one.leases.of("a") is not None


def test_a_mark_that_came_too_early_gives_the_folder_to_nobody(
    world: World, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made it failed before it saw that the holder was back, which finds the mark with its next renewal only."""
    lease = one.claim()
    world.now += TAKEOVER
    take = two.store.take

    def interrupted(owner: Owner, by: str) -> None:
        one.leases.renew(lease)
        take(owner, by)
        raise ShareError("the share does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(two.store, "take", interrupted)
        with pytest.raises(ShareError):
            two.mount()
    with pytest.raises(Held):
        two.claim()
    with pytest.raises(TakenOver):
        one.leases.renew(lease)
    world.now += TAKEOVER
    two.mount()


def test_after_a_reboot_the_folder_is_given_at_once(folder: MemoryFolder, one: Machine, world: World) -> None:
    one.claim()
    reboot(folder)
    Machine(world, folder, "one").claim()


def test_after_a_reboot_a_lock_that_is_still_held_is_waited_for(
    folder: MemoryFolder, one: Machine, world: World
) -> None:
    """It may be a connection that the server has not given up yet, or a copy of this machine."""
    one.claim()
    lock = folder.locks.copy()
    reboot(folder)
    folder.locks.update(lock)
    again = Machine(world, folder, "one")
    world.now += 12
    with pytest.raises(Held) as caught:
        again.claim()
    assert caught.value.wait == pytest.approx(TAKEOVER - 12)
    lease = again.mount()
    assert lease.lock is None
    folder.locks.clear()
    again.leases.renew(lease)
    assert lease.lock is not None


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


def test_nothing_is_granted_while_a_lost_lease_is_being_stopped(world: World, one: Machine) -> None:
    lease = one.claim()
    lease.lost = "no renewal"
    with pytest.raises(Held):
        one.claim("other")
    # that passes, and the container that waits for it is started again
    with pytest.raises(ShareSilent, match=r"what used the volume is being stopped \(no renewal\)"):
        one.fence.claim(volume("dbs"), one.store, rejoin=True)
    one.leases.drop(lease)
    one.claim("other")


def test_a_lost_lease_is_in_the_way_while_its_mount_is_cut_although_its_containers_are_dead(one: Machine) -> None:
    """What they wrote may still be on its way to the share."""
    lease = one.claim(folder="x")
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    lease.lost = "no renewal"
    for _ in range(3):
        with pytest.raises(Held):
            one.claim("other", folder="x")
    assert one.leases.of("dbs") is lease


def test_hosts_with_other_takeover_times_go_by_the_holders(world: World, folder: MemoryFolder, one: Machine) -> None:
    one.claim()
    hasty = Machine(world, folder, "hasty", takeover=3)
    world.now += TAKEOVER - 1
    with pytest.raises(Held):
        hasty.claim()


def test_a_hosts_own_old_record_is_written_anew_where_no_new_file_has_room(
    folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = one.claim()
    lease.lost = "no renewal for 30 s"
    one.leases.drop(lease)
    folder.locks.clear()
    write = folder.write

    def full(name: str, data: bytes) -> float:
        if name not in folder.files:
            raise ShareError("the share is full")
        return write(name, data)

    monkeypatch.setattr(folder, "write", full)
    one.claim()


def test_the_shares_clock_is_asked_for_what_stands_in_the_way_alone(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look at it is three requests to the server, of which a Mount makes some twenty."""
    one.claim(folder="a")
    asked: list[str] = []
    write = folder.write

    def noted(name: str, data: bytes) -> float:
        asked.append(name)
        return write(name, data)

    monkeypatch.setattr(folder, "write", noted)
    two.claim(folder="b")
    assert "clock" not in asked
    with pytest.raises(Held):
        two.claim("other", folder="a")
    assert "clock" in asked


@pytest.mark.parametrize("named", [False, True])
def test_a_holder_for_which_only_its_youth_speaks_is_waited_for(one: Machine, named: bool) -> None:
    """A container that the engine restarts is mounted once; its old hold may be seconds old."""
    lease = one.claim()
    lease.restored = True
    pid = os.getpid()
    mydb = Container("c" * 64, "mydb")
    if named:
        mydb.pid, mydb.ticks = pid, liveness.start_ticks(pid)
    lease.owner.containers = [mydb]
    with pytest.raises(Held) as caught:
        one.claim()
    assert (0 < caught.value.wait <= 10) is not named
    lease.owner.since -= 10
    if not named:
        one.claim()


def test_a_host_with_many_volumes_on_a_share_reads_none_of_its_own_records_that_is_in_nobodys_way(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    for number in range(20):
        one.claim(f"db{number}", folder=f"customers/{number}")
    folder.asked.clear()
    one.claim("db20", folder="customers/20")
    # of its own, just written, nobody can have made a mark that is not listed
    assert {name.partition(".")[2] for name in folder.asked} == {"azurefile.db20.json"}
    # what is in the way is found as ever, by this host and by others
    with pytest.raises(Held, match='volume "db7"'):
        one.claim("all", folder="customers/7")
    with pytest.raises(Held):
        two.claim("all", folder="customers")


@pytest.mark.parametrize("released", [True, False])
def test_a_host_that_starts_again_reads_none_of_its_volumes_records_that_is_in_nobodys_way(
    world: World, folder: MemoryFolder, one: Machine, released: bool
) -> None:
    """All its databases claim at once, and nothing is held yet."""
    for number in range(20):
        one.claim(f"db{number}", folder=f"customers/{number}")
    for name in one.leases.held() if released else ():
        one.leases.release(name)
    reboot(folder)
    again = Machine(world, folder, "one")
    again.volumes = one.volumes
    folder.asked.clear()
    again.claim("db7", folder="customers/7")
    assert {name.split(".")[2] for name in folder.asked} == {"db7"}
    # a volume that is gone, and what it held, is looked at as ever
    folder.asked.clear()
    del again.volumes["db9"]
    again.claim("db8", folder="customers/8")
    assert {name.split(".")[2] for name in folder.asked} == {"db8", "db9"}


def test_last_writes_that_are_on_their_way_are_waited_for(one: Machine) -> None:
    """The folder by another volume of the same host; the volume's own calls wait in its lane."""
    lease = one.claim("dbs")
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    lease.ending = True
    with pytest.raises(Held) as caught:
        one.claim("other")
    assert caught.value.wait > 0
    one.leases.drop(lease)
    one.claim("other")
