"""The fence and its flocks by themselves, for moments that a process can't be made to meet."""

import errno
import fcntl
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azurefile import liveness, options
from azurefile.errors import ShareError
from azurefile.fence import Fence
from azurefile.held import Held
from azurefile.holders import Holders
from azurefile.identity import Host
from azurefile.lastleases import restore
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.owner import Container
from azurefile.protocols import flock
from azurefile.protocols.flock import FlockStore
from azurefile.protocols.local import Local
from azurefile.store import is_locked
from azurefile.volumes import Volume
from tests.plugin.shared import Forgetful

HOST = Host("host", "0123456789ab", 60)


def volume(name: str, **given: str) -> Volume:
    parsed = options.parse(name, {"share": "dbs", "exclusive": "true", **given}, {})
    return Volume(name, parsed, given, "")


def test_a_lock_file_deleted_while_it_is_locked_excludes_nobody_and_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FlockStore(tmp_path)
    take = fcntl.flock
    deletions = [tmp_path / "key.lock"]

    def delete_then_lock(descriptor: int, operation: int) -> None:
        for path in deletions:
            path.unlink()
        deletions.clear()
        take(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", delete_then_lock)
    lock = store.lock("key")
    assert lock is not None
    assert is_locked(store, "key")
    lock.close()
    assert not is_locked(store, "key")


@pytest.mark.parametrize("running", [True, None])
def test_a_nameless_holder_is_looked_up_only_after_the_engine_restarted(tmp_path: Path, running: bool | None) -> None:
    answers: list[bool | None] = [running]
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: answers[0], lambda: False, list)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    lease = leases.of("one")
    assert lease is not None
    lease.owner.since -= 60
    answers[0] = False
    with pytest.raises(Held):
        fence.claim(volume("two"), store, rejoin=False)
    Holders(leases).engine_left()
    answers[0] = running
    with pytest.raises(Held) as refused:
        fence.claim(volume("two"), store, rejoin=False)
    # what an engine that starts says nothing of is not waited for, and started later
    assert refused.value.wait == (0 if running else math.inf)
    answers[0] = False
    fence.claim(volume("two"), store, rejoin=False)
    assert leases.of("one") is None
    assert not fence.alive("one")


def test_a_nameless_holder_is_judged_again_once_the_engine_speaks(tmp_path: Path) -> None:
    answers: list[bool | None] = []
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: answers.pop(0), lambda: False, list)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    lease = leases.of("one")
    assert lease is not None
    lease.owner.since -= 60
    Holders(leases).engine_left()
    answers[:] = [None, False, False]
    with pytest.raises(Held, match="it may be free in 1 s"):
        fence.claim(volume("two"), store, rejoin=False)
    answers[:] = [False]
    fence.claim(volume("two"), store, rejoin=False)


def test_renewing_shows_in_the_record_until_it_is_released(tmp_path: Path) -> None:
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: True, lambda: False, list)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    before = store.records()[0].owner
    lease = leases.of("one")
    assert lease is not None
    leases.renew(lease)
    renewed = store.records()[0].owner
    assert renewed.renewed > before.renewed
    assert renewed.since == before.since
    leases.release("one")
    leases.renew(lease)
    released = store.records()[0].owner
    assert released.released is not None
    assert released.renewed == renewed.renewed


def test_a_late_save_does_not_bring_a_removed_record_back(tmp_path: Path) -> None:
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: True, lambda: False, list)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    lease = leases.of("one")
    assert lease is not None
    leases.forget(volume("one"), store)
    lease.save()
    assert store.records() == []


def test_a_record_of_another_plugin_is_not_written_over(tmp_path: Path) -> None:
    """As of one on another machine that has the same folder: their folders differ, their records' names don't."""
    theirs, ours = (
        Fence(Leases("azurefile", HOST, Forgetful()), lambda _: True, lambda: False, list) for _ in range(2)
    )
    theirs.claim(volume("dbs", folder="one"), FlockStore(tmp_path), rejoin=False)
    store = FlockStore(tmp_path)
    with pytest.raises(ShareError, match=r'another plugin holds "azurefile\.dbs" in its fence; give each plugin'):
        ours.claim(volume("dbs", folder="two"), store, rejoin=False)
    assert [record.owner.folder for record in store.records()] == ["one"]
    assert is_locked(store, "azurefile.dbs")


@pytest.mark.parametrize("held", [False, True])
def test_what_another_machine_holds_counts_also_where_a_volume_here_has_its_name(tmp_path: Path, held: bool) -> None:
    """Of a folder of the host that both machines reach, where records are named by the volume alone.

    The one here may be held, in another share.
    """
    there = Leases("azurefile", HOST, Forgetful())
    there.boot = "another"
    fence = Fence(there, lambda _: True, lambda: False, list)
    fence.claim(volume("a", folder="x"), FlockStore(tmp_path / "dbs"), rejoin=False)
    here = Leases("azurefile", HOST, Forgetful())
    fence = Fence(here, lambda _: False, lambda: False, lambda: [volume("a", folder="y"), volume("b", folder="x")])
    if held:
        fence.claim(volume("a", share="more", folder="y"), FlockStore(tmp_path / "more"), rejoin=False)
    with pytest.raises(Held, match='volume "a"'):
        fence.claim(volume("b", folder="x"), FlockStore(tmp_path / "dbs"), rejoin=False)


def test_a_hold_that_another_plugin_took_is_not_taken_back_by_a_restarted_one(tmp_path: Path) -> None:
    leases, store = Leases("azurefile", HOST, Forgetful()), FlockStore(tmp_path)
    lease = leases.grant(volume("dbs"), store)
    store.take(lease.owner, "host")
    assert lease.lock is not None
    lease.lock.close()
    again = Leases("azurefile", HOST, Forgetful())
    assert not restore(volume("dbs"), store, again, Forgetful(), 1)
    assert again.of("dbs") is None


