"""What happens to the containers of a lost lease."""

import dataclasses
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import liveness, stopper
from azurefile.engine import Engine
from azurefile.lease import Lease
from azurefile.owner import Container
from azurefile.stoppedmemory import Stopped, StoppedMemory
from azurefile.stopper import Stopper
from azurefile.store import Record
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.shared import Machine, MemoryFolder, World

pytestmark = pytest.mark.root


class Site:
    """One host whose lease on volume `dbs` can be lost."""

    def __init__(self, engine: FakeEngine, mounts: Path) -> None:
        self.world = World()
        self.folder = MemoryFolder(self.world)
        self.engine = engine
        self.one = Machine(self.world, self.folder, "one")
        self.lease = self.one.claim()
        self.mounts = mounts
        self.forgotten: list[Lease] = []
        self.memory = StoppedMemory(mounts / "stopped")

    def run(self, name: str, restart: str = "unless-stopped") -> FakeContainer:
        container = FakeContainer(name, "dbs", restart=restart)
        self.engine.containers.append(container)
        return container

    def lose(self, reason: str = "no renewal for 30 s") -> threading.Thread:
        self.lease.lost = reason

        thread = threading.Thread(target=self.plugin().stop, args=(self.lease,), daemon=True)
        thread.start()
        return thread

    def plugin(self) -> Stopper:
        """The stopper of one of the plugin's lives."""

        def forget(lease: Lease) -> None:
            self.forgotten.append(lease)
            self.one.leases.drop(lease)

        return Stopper(Engine(str(self.engine.path)), lambda name: self.mounts / name, forget, self.memory)

    def stop_and_die(self, monkeypatch: pytest.MonkeyPatch) -> Stopped:
        """The plugin stops what runs and ends while it waits for the share; returns what its next life finds."""
        self.world.share_down = True
        with monkeypatch.context() as patch:
            patch.setattr(Stopper, "_start_again", lambda *_: None)
            self.lose().join(10)
        stopped = self.plugin().interrupted("dbs")
        assert stopped is not None
        return stopped


