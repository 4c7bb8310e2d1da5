"""What happens to the containers of a lost lease."""

import json
import os
import signal
import threading
import time

import pytest

from azurefile import stopper
from azurefile.engine import Engine
from azurefile.lease import Lease
from azurefile.stoppedmemory import Stopped
from azurefile.stopper import Stopper
from azurefile.store import Record
from tests.plugin.fake_engine import FakeContainer
from tests.plugin.harness import eventually
from tests.plugin.lost_hold import LostHold, assert_settled, assert_tried, known
from tests.plugin.shared import Machine

pytestmark = pytest.mark.root


def test_containers_are_killed_and_the_mount_is_gone_before_the_lease_is(hold: LostHold) -> None:
    mydb = hold.run("mydb", restart="no")
    hold.lose().join(60)
    assert mydb.process.poll() is not None
    assert not (hold.mounts / "dbs").exists()
    assert hold.forgotten == [hold.lease]
    assert hold.engine.started == []


def test_a_process_is_killed_although_the_engine_does_not_answer(hold: LostHold) -> None:
    mydb = FakeContainer("mydb", "dbs")
    hold.engine.silent = True
    hold.lease.owner.containers = [known(mydb)]
    thread = hold.lose()
    eventually(lambda: _assert_dead(mydb))
    hold.engine.silent = False
    thread.join(60)
    assert hold.forgotten == [hold.lease]


