"""Who holds a folder: living, dead, nameless and late holders, and an engine that comes and goes."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from azurefile import engine as engine_module
from azurefile import liveness
from azurefile.engine import Engine
from azurefile.lease import Lease
from azurefile.owner import Container
from azurefile.watcher import Watcher
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import PluginProcess, Refused, eventually, holder_is
from tests.plugin.shared import Machine

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


def test_a_passing_mount_is_waited_for(start_patient: StartPlugin) -> None:
    """Copy-up holds a folder for a moment, without a container."""
    patient = start_patient(NAMING_SECONDS=20)
    patient.create("dbs", share="dbs", exclusive="true")
    patient.mount("dbs", "copy-up")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(patient.mount, "dbs", "container")
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        patient.unmount("dbs", "copy-up")
        waiting.result()


def test_a_holder_without_a_name_is_refused_within_seconds(watched: PluginProcess) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    started = time.monotonic()
    with pytest.raises(Refused, match="a container that the engine has not named yet"):
        watched.mount("dbs", "b")
    assert time.monotonic() - started < 5


def test_a_dead_holders_folder_is_given_at_once(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    for number in range(100):
        watched.mount("dbs", f"id{number}")
        container = engine.run(f"mydb{number}", "dbs")
        holder_is(watched, "dbs", f"mydb{number}")
        container.kill()
        # The engine crashed: no Unmount, and the next life has another ID.
    assert watched.status("dbs")["mounts"] == 1
    assert watched.mounted("dbs") == 1


def test_the_same_container_after_an_engine_crash_counts_once(watched: PluginProcess, engine: FakeEngine) -> None:
    """An engine that was killed keeps the container's mount ID and mounts again under it."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "kept")
    first = engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    first.kill()
    watched.mount("dbs", "kept")
    assert watched.status("dbs")["mounts"] == 1
    watched.unmount("dbs", "kept")
    assert watched.mounted("dbs") == 0


