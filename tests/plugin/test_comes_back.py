"""What was stopped with its lease comes back with the share, or is left to who has the folder since."""

import json
import threading
import time

import pytest

from azurefile import restarter
from azurefile.engine import Engine
from azurefile.errors import ShareError
from azurefile.lease import Lease
from azurefile.sharedstore import SharedStore
from azurefile.unusable import UnusableFolder
from tests.plugin.fake_engine import FakeContainer
from tests.plugin.harness import eventually
from tests.plugin.lost_hold import LostHold, assert_forgotten, assert_settled, assert_tried
from tests.plugin.shared import Machine

pytestmark = pytest.mark.root


def test_a_container_comes_back_with_the_share(hold: LostHold) -> None:
    hold.run("mydb")
    hold.run("once", restart="no")
    thread = hold.lose_with_the_share()
    assert hold.engine.started == []
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_a_container_comes_back_although_its_share_is_reached_by_another_account_since(hold: LostHold) -> None:
    hold.run("mydb")
    thread = hold.lose_with_the_share()
    hold.one.store.close()
    hold.chosen = Machine(hold.world, hold.folder, "one").store
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_while_the_share_is_away_the_time_for_a_start_does_not_run_out(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarter, "_START_SECONDS", 5)
    hold.run("mydb")
    hold.engine.failing = 10_000
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    hold.world.share_down = True
    # the time that is meant
    time.sleep(6)
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
    thread = hold.lose_with_the_share()
    hold.copied, hold.world.share_down = True, False
    thread.join(0.5)
    assert thread.is_alive()
    assert hold.engine.started == []
    hold.copied = False
    thread.join(60)
    assert hold.engine.started == [mydb.name]
    assert_settled(hold)


def test_what_another_container_goes_on_with_is_left_to_it(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarter, "_START_SECONDS", 0.2)
    hold.run("mydb")
    thread = hold.lose_with_the_share()
    hold.copied, hold.world.share_down = True, False
    thread.join(60)
    assert hold.engine.started == []
    # it is not tried after a later outage, either
    assert_settled(hold)