def test_a_host_that_is_short_of_threads_is_tried_again(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb, kill, failures = hold.run("mydb", restart="no"), Stopper._kill, [RuntimeError("can't start new thread")] * 2

    def short(self: Stopper, containers: set[str]) -> list[threading.Thread]:
        if failures:
            raise failures.pop()
        return kill(self, containers)

    monkeypatch.setattr(Stopper, "_kill", short)
    hold.lose().join(60)
    assert mydb.process.poll() is not None
    assert not (hold.mounts / "dbs").exists()
    assert hold.forgotten == [hold.lease]


def test_what_was_stopped_comes_back_to_a_host_that_was_short_of_threads(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hold.run("mydb")
    read, failures = hold.one.store.read, [RuntimeError("can't start new thread")] * 3

    def short(key: str) -> Record | None:
        if failures:
            raise failures.pop()
        return read(key)

    monkeypatch.setattr(hold.one.store, "read", short)
    hold.lose().join(60)
    assert hold.engine.started == ["mydb"]
    assert [r.levelname for r in caplog.records if r.message == "not started again yet"] == ["ERROR"]


def test_what_only_the_engine_names_is_remembered_before_it_is_killed(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plugin may end with the machine before its mount is gone."""
    mydb, kill, noted = hold.run("mydb"), Engine.kill, list[Stopped | None]()

    def killed(self: Engine, container: str) -> bool:
        noted.append(hold.memory.load("dbs"))
        return kill(self, container)

    monkeypatch.setattr(Engine, "kill", killed)
    hold.lose().join(60)
    assert [stopped and stopped.containers for stopped in noted] == [(mydb.id,)]


def test_a_lease_is_given_up_once_what_was_killed_is_dead(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's answer comes before the kernel has ended the process."""
    monkeypatch.setattr(stopper, "_DEATH_SECONDS", 2.0)
    mydb = FakeContainer("mydb", "dbs")
    hold.lease.owner.containers = [known(mydb)]
    ended: list[int | None] = []
    monkeypatch.setattr(hold.one.leases, "drop", lambda _: ended.append(mydb.process.poll()))
    hold.lose().join(60)
    assert ended == [-signal.SIGKILL]


def test_what_an_engine_lists_slowly_is_killed_too(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    hold.engine.slow = 0.8
    hold.lose().join(60)
    assert mydb.process.poll() is not None
    assert hold.engine.started == ["mydb"]


def test_an_engine_is_asked_for_what_to_kill_until_it_answers(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopper, "_DEATH_SECONDS", 1.0)
    mydb = hold.run("mydb", restart="no")
    hold.engine.silent = True
    thread = hold.lose()
    # Past the moment at which an engine that does not kill is given up.
    time.sleep(stopper._DEATH_SECONDS + 1)
    assert hold.forgotten == []
    hold.engine.silent = False
    thread.join(60)
    assert mydb.process.poll() is not None
    assert hold.forgotten == [hold.lease]


def test_an_engine_that_never_answers_keeps_no_lease(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    hold.engine.silent = True
    hold.lose().join(60)
    assert hold.forgotten == [hold.lease]
    hold.engine.silent = False
    time.sleep(0.5)
    assert mydb.process.poll() is None


def test_what_had_ended_before_the_hold_was_lost_is_not_started(hold: LostHold) -> None:
    """As by a `docker stop` in an outage: the engine lists it until its Unmount is answered."""
    mydb = hold.run("mydb")
    hold.lease.owner.containers = [known(mydb)]
    mydb.kill()
    mydb.restarting = True
    other = hold.run("other")
    hold.lose().join(60)
    assert other.process.poll() is not None
    assert hold.engine.started == ["other"]


def test_a_container_comes_back_with_the_share(hold: LostHold) -> None:
    hold.run("mydb")
    hold.run("once", restart="no")
    thread = _lose_with_the_share(hold)
    assert hold.engine.started == []
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_a_container_comes_back_although_its_share_is_reached_by_another_account_since(hold: LostHold) -> None:
    hold.run("mydb")
    thread = _lose_with_the_share(hold)
    hold.one.store.close()
    hold.chosen = Machine(hold.world, hold.folder, "one").store
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_while_the_share_is_away_the_time_for_a_start_does_not_run_out(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopper, "_START_SECONDS", 1)
    hold.run("mydb")
    hold.engine.failing = 10_000
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    hold.world.share_down = True
    # the time that is meant
    time.sleep(1.5)
    tried, hold.world.share_down = hold.engine.failing, False
    eventually(lambda: _assert_tried_since(hold, tried - 2))
    hold.engine.failing = 0
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def _assert_tried_since(hold: LostHold, failing: int) -> None:
    assert hold.engine.failing < failing


def test_a_start_that_fails_is_tried_again(hold: LostHold) -> None:
    hold.run("mydb")
    hold.engine.failing = 2
    hold.lose().join(60)
    assert hold.engine.started == ["mydb"]
    assert_settled(hold)


def test_a_start_that_fails_after_its_mount_is_tried_again(hold: LostHold) -> None:
    """The hold that it had for a moment is given back by then, of which the share need not have heard."""
    hold.run("mydb")
    hold.engine.failing = 10_000
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    file = f"{hold.lease.owner.key}.json"
    record = json.loads(hold.folder.files[file][0]) | {"lease": "another", "released": None}
    hold.folder.files[file] = (json.dumps(record).encode(), hold.world.now)
    thread.join(0.3)
    hold.engine.failing = 0
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_a_mount_that_passes_keeps_no_database_down(hold: LostHold) -> None:
    """As `docker cp` makes one before the container is started again."""
    mydb = hold.run("mydb")
    thread = _lose_with_the_share(hold)
    hold.copied, hold.world.share_down = True, False
    thread.join(0.5)
    assert thread.is_alive()
    assert hold.engine.started == []
    hold.copied = False
    thread.join(60)
    assert hold.engine.started == [mydb.name]
    assert_settled(hold)


def test_what_another_container_goes_on_with_is_left_to_it(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopper, "_START_SECONDS", 0.2)
    hold.run("mydb")
    thread = _lose_with_the_share(hold)
    hold.copied, hold.world.share_down = True, False
    thread.join(60)
    assert hold.engine.started == []
    # it is not tried after a later outage, either
    assert_settled(hold)


@pytest.mark.parametrize("ended", ["by itself", "with its hold"])
def test_what_helped_for_a_moment_and_was_lost_too_takes_no_databases_place(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    mydb = hold.run("mydb")
    plugin = hold.plugin()
    hold.world.share_down = True
    hold.lease.lost = "no renewal for 30 s"
    first = threading.Thread(target=plugin.stop, args=(hold.lease,), daemon=True)
    first.start()
    eventually(lambda: _assert_forgotten(hold))
    hold.copied, hold.world.share_down = True, False
    later = hold.one.claim()
    if ended == "with its hold":
        hold.run("backup", restart="no")
    forget = plugin._forget

    def slowly(lease: Lease) -> None:
        # who waits to start mydb looks meanwhile
        time.sleep(0.5)
        hold.world.share_down = True
        forget(lease)

    monkeypatch.setattr(plugin, "_forget", slowly)
    later.lost, hold.copied = "no renewal for 30 s", False
    second = threading.Thread(target=plugin.stop, args=(later,), daemon=True)
    second.start()
    eventually(lambda: _assert_remembered(hold, later))
    hold.world.share_down = False
    second.join(60)
    first.join(60)
    assert hold.engine.started == [mydb.name]
    assert_settled(hold)


@pytest.mark.parametrize("end", ["taken", "removed", "late"])
def test_what_cant_be_started_is_left_in_the_end(hold: LostHold, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    mydb = hold.run("mydb")
    hold.engine.failing = 10_000
    if end == "late":
        monkeypatch.setattr(stopper, "_START_SECONDS", 0)
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    if end == "taken":
        mark = json.dumps({"lease": hold.lease.owner.lease, "by": "two"}).encode()
        hold.folder.files[f"{hold.lease.owner.key}.taken"] = (mark, hold.world.now)
    elif end == "removed":
        hold.engine.containers.remove(mydb)
    thread.join(60)
    assert not thread.is_alive()
    # What is only late is tried again by the plugin's next life.
    assert (hold.memory.load("dbs") is not None) == (end == "late")


def test_nobody_waits_for_a_share_whose_containers_were_removed(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    thread = _lose_with_the_share(hold)
    assert thread.is_alive()
    hold.engine.containers.remove(mydb)
    thread.join(60)
    assert not thread.is_alive()


def test_it_stays_down_if_another_host_took_the_folder(hold: LostHold) -> None:
    hold.run("mydb")
    thread = _lose_with_the_share(hold)
    mark = json.dumps({"lease": hold.lease.owner.lease, "by": "two"}).encode()
    hold.folder.files[f"{hold.lease.owner.key}.taken"] = (mark, hold.world.now)
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == []


def test_a_holder_that_finds_itself_evicted_is_not_started_again(hold: LostHold) -> None:
    hold.run("mydb")
    hold.lease.taken = True
    hold.lose("taken over by two").join(60)
    assert hold.engine.started == []


def _lose_with_the_share(hold: LostHold) -> threading.Thread:
    """Until what had the hold was stopped; the thread waits for the share then."""
    hold.world.share_down = True
    thread = hold.lose()
    eventually(lambda: _assert_forgotten(hold))
    return thread


def _assert_dead(container: FakeContainer) -> None:
    assert container.process.poll() is not None


def _assert_forgotten(hold: LostHold) -> None:
    assert hold.forgotten == [hold.lease]


def test_a_process_that_ends_just_before_it_is_killed_is_fine(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb = FakeContainer("mydb", "dbs")
    hold.engine.silent = True
    hold.lease.owner.containers = [known(mydb)]
    kill = os.kill

    def too_late(pid: int, number: int) -> None:
        kill(pid, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", too_late)
    thread = hold.lose()
    eventually(lambda: _assert_forgotten(hold))
    hold.engine.silent = False
    thread.join(60)


def _assert_remembered(hold: LostHold, later: Lease) -> None:
    """The next life of the plugin has the earlier hold to go on with."""
    remembered = hold.memory.load("dbs")
    assert hold.forgotten == [hold.lease, later]
    assert remembered is not None
    assert remembered.owner.lease == hold.lease.owner.lease