def test_the_log_says_which_container_a_mount_that_ended_was_for(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("logs", share="logs")
    containers = []
    for name in ("one", "two"):
        watched.mount("logs", name)
        containers.append(engine.run(name, "logs"))
        eventually(lambda: _assert_processes(watched, len(containers)))
    for name, container in zip(("one", "two"), containers, strict=True):
        container.kill()
        watched.unmount("logs", name)
    watched.mount("logs", "copy-up")
    watched.unmount("logs", "copy-up")
    said = [line for line in watched.log.read_text().splitlines() if "msg=unmounted" in line]
    assert [line.partition(" container=")[2] for line in said] == ["one", "two", ""]


def _assert_processes(plugin: PluginProcess, count: int) -> None:
    assert [bool(h.get("pid")) for h in plugin.status("logs")["holders"]] == [True] * count


def test_a_late_event_of_an_earlier_holder_is_ignored(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    old = engine.run("old", "dbs")
    holder_is(watched, "dbs", "old")
    watched.unmount("dbs", "a")
    event = {
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": old.id, "Attributes": {}},
        "timeNano": time.time_ns(),
    }
    watched.mount("dbs", "b")
    for stream in engine._streams:
        stream.put(event)
    time.sleep(0.3)
    old.kill()
    with pytest.raises(Refused):
        watched.mount("dbs", "c")
    new = engine.run("new", "dbs")
    holder_is(watched, "dbs", "new")
    new.kill()
    watched.mount("dbs", "c")


def test_a_dead_holder_of_a_shared_volume_leaves_the_living_ones(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("logs", share="logs")
    watched.create("all", share="logs", exclusive="true")
    watched.mount("logs", "a")
    one = engine.run("docker1", "logs")
    watched.mount("logs", "b")
    two = engine.run("docker2", "logs")
    eventually(lambda: _assert_pids(watched, "logs", 2))
    one.kill()
    with pytest.raises(Refused, match=r'held by container "docker2" '):
        watched.mount("all", "c")
    watched.unmount("logs", "a")
    two.kill()
    watched.mount("all", "c")


def _assert_pids(plugin: PluginProcess, volume: str, count: int) -> None:
    assert sum(1 for h in plugin.status(volume)["holders"] if h.get("pid")) == count


def test_a_new_holder_of_a_shared_volume_counts_before_it_has_a_name(
    watched: PluginProcess, engine: FakeEngine
) -> None:
    watched.create("logs", share="logs")
    watched.create("all", share="logs", exclusive="true")
    watched.mount("logs", "a")
    one = engine.run("docker1", "logs")
    holder_is(watched, "logs", "docker1")
    watched.mount("logs", "b")
    one.kill()
    with pytest.raises(Refused):
        watched.mount("all", "c")


def test_a_renamed_holder_is_refused_by_its_new_name(watched: PluginProcess, engine: FakeEngine) -> None:
    """As a container is replaced by hand: the old one is renamed, and another takes its name."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    engine.rename(mydb, "old")
    engine.tell("container", "rename", "another", name="mydb", oldName="/new")
    holder_is(watched, "dbs", "old")
    with pytest.raises(Refused, match=r'held by container "old" .*\(docker stop old\)'):
        watched.mount("dbs", "b")
    # A process that is known stays known.
    mydb.kill()
    watched.mount("dbs", "b")


def test_remove_works_when_only_the_dead_hold_the_volume(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    with pytest.raises(Refused, match='mounted for container "mydb"'):
        watched.remove("dbs")
    mydb.kill()
    watched.remove("dbs")
    assert watched.mounted("dbs") == 0


def test_the_engine_restarting_under_a_live_container_changes_nothing(
    watched: PluginProcess, engine: FakeEngine
) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    engine.drop()
    engine.wait_for_listener()
    with pytest.raises(Refused, match='"mydb"'):
        watched.mount("dbs", "b")
    mydb.kill()
    watched.mount("dbs", "b")


def test_what_an_engine_was_starting_when_it_crashed_makes_way_before_the_next_one_answers(
    watched: PluginProcess, engine: FakeEngine, end_engine: Callable[[], None]
) -> None:
    """It mounts for what restarts by policy first, and only once: that waits until the start is too old."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount_for_an_engine_that_ends("dbs", "a")
    mydb = FakeContainer("mydb", "dbs")
    mydb.kill()
    engine.containers.append(mydb)
    engine.tell("volume", "mount", "dbs", container=mydb.id)
    eventually(lambda: _assert_names(watched, ["mydb"]))
    end_engine()
    watched.mount("dbs", "b")


def test_an_engine_that_hangs_delays_nobody(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    engine.silent = True
    watched.mount("dbs", "a")
    container = engine.run("mydb", "dbs")
    started = time.monotonic()
    with pytest.raises(Refused):
        watched.mount("dbs", "b")
    assert time.monotonic() - started < 5
    engine.silent = False
    eventually(lambda: _assert_pids(watched, "dbs", 1))
    container.kill()
    watched.mount("dbs", "b")


@pytest.mark.parametrize(("slow", "broken"), [(0.8, 0), (0.0, 2)])
def test_an_engine_that_lists_slowly_or_in_vain_names_the_holder_in_the_end(
    watched: PluginProcess, engine: FakeEngine, slow: float, broken: int
) -> None:
    """What started before the events arrived is told by a list alone."""
    engine.wait_for_listener(listed=True)
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    engine.slow = slow
    engine.containers.append(FakeContainer("mydb", "dbs"))
    engine.broken_lists = broken
    engine.drop()
    eventually(lambda: holder_is(watched, "dbs", "mydb"))
    assert watched.log.read_text().count("engine connected") == 2


def test_an_engine_that_lists_slowly_names_the_holder_at_its_mount(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    engine.slow = 0.8
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    engine.tell("volume", "mount", "dbs", container=mydb.id)
    eventually(lambda: _assert_names(watched, ["mydb"]))


def _assert_names(plugin: PluginProcess, names: list[str]) -> None:
    assert [h["name"] for h in plugin.status("dbs")["holders"]] == names


def test_a_container_whose_look_timed_out_is_looked_at_again(
    engine: FakeEngine, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    asked = Engine(str(engine.path))
    inspect, tries = asked.inspect, iter([TimeoutError()])

    def once_late(identifier: str) -> dict[str, Any]:
        for error in tries:
            raise error
        return inspect(identifier)

    monkeypatch.setattr(asked, "inspect", once_late)
    lease = one.claim()
    Watcher(asked, one.leases.held, one.holders)._started(mydb.id, liveness.clock())
    assert [container.name for container in lease.owner.containers] == ["mydb"]


def test_one_that_the_engine_says_nothing_of_is_asked_for_until_it_does(
    engine: FakeEngine, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while something has its lock: its process would else be known to nobody for as long as it lives."""
    monkeypatch.setattr(engine_module, "_INSPECT_SECONDS", 0.05)
    lease = one.claim(exclusive="false")
    Watcher(Engine(str(engine.path)), one.leases.held, one.holders).start()
    engine.wait_for_listener(listed=True)
    mydb = FakeContainer("mydb", "dbs")
    mydb.locked = True
    engine.containers.append(mydb)
    engine.tell("container", "start", mydb.id, name="mydb")
    # what comes after it has been looked at
    engine.run("later", "dbs")
    eventually(lambda: _named(lease, "later"))
    mydb.locked = False
    eventually(lambda: _named(lease, "mydb"))


def _named(lease: Lease, name: str) -> None:
    assert name in [container.name for container in lease.owner.containers if container.pid]


def test_a_container_that_is_about_to_restart_does_not_run(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    # a busy machine's stand-in answers late
    monkeypatch.setattr(engine_module, "_CLAIM_SECONDS", 20)
    mydb = engine.run("mydb", "dbs")
    asked = Engine(str(engine.path))
    assert asked.running("dbs") is True
    mydb.restarting = True
    assert asked.running("dbs") is False


def test_a_container_that_is_about_to_restart_hides_no_living_holder(
    watched: PluginProcess, engine: FakeEngine
) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    watched.create("last", share="last", exclusive="true")
    watched.mount("last", "a")
    other, last = FakeContainer("other", "dbs"), FakeContainer("last", "last")
    other.kill()
    other.restarting = True
    engine.containers += [other, last]
    engine.drop()
    # what comes after it in the list has been looked at
    holder_is(watched, "last", "last")
    assert [holder["name"] for holder in watched.status("dbs")["holders"]] == ["mydb"]


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_a_container_without_a_process_replaces_no_living_holder(one: Machine, exclusive: str) -> None:
    lease = one.claim(exclusive=exclusive)
    ticks = liveness.start_ticks(os.getpid())
    one.holders.identify("dbs", Container("a", "mydb", pid=os.getpid(), ticks=ticks), liveness.clock())
    one.holders.identify("dbs", Container("b", "other"), liveness.clock())
    assert [c.name for c in lease.owner.containers if c.pid] == ["mydb"]