@pytest.mark.parametrize("ended", ["by itself", "with its hold", "after its hold"])
def test_what_helped_for_a_moment_and_was_lost_too_takes_no_databases_place(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    mydb = hold.run("mydb")
    plugin = hold.plugin()
    hold.world.share_down = True
    hold.lease.lost = "no renewal for 30 s"
    first = threading.Thread(target=plugin.stop, args=(hold.lease,), daemon=True)
    first.start()
    eventually(lambda: assert_forgotten(hold))
    hold.copied, hold.world.share_down = True, False
    later = hold.one.claim()
    backup = None if ended == "by itself" else hold.run("backup", restart="no")
    if backup and ended == "after its hold":
        backup.deaf = 1
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
    assert backup is None or backup.process.poll() is not None
    assert_settled(hold)


@pytest.mark.parametrize("end", ["taken", "removed", "late"])
def test_what_cant_be_started_is_left_in_the_end(hold: LostHold, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    mydb = hold.run("mydb")
    hold.engine.failing = 10_000
    if end == "late":
        monkeypatch.setattr(restarter, "_START_SECONDS", 0)
    thread = hold.lose()
    eventually(lambda: assert_tried(hold))
    if end == "taken":
        hold.taken_by_two()
    elif end == "removed":
        hold.engine.containers.remove(mydb)
    thread.join(60)
    assert not thread.is_alive()
    # What is only late is tried again by the plugin's next life.
    assert (hold.memory.load("dbs") is not None) == (end == "late")


def test_nobody_waits_for_a_share_whose_containers_were_removed(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    thread = hold.lose_with_the_share()
    assert thread.is_alive()
    hold.engine.containers.remove(mydb)
    thread.join(60)
    assert not thread.is_alive()


def test_it_stays_down_if_another_host_took_the_folder(hold: LostHold) -> None:
    hold.run("mydb")
    thread = hold.lose_with_the_share()
    hold.taken_by_two()
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == []


@pytest.mark.parametrize("seen", ["by the mark", "by the holder"])
def test_what_outlived_its_kill_is_killed_although_another_host_took_the_folder(hold: LostHold, seen: str) -> None:
    mydb = hold.run("mydb")
    mydb.deaf = 1
    hold.taken_by_two()
    hold.lease.taken = seen == "by the holder"
    hold.lose("taken over by two").join(60)
    assert mydb.process.poll() is not None
    assert hold.engine.started == []
    assert_settled(hold)


def test_what_outlived_its_kill_is_killed_before_the_share_is_back(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    mydb.deaf = 1
    thread = hold.lose_with_the_share()
    eventually(lambda: _assert_dead(mydb))
    hold.world.share_down = False
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_it_comes_back_if_who_took_the_folder_gave_way_to_it(hold: LostHold) -> None:
    """Each saw the other, and the mark was taken back when this one had seen it."""
    hold.run("mydb")
    hold.lose("taken over by two").join(60)
    assert hold.engine.started == ["mydb"]
    assert_settled(hold)


def test_it_comes_back_although_its_place_could_not_be_had_at_first(hold: LostHold) -> None:
    """As where a volume could not be restored: its hold is on nothing that answers."""
    hold.run("mydb")
    hold.lease.store = SharedStore(UnusableFolder("not restored"), "dbs")
    hold.chosen = ShareError("no credentials yet")
    thread = hold.lose()
    eventually(lambda: assert_forgotten(hold))
    hold.chosen = hold.one.store
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_one_that_can_not_end_keeps_no_other_down(hold: LostHold, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = hold.run("dying")
    hold.run("mydb")
    monkeypatch.setattr(restarter, "_dying", lambda _found, container, _owner: container == dying.id)
    thread = hold.lose()
    eventually(lambda: _assert_started(hold, ["mydb"]))
    monkeypatch.setattr(restarter, "_dying", lambda *_: False)
    thread.join(60)
    assert hold.engine.started == ["mydb", "dying"]


def test_one_that_ends_late_is_started_although_another_was_given_up(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dying = hold.run("dying")
    hold.run("mydb")
    monkeypatch.setattr(restarter, "_START_SECONDS", 0)
    monkeypatch.setattr(restarter, "_dying", lambda _found, container, _owner: container == dying.id)
    hold.engine.failing = 1
    thread = hold.lose()
    eventually(lambda: _assert_said(caplog, "start it by hand"))
    monkeypatch.setattr(restarter, "_dying", lambda *_: False)
    thread.join(60)
    assert hold.engine.started == ["dying"]
    # for the plugin's next life
    assert hold.memory.load("dbs") is not None


def test_one_that_no_process_is_known_of_and_that_ends_late_is_started(hold: LostHold) -> None:
    """It still has the process that was killed, when the share is back already."""
    hold.run("mydb").deaf = 2
    hold.lose().join(60)
    assert hold.engine.started == ["mydb"]
    assert_settled(hold)


def test_one_that_the_engine_said_nothing_of_when_it_was_stopped_is_started_once_it_ends(
    hold: LostHold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold.run("mydb").deaf = 2
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "look", lambda *_: None)
        thread = hold.lose()
        eventually(lambda: assert_forgotten(hold))
    thread.join(60)
    assert hold.engine.started == ["mydb"]


def test_one_that_runs_again_already_is_left_alone(hold: LostHold) -> None:
    mydb = hold.run("mydb")
    thread = hold.lose_with_the_share()
    again = FakeContainer("mydb", "dbs")
    again.id = mydb.id
    hold.engine.containers[:] = [again]
    hold.world.share_down = False
    thread.join(60)
    assert again.up
    assert hold.engine.started == []


def _assert_dead(container: FakeContainer) -> None:
    assert container.process.poll() is not None


def _assert_said(caplog: pytest.LogCaptureFixture, what: str) -> None:
    assert what in caplog.text


def _assert_started(hold: LostHold, names: list[str]) -> None:
    assert hold.engine.started == names


def test_a_holder_that_finds_itself_evicted_is_not_started_again(hold: LostHold) -> None:
    hold.run("mydb")
    hold.lease.taken = True
    hold.lose("taken over by two").join(60)
    assert hold.engine.started == []


def _assert_remembered(hold: LostHold, later: Lease) -> None:
    """The next life of the plugin has the earlier hold to go on with."""
    remembered = hold.memory.load("dbs")
    assert hold.forgotten == [hold.lease, later]
    assert remembered is not None
    assert remembered.owner.lease == hold.lease.owner.lease
