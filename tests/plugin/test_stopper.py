"""What happens to the containers of a lost lease."""

import os
import signal
import threading
import time

import pytest

from azurefile import stopper
from azurefile.engine import Engine
from azurefile.stoppedmemory import Stopped
from azurefile.stopper import Stopper
from azurefile.store import Record
from tests.plugin.fake_engine import FakeContainer
from tests.plugin.harness import eventually
from tests.plugin.lost_hold import LostHold, assert_forgotten, known

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


def _assert_dead(container: FakeContainer) -> None:
    assert container.process.poll() is not None


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
    eventually(lambda: assert_forgotten(hold))
    hold.engine.silent = False
    thread.join(60)