@pytest.mark.parametrize("alive", [True, False])
def test_a_container_without_a_known_process_is_found_by_its_cgroup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alive: bool
) -> None:
    proc = tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "77").mkdir()
    (proc / "77/cgroup").write_text("0::/docker/c0ffee\n" if alive else "0::/docker/other\n")
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: False, lambda: False, list)
    store = FlockStore(tmp_path / "fence")
    fence.claim(volume("one"), store, rejoin=False)
    lease = leases.of("one")
    assert lease is not None
    holders = Holders(leases)
    holders.identify("one", Container("c0ffee", "mydb"), liveness.clock())
    lease.owner.since -= 60
    holders.engine_left()
    monkeypatch.setattr(liveness, "_PROC", proc)
    assert fence.alive("one") is alive


def test_a_lock_that_closes_with_an_error_closes_nothing_else_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FlockStore(tmp_path).lock("key")
    assert lock is not None
    close = os.close

    def fails(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", fails)
        with pytest.raises(OSError, match="Input/output"):
            lock.close()
    reused = os.open(tmp_path, os.O_RDONLY)
    lock.close()
    os.fstat(reused)
    os.close(reused)


def test_a_plugin_that_stopped_in_the_middle_of_a_claim_keeps_nobody_waiting_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do those of this process that came before wait for it one after the other."""
    monkeypatch.setattr(flock, "_MUTEX_SECONDS", 0.5)
    store = FlockStore(tmp_path)

    def claim(_: int) -> None:
        with pytest.raises(ShareError, match="keeps its fence busy"), store.mutex():
            pass

    with (tmp_path / ".mutex").open("w") as stopped, ThreadPoolExecutor(10) as pool:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        started = time.monotonic()
        list(pool.map(claim, range(10)))
        # one after the other they would take 5 s
        assert time.monotonic() - started < 4
    with store.mutex():
        pass


def test_a_claim_reads_no_record_that_this_plugin_knows_to_be_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many databases on one share each would read those of all others, one after the other."""
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: True, lambda: False, list)
    way = Local(tmp_path)
    one, two = volume("one", folder="one"), volume("two", folder="two")
    fence.claim(one, way.locks(one, ""), rejoin=False)
    read: list[str] = []
    monkeypatch.setattr(FlockStore, "read", lambda _, key: read.append(key))
    fence.claim(two, way.locks(two, ""), rejoin=False)
    assert read == []


def test_a_local_folder_that_another_machine_reaches_is_refused_while_its_plugin_lives(tmp_path: Path) -> None:
    store = FlockStore(tmp_path)
    theirs = Leases("azurefile", HOST, Forgetful())
    theirs.boot = "another machine's"
    lease = theirs.grant(volume("one"), store)
    fence = Fence(Leases("ours", HOST, Forgetful()), lambda _: True, lambda: True, list)
    with pytest.raises(Held):
        fence.claim(volume("two"), store, rejoin=False)
    assert lease.lock is not None
    lease.lock.close()
    fence.claim(volume("two"), store, rejoin=False)


def test_a_local_folder_that_another_pid_namespace_reaches_is_refused_while_its_plugin_lives(tmp_path: Path) -> None:
    """As of an engine in a container: there is no process of such a number here."""
    store = FlockStore(tmp_path)
    theirs = Leases("azurefile", HOST, Forgetful())
    theirs.pid_namespace += 1
    lease = theirs.grant(volume("one"), store)
    lease.owner.containers.append(Container("c0ffee", "mydb", pid=2**22 + 1, ticks=1))
    lease.save()
    fence = Fence(Leases("ours", HOST, Forgetful()), lambda _: True, lambda: True, list)
    with pytest.raises(Held):
        fence.claim(volume("two"), store, rejoin=False)
    # A record of a version before: where its processes are seen is here.
    lease.owner.pid_namespace = 0
    lease.save()
    fence.claim(volume("two"), store, rejoin=False)


def test_a_lease_that_is_restored_says_where_its_processes_are_seen(tmp_path: Path) -> None:
    store = FlockStore(tmp_path)
    before = Leases("azurefile", HOST, Forgetful())
    before.pid_namespace += 1
    lock = before.grant(volume("one"), store).lock
    assert lock is not None
    lock.close()
    leases = Leases("azurefile", HOST, Forgetful())
    assert restore(volume("one"), store, leases, LeaseMemory(tmp_path / "leases"), 1)
    assert [record.owner.pid_namespace for record in store.records()] == [liveness.pid_namespace()]


def test_a_clock_that_is_set_back_makes_no_dead_holder_young(tmp_path: Path) -> None:
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: False, lambda: True, list)
    fence.claim(volume("one"), FlockStore(tmp_path), rejoin=False)
    lease = leases.of("one")
    assert lease is not None
    lease.restored = True
    assert fence.alive("one")
    lease.owner.since += 3600
    assert not fence.alive("one")


@pytest.mark.parametrize("ended", [True, False])
def test_a_hold_whose_asker_ended_while_it_waited_is_trusted_only_by_process(tmp_path: Path, ended: bool) -> None:
    leases = Leases("azurefile", HOST, Forgetful())
    fence = Fence(leases, lambda _: False, lambda: True, list)
    holders = Holders(leases)
    asked = time.monotonic()
    if ended:
        holders.engine_left()
    fence.claim(volume("one"), FlockStore(tmp_path), rejoin=False)
    holders.doubt("one", asked)
    lease = leases.of("one")
    assert lease is not None
    lease.owner.since -= 60
    assert fence.alive("one") is not ended
