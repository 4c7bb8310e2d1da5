"""One writing container a folder, whoever asks."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azurefile import liveness
from azurefile.owner import overlap
from tests.plugin.fake_engine import FakeEngine
from tests.plugin.harness import PluginProcess, Refused, Standstill, eventually, holder_is

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


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


@settings(deadline=None)
@given(st.lists(st.sampled_from("ab"), max_size=4), st.lists(st.sampled_from("ab"), max_size=4))
def test_overlap_is_containment(one: list[str], other: list[str]) -> None:
    contains = one == other[: len(one)] or other == one[: len(other)]
    assert overlap("/".join(one), "/".join(other)) is contains


def test_a_second_container_is_refused_at_once(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", exclusive="true")
    plugin.mount("dbs", "first")
    slowest = 0.0
    for number in range(100):
        with Standstill() as stood:
            started = time.monotonic()
            with pytest.raises(Refused, match='share "dbs" is exclusive and is held by'):
                plugin.mount("dbs", f"other{number}")
            seconds = time.monotonic() - started
        slowest = max(slowest, seconds - stood.seconds)
    assert slowest < 2
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

    def written() -> None:
        """What memory knows is on the disk a moment later."""
        record = json.loads((one.root / "fence/dbs/one.dbs.json").read_text())
        assert [container["pid"] for container in record["containers"]] == [mydb.process.pid]

    eventually(written)
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
    holder = {
        "id": mydb.id,
        "name": "mydb",
        "database": "orders",
        "stack": "dev",
        "pid": mydb.process.pid,
        "ticks": liveness.start_ticks(mydb.process.pid),
    }

    def written() -> None:
        """What memory knows is on the disk a moment later."""
        assert json.loads(path.read_text())["containers"] == [holder]

    eventually(written)
    record = json.loads(path.read_text())
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
    path.write_text(path.read_text().replace('"folder"', '"news"'))
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


def test_a_plugin_knows_what_it_holds_although_the_record_was_deleted(
    watched: PluginProcess, engine: FakeEngine
) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.create("other", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    engine.run("mydb", "dbs")
    holder_is(watched, "dbs", "mydb")
    (watched.root / "fence/dbs/azurefile.dbs.json").unlink()
    with pytest.raises(Refused, match='share "dbs" is exclusive and is held by container "mydb"'):
        watched.mount("other", "b")
