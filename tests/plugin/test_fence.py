"""One writing container a folder, whoever asks."""

import json
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azurefile import liveness
from azurefile.fence import overlap
from tests.plugin.harness import FakeEngine, PluginProcess, Refused, eventually

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


def holder_is(plugin: PluginProcess, volume: str, name: str) -> None:
    def check() -> None:
        assert [h["name"] for h in plugin.status(volume)["holders"]] == [name]
        assert plugin.status(volume)["holders"][0]["pid"]

    eventually(check)


@pytest.mark.parametrize(
    ("one", "other", "overlapping"),
    [
        ("", "", True),
        ("", "a", True),
        ("a", "a/b", True),
        ("a/b/c", "a", True),
        ("a", "ab", False),
        ("a/b", "a/c", False),
        ("a/bc", "a/b", False),
    ],
)
def test_folders_overlap_if_one_contains_the_other(one: str, other: str, overlapping: bool) -> None:
    assert overlap(one, other) is overlapping
    assert overlap(other, one) is overlapping


@given(st.lists(st.sampled_from("ab"), max_size=4), st.lists(st.sampled_from("ab"), max_size=4))
def test_overlap_is_containment(one: list[str], other: list[str]) -> None:
    contains = one == other[: len(one)] or other == one[: len(other)]
    assert overlap("/".join(one), "/".join(other)) is contains


def test_a_second_container_is_refused_at_once(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", exclusive="true")
    plugin.mount("dbs", "first")
    started = time.monotonic()
    for number in range(100):
        with pytest.raises(Refused, match='share "dbs" is exclusive and is held by'):
            plugin.mount("dbs", f"other{number}")
    assert (time.monotonic() - started) / 100 < 0.05
    assert plugin.status("dbs")["mounts"] == 1
    plugin.unmount("dbs", "first")
    plugin.mount("dbs", "other")


def test_the_holders_own_id_is_never_refused(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", exclusive="true")
    for _ in range(3):
        plugin.mount("dbs", "first")
    plugin.unmount("dbs", "first")
    with pytest.raises(Refused):
        plugin.mount("dbs", "other")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"exclusive": "true"}, {"exclusive": "true"}),
        ({"exclusive": "true"}, {}),
        ({}, {"exclusive": "true"}),
        ({"exclusive": "true"}, {"folder": "a"}),
        ({"exclusive": "true", "folder": "a"}, {}),
        ({"folder": "a/b"}, {"folder": "a", "exclusive": "true"}),
        ({"exclusive": "true", "folder": "a/b/c"}, {"folder": "a"}),
    ],
)
def test_overlapping_volumes_exclude_each_other(
    plugin: PluginProcess, first: dict[str, str], second: dict[str, str]
) -> None:
    plugin.create("one", share="dbs", **first)
    plugin.create("two", share="dbs", **second)
    plugin.mount("one", "a")
    with pytest.raises(Refused, match='volume "one"'):
        plugin.mount("two", "b")
    assert plugin.mounted("two") == 0
    plugin.unmount("one", "a")
    plugin.mount("two", "b")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"share": "dbs"}, {"share": "dbs"}),
        ({"share": "dbs", "folder": "a"}, {"share": "dbs"}),
        ({"share": "dbs", "folder": "a", "exclusive": "true"}, {"share": "dbs", "folder": "ab"}),
        ({"share": "dbs", "exclusive": "true"}, {"share": "logs", "exclusive": "true"}),
    ],
)
def test_others_do_not(plugin: PluginProcess, first: dict[str, str], second: dict[str, str]) -> None:
    plugin.create("one", **first)
    plugin.create("two", **second)
    plugin.mount("one", "a")
    plugin.mount("two", "b")
    assert plugin.mounted("one") == plugin.mounted("two") == 1


def test_of_a_hundred_at_once_exactly_one_gets_the_folder(plugin: PluginProcess) -> None:
    volumes = [f"v{number}" for number in range(10)]
    for volume in volumes:
        plugin.create(volume, share="dbs", exclusive="true")

    def attempt(number: int) -> bool:
        try:
            plugin.mount(volumes[number % 10], f"id{number}")
        except Refused as refused:
            return "is held by" not in str(refused)
        return True

    with ThreadPoolExecutor(50) as pool:
        granted = list(pool.map(attempt, range(100)))
    assert sum(granted) == 1
    assert sum(plugin.mounted(volume) for volume in volumes) == 1


def test_two_plugins_on_one_root_exclude_each_other(start_plugin: StartPlugin) -> None:
    one = start_plugin("one")
    two = start_plugin("two", root=one.root)
    one.create("dbs", share="dbs", exclusive="true")
    two.create("dbs", share="dbs")
    one.mount("dbs", "a")
    for _ in range(100):
        with pytest.raises(Refused, match="is held by"):
            two.mount("dbs", "b")
    one.unmount("dbs", "a")
    two.mount("dbs", "b")
    with pytest.raises(Refused, match="would become exclusive"):
        one.mount("dbs", "a")


def test_two_plugins_in_a_race_never_both_get_the_folder(start_plugin: StartPlugin) -> None:
    plugins = [start_plugin("one")]
    plugins.append(start_plugin("two", root=plugins[0].root))
    for plugin in plugins:
        plugin.create("dbs", share="dbs", exclusive="true")

    def attempt(plugin: PluginProcess) -> bool:
        try:
            plugin.mount("dbs", "a")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        for _ in range(50):
            granted = list(pool.map(attempt, plugins))
            assert sum(granted) == 1
            plugins[granted.index(True)].unmount("dbs", "a")