@pytest.fixture
def site(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(stopper, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(stopper, "_RESTART_SECONDS", 0.05)
    (tmp_path / "dbs").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", tmp_path / "dbs"], check=True)
    yield Site(engine, tmp_path)
    subprocess.run(["umount", tmp_path / "dbs"], check=False, capture_output=True)


def test_containers_are_killed_and_the_mount_is_gone_before_the_lease_is(site: Site) -> None:
    mydb = site.run("mydb", restart="no")
    site.lose().join(10)
    assert mydb.process.poll() is not None
    assert not (site.mounts / "dbs").exists()
    assert site.forgotten == [site.lease]
    assert site.engine.started == []


def test_a_process_is_killed_although_the_engine_does_not_answer(site: Site) -> None:
    mydb = FakeContainer("mydb", "dbs")
    site.engine.silent = True
    site.lease.owner.containers = [_known(mydb)]
    thread = site.lose()
    eventually(lambda: _assert_dead(mydb), 15)
    site.engine.silent = False
    thread.join(20)
    assert site.forgotten == [site.lease]


def test_a_host_that_is_short_of_threads_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb, kill, failures = site.run("mydb", restart="no"), Stopper._kill, [RuntimeError("can't start new thread")] * 2

    def short(self: Stopper, containers: set[str]) -> list[threading.Thread]:
        if failures:
            raise failures.pop()
        return kill(self, containers)

    monkeypatch.setattr(Stopper, "_kill", short)
    site.lose().join(10)
    assert mydb.process.poll() is not None
    assert not (site.mounts / "dbs").exists()
    assert site.forgotten == [site.lease]


def test_what_was_stopped_comes_back_to_a_host_that_was_short_of_threads(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.run("mydb")
    read, failures = site.one.store.read, [RuntimeError("can't start new thread")] * 3

    def short(key: str) -> Record | None:
        if failures:
            raise failures.pop()
        return read(key)

    monkeypatch.setattr(site.one.store, "read", short)
    site.lose().join(10)
    assert site.engine.started == ["mydb"]
    assert [r.levelname for r in caplog.records if r.message == "not started again yet"] == ["ERROR"]


def test_what_an_engine_lists_slowly_is_killed_too(site: Site) -> None:
    mydb = site.run("mydb")
    site.engine.slow = 0.8
    site.lose().join(20)
    assert mydb.process.poll() is not None
    assert site.engine.started == ["mydb"]


def test_an_engine_is_asked_for_what_to_kill_until_it_answers(site: Site) -> None:
    mydb = site.run("mydb", restart="no")
    site.engine.silent = True
    thread = site.lose()
    # Past the moment at which an engine that does not kill is given up.
    time.sleep(stopper._DEATH_SECONDS + 1)
    assert site.forgotten == []
    site.engine.silent = False
    thread.join(10)
    assert mydb.process.poll() is not None
    assert site.forgotten == [site.lease]


def test_an_engine_that_never_answers_keeps_no_lease(site: Site) -> None:
    mydb = site.run("mydb")
    site.engine.silent = True
    site.lose().join(20)
    assert site.forgotten == [site.lease]
    site.engine.silent = False
    time.sleep(0.5)
    assert mydb.process.poll() is None


def test_what_had_ended_before_the_hold_was_lost_is_not_started(site: Site) -> None:
    """As by a `docker stop` in an outage: the engine lists it until its Unmount is answered."""
    mydb = site.run("mydb")
    site.lease.owner.containers = [_known(mydb)]
    mydb.kill()
    mydb.restarting = True
    other = site.run("other")
    site.lose().join(10)
    assert other.process.poll() is not None
    assert site.engine.started == ["other"]


def test_a_container_comes_back_with_the_share(site: Site) -> None:
    site.run("mydb")
    site.run("once", restart="no")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    assert site.engine.started == []
    site.world.share_down = False
    thread.join(10)
    assert site.engine.started == ["mydb"]


def test_a_start_that_fails_is_tried_again(site: Site) -> None:
    site.run("mydb")
    site.engine.failing = 2
    site.lose().join(10)
    assert site.engine.started == ["mydb"]
    _assert_settled(site)


@pytest.mark.parametrize("end", ["taken", "removed", "late"])
def test_what_cant_be_started_is_left_in_the_end(site: Site, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    mydb = site.run("mydb")
    site.engine.failing = 10_000
    if end == "late":
        monkeypatch.setattr(stopper, "_START_SECONDS", 0)
    thread = site.lose()
    eventually(lambda: _assert_tried(site))
    if end == "taken":
        mark = json.dumps({"lease": site.lease.owner.lease, "by": "two"}).encode()
        site.folder.files[f"{site.lease.owner.key}.taken"] = (mark, site.world.now)
    elif end == "removed":
        site.engine.containers.remove(mydb)
    thread.join(10)
    assert not thread.is_alive()
    # What is only late is tried again by the plugin's next life.
    assert (site.memory.load("dbs") is not None) == (end == "late")


def _assert_tried(site: Site) -> None:
    assert site.engine.failing < 10_000


def test_nobody_waits_for_a_share_whose_containers_were_removed(site: Site) -> None:
    mydb = site.run("mydb")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    assert thread.is_alive()
    site.engine.containers.remove(mydb)
    thread.join(10)
    assert not thread.is_alive()


def test_it_stays_down_if_another_host_took_the_folder(site: Site) -> None:
    site.run("mydb")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    mark = json.dumps({"lease": site.lease.owner.lease, "by": "two"}).encode()
    site.folder.files[f"{site.lease.owner.key}.taken"] = (mark, site.world.now)
    site.world.share_down = False
    thread.join(10)
    assert site.engine.started == []


def test_a_holder_that_finds_itself_evicted_is_not_started_again(site: Site) -> None:
    site.run("mydb")
    site.lease.taken = True
    site.lose("taken over by two").join(10)
    assert site.engine.started == []


def test_what_the_plugin_stopped_comes_back_although_it_restarted_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run("mydb")
    site.run("once", restart="no")
    site.plugin().resume(site.stop_and_die(monkeypatch), site.one.store)
    assert site.engine.started == []
    site.world.share_down = False
    eventually(lambda: _assert_settled(site))
    assert site.engine.started == ["mydb"]


def test_what_ran_since_and_was_stopped_by_somebody_stays_down(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb = site.run("mydb")
    stopped = site.stop_and_die(monkeypatch)
    # the clock may have been set back since
    mydb.started_at -= 7200
    site.world.share_down = False
    site.plugin().resume(stopped, site.one.store)
    eventually(lambda: _assert_settled(site))
    assert site.engine.started == []


def test_it_stays_down_after_a_restart_too_if_another_took_the_folder(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run("mydb")
    stopped = site.stop_and_die(monkeypatch)
    mark = json.dumps({"lease": site.lease.owner.lease, "by": "two"}).encode()
    site.folder.files[f"{site.lease.owner.key}.taken"] = (mark, site.world.now)
    site.world.share_down = False
    site.plugin().resume(stopped, site.one.store)
    eventually(lambda: _assert_settled(site))
    assert site.engine.started == []


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_what_was_stopped_is_forgotten_once_another_container_has_the_exclusive_volume(
    site: Site, exclusive: str
) -> None:
    site.one.leases.release("dbs")
    site.lease = site.one.claim(exclusive=exclusive)
    mydb = site.run("mydb")
    site.engine.failing = 10_000
    thread = site.lose()
    eventually(lambda: _assert_tried(site))
    other = site.one.claim(exclusive=exclusive)
    thread.join(1)
    assert thread.is_alive() == (exclusive == "false")
    assert (site.memory.load("dbs") is None) == (exclusive == "true")
    site.engine.containers.remove(mydb)
    thread.join(10)
    assert not other.lost


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_a_later_hold_of_an_exclusive_volume_starts_only_its_own(site: Site, exclusive: str) -> None:
    site.one.leases.release("dbs")
    mydb = FakeContainer("mydb", "dbs")
    mydb.kill()
    site.engine.containers.append(mydb)
    site.memory.save(site.one.claim(exclusive=exclusive), [mydb.id])
    site.one.leases.release("dbs")
    site.lease = site.one.claim(exclusive=exclusive)
    site.run("other")
    site.lose().join(10)
    assert sorted(site.engine.started) == (["other"] if exclusive == "true" else ["mydb", "other"])


def test_what_a_later_hold_stopped_is_not_forgotten_with_the_earlier(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.run("mydb")
    stopped = site.stop_and_die(monkeypatch)
    site.world.share_down = False
    later = site.one.claim()
    site.memory.save(later, ["f" * 64])
    site.plugin()._start_again(stopped, site.one.store)
    assert site.engine.started == []
    remembered = site.memory.load("dbs")
    assert remembered is not None
    assert remembered.owner.lease == later.owner.lease


def test_a_stop_that_the_plugin_did_not_survive_is_ended_by_its_next_life(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The containers are dead, and only what was noted before the kill tells by whose hand; the lease was resumed."""
    mydb = site.run("mydb")
    site.lease.owner.containers = [_known(mydb)]
    site.lease.lost = "no renewal for 30 s"

    def kill_and_die(*_: object) -> None:
        mydb.kill()
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Stopper, "_kill", kill_and_die)
        with pytest.raises(SystemExit):
            site.plugin().stop(site.lease)
    site.lose().join(10)
    assert site.engine.started == ["mydb"]
    _assert_settled(site)


def test_after_a_reboot_another_process_has_the_number_of_the_one_that_was_killed(site: Site) -> None:
    """The engine has started it meanwhile, so there is nothing to wait for."""
    mydb = site.run("mydb")
    owner = dataclasses.replace(site.lease.owner, boot="earlier", containers=[_known(mydb)])
    site.memory.save(site.lease, [mydb.id])
    site.plugin().resume(Stopped(owner, (mydb.id,), restart=False), site.one.store)
    eventually(lambda: _assert_settled(site))
    assert site.engine.started == []
    mydb.kill()


def _assert_settled(site: Site) -> None:
    assert site.memory.load("dbs") is None


def _known(container: FakeContainer) -> Container:
    pid = container.process.pid
    return Container(container.id, container.name, pid=pid, ticks=liveness.start_ticks(pid))


def _assert_dead(container: FakeContainer) -> None:
    assert container.process.poll() is not None


def _assert_forgotten(site: Site) -> None:
    assert site.forgotten == [site.lease]


def test_a_process_that_ends_just_before_it_is_killed_is_fine(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    mydb = FakeContainer("mydb", "dbs")
    site.engine.silent = True
    site.lease.owner.containers = [_known(mydb)]
    kill = os.kill

    def too_late(pid: int, number: int) -> None:
        kill(pid, number)
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", too_late)
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site), 15)
    site.engine.silent = False
    thread.join(20)
