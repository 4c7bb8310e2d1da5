"""What the next life of a plugin makes of what it had stopped."""

import dataclasses
import threading
from typing import Any

import pytest

from azurefile import restarter
from azurefile.engine import Engine
from azurefile.stoppedmemory import Stopped
from tests.plugin.fake_engine import FakeContainer
from tests.plugin.harness import eventually
from tests.plugin.lost_hold import LostHold, assert_settled, assert_tried, known

pytestmark = pytest.mark.root


def test_what_the_plugin_stopped_comes_back_although_it_restarted_meanwhile(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.run("mydb")
    hold.run("once", restart="no")
    hold.restarter().resume(hold.stop_and_die(monkeypatch), hold.one.store)
    assert hold.engine.started == []
    hold.world.share_down = False
    eventually(lambda: assert_settled(hold))
    assert hold.engine.started == ["mydb"]


def test_what_ran_since_and_was_stopped_by_somebody_stays_down(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb = hold.run("mydb")
    stopped = hold.stop_and_die(monkeypatch)
    # the clock may have been set back since
    mydb.started_at -= 7200
    hold.world.share_down = False
    hold.restarter().resume(stopped, hold.one.store)
    eventually(lambda: assert_settled(hold))
    assert hold.engine.started == []


def test_it_stays_down_after_a_restart_too_if_another_took_the_folder(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.run("mydb")
    stopped = hold.stop_and_die(monkeypatch)
    hold.taken_by_two()
    hold.world.share_down = False
    hold.restarter().resume(stopped, hold.one.store)
    eventually(lambda: assert_settled(hold))
    assert hold.engine.started == []


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_what_was_stopped_is_forgotten_once_another_container_has_the_exclusive_volume(
    hold: LostHold, exclusive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if exclusive == "true":
        monkeypatch.setattr(restarter, "_START_SECONDS", 5)
    hold.one.leases.release("dbs")
    hold.lease = hold.one.claim(exclusive=exclusive)
    mydb = hold.run("mydb")
    hold.engine.failing = 10_000
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    other = hold.one.claim(exclusive=exclusive)
    thread.join(60 if exclusive == "true" else 1)
    assert thread.is_alive() == (exclusive == "false")
    assert (hold.memory.load("dbs") is None) == (exclusive == "true")
    hold.engine.containers.remove(mydb)
    thread.join(60)
    assert not other.lost


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_a_later_hold_of_an_exclusive_volume_starts_only_its_own(hold: LostHold, exclusive: str) -> None:
    hold.one.leases.release("dbs")
    mydb = FakeContainer("mydb", "dbs")
    mydb.kill()
    hold.engine.containers.append(mydb)
    hold.memory.save(hold.one.claim(exclusive=exclusive), [mydb.id])
    hold.one.leases.release("dbs")
    hold.lease = hold.one.claim(exclusive=exclusive)
    hold.run("other")
    hold.lose().join(60)
    assert sorted(hold.engine.started) == (["other"] if exclusive == "true" else ["mydb", "other"])


def test_what_a_later_hold_stopped_is_not_forgotten_with_the_earlier(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.run("mydb")
    stopped = hold.stop_and_die(monkeypatch)
    hold.world.share_down = False
    later = hold.one.claim()
    hold.memory.save(later, ["f" * 64])
    hold.restarter()._start_again(stopped, hold.one.store)
    assert hold.engine.started == []
    remembered = hold.memory.load("dbs")
    assert remembered is not None
    assert remembered.owner.lease == later.owner.lease


@pytest.mark.parametrize("rebooted", [True, False])
@pytest.mark.parametrize("restart", ["no", "always"])
def test_a_second_stop_that_the_plugin_did_not_survive_loses_nothing_of_the_first(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch, restart: str, rebooted: bool
) -> None:
    hold.run("mydb")
    hold.stop_and_die(monkeypatch)
    hold.world.share_down = False
    later = hold.one.claim()
    helper = hold.run("helper", restart=restart)
    hold.die_in_the_kill(later, helper, monkeypatch)
    restarter = hold.restarter()
    stopped = restarter.interrupted("dbs")
    assert stopped is not None
    # who says what it is may be asked in vain at first
    look, unanswered = Engine.look, [1, 2]

    def look_twice(engine: Engine, container: str) -> dict[str, Any] | None:
        return None if unanswered and unanswered.pop() else look(engine, container)

    monkeypatch.setattr(Engine, "look", look_twice)
    if rebooted:
        hold.one.leases.drop(later)
        restarter.resume(stopped, hold.one.store)
    else:
        threading.Thread(target=hold.plugin().stop, args=(later,), daemon=True).start()
    eventually(lambda: assert_settled(hold))
    assert hold.engine.started == (["mydb"] if restart == "no" else ["helper"])


def test_a_stop_that_the_plugin_did_not_survive_is_ended_by_its_next_life(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The containers are dead, and only what was noted before the kill tells by whose hand; the lease was resumed."""
    hold.die_in_the_kill(hold.lease, hold.run("mydb"), monkeypatch)
    hold.lose().join(60)
    assert hold.engine.started == ["mydb"]
    assert_settled(hold)


def test_after_a_reboot_another_process_has_the_number_of_the_one_that_was_killed(hold: LostHold) -> None:
    """The engine has started it meanwhile, so there is nothing to wait for."""
    mydb = hold.run("mydb")
    owner = dataclasses.replace(hold.lease.owner, boot="earlier", containers=[known(mydb)])
    hold.memory.save(hold.lease, [mydb.id])
    hold.restarter().resume(Stopped(owner, (mydb.id,), restart=False), hold.one.store)
    eventually(lambda: assert_settled(hold))
    assert hold.engine.started == []
    mydb.kill()