def test_a_killed_plugins_container_stays_protected_from_another_plugin(
    start_plugin: StartPlugin, engine: FakeEngine
) -> None:
    one = start_plugin("one", engine=engine.path)
    engine.wait_for_listener()
    two = start_plugin("two", root=one.root)
    for plugin in (one, two):
        plugin.create("dbs", share="dbs", exclusive="true")
    one.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    holder_is(one, "dbs", "mydb")
    one.kill()
    with pytest.raises(Refused, match='"mydb"'):
        two.mount("dbs", "b")
    mydb.kill()
    two.mount("dbs", "b")
    one.start()
    with pytest.raises(Refused, match="is held by"):
        one.mount("dbs", "a")


def test_a_refusal_names_the_holder_and_what_to_do(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.create("dbs2", share="dbs")
    watched.mount("dbs", "a")
    engine.run("mydb", "dbs", database="orders", stack="dev")
    holder_is(watched, "dbs", "mydb")
    with pytest.raises(Refused) as caught:
        watched.mount("dbs2", "b")
    message = str(caught.value)
    assert 'volume "dbs2": share "dbs" is exclusive and is held by container "mydb"' in message
    assert 'database orders, stack dev, volume "dbs", host ' in message
    assert f"since {time.strftime('%Y-')}" in message
    assert "docker stop mydb" in message


def test_the_owner_record_is_complete_and_readable(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", folder="a", exclusive="true")
    watched.mount("dbs", "id")
    mydb = engine.run("mydb", "dbs", database="orders", stack="dev")
    holder_is(watched, "dbs", "mydb")
    path = watched.root / "fence/dbs/azurefile.dbs.json"
    record = json.loads(path.read_text())
    assert record["containers"] == [
        {
            "id": mydb.id,
            "name": "mydb",
            "database": "orders",
            "stack": "dev",
            "pid": mydb.process.pid,
            "ticks": liveness.start_ticks(mydb.process.pid),
        }
    ]
    assert (record["share"], record["folder"], record["exclusive"]) == ("dbs", "a", True)
    assert record["boot"] == liveness.boot_id()
    assert record["plugin_pid"] == watched.pid
    assert record["since"].endswith("Z")
    assert record["renewed"] >= record["since"]
    assert record["released"] is None
    watched.unmount("dbs", "id")
    assert json.loads(path.read_text())["released"].endswith("Z")
    watched.remove("dbs")
    assert not path.exists()


def test_a_record_of_another_version_is_in_the_way_while_its_plugin_runs(
    start_plugin: StartPlugin,
) -> None:
    one = start_plugin("one")
    two = start_plugin("two", root=one.root)
    for plugin in (one, two):
        plugin.create("dbs", share="dbs", exclusive="true")
    one.mount("dbs", "a")
    path = one.root / "fence/dbs/one.dbs.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "news": 1}))
    with pytest.raises(Refused, match=r"one\.dbs\.json of a plugin that runs can't be read"):
        two.mount("dbs", "b")


def test_another_plugins_record_of_an_earlier_boot_holds_nothing(start_plugin: StartPlugin) -> None:
    one = start_plugin("one")
    two = start_plugin("two", root=one.root)
    for plugin in (one, two):
        plugin.create("dbs", share="dbs", exclusive="true")
    one.mount("dbs", "a")
    one.kill()
    with pytest.raises(Refused):
        two.mount("dbs", "b")
    path = one.root / "fence/dbs/one.dbs.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "boot": "another"}))
    two.mount("dbs", "b")


def test_a_mount_that_fails_holds_nothing(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", folder="missing", exclusive="true", create="false")
    plugin.create("all", share="dbs", exclusive="true")
    with pytest.raises(Refused, match="does not exist"):
        plugin.mount("dbs", "a")
    plugin.mount("all", "b")


def test_a_passing_mount_is_waited_for(watched: PluginProcess) -> None:
    """Copy-up holds a folder for a moment, without a container."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "copy-up")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watched.mount, "dbs", "container")
        time.sleep(0.2)
        watched.unmount("dbs", "copy-up")
        waiting.result()


def test_a_holder_without_a_name_is_refused_within_two_seconds(watched: PluginProcess) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    started = time.monotonic()
    with pytest.raises(Refused, match="a container that the engine has not named yet"):
        watched.mount("dbs", "b")
    assert time.monotonic() - started < 1.5


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


def test_an_engine_that_hangs_delays_nobody(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    engine.silent = True
    watched.mount("dbs", "a")
    container = engine.run("mydb", "dbs")
    started = time.monotonic()
    with pytest.raises(Refused):
        watched.mount("dbs", "b")
    assert time.monotonic() - started < 2
    engine.silent = False
    eventually(lambda: _assert_pids(watched, "dbs", 1), 10)
    container.kill()
    watched.mount("dbs", "b")


def test_a_reused_pid_is_not_the_holder() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        ticks = liveness.start_ticks(process.pid)
        assert ticks is not None
        assert liveness.process_alive(process.pid, ticks)
        assert not liveness.process_alive(process.pid, ticks - 1)
        process.kill()
        # Not waited for yet: a zombie writes nothing.
        eventually(lambda: _assert_dead(process.pid, ticks))
    assert not liveness.process_alive(process.pid, ticks)


def _assert_dead(pid: int, ticks: int) -> None:
    assert not liveness.process_alive(pid, ticks)
