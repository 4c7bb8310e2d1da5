"""Killed without warning at any moment, the plugin comes back with everything it acknowledged."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from azurefile import mounts
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import PluginProcess, Refused, eventually

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]
Restart = Callable[[PluginProcess], object]


@pytest.fixture(params=["the plugin", "its worker"])
def restart(request: pytest.FixtureRequest) -> Restart:
    return kill_all if request.param == "the plugin" else PluginProcess.kill_worker


def kill_all(plugin: PluginProcess) -> None:
    plugin.kill()
    plugin.start()


def test_volumes_and_counts_survive_a_kill(plugin: PluginProcess, restart: Restart) -> None:
    plugin.create("logs", share="logs", uid="7")
    plugin.create("idle", share="idle")
    for mount_id in ("a", "a", "b"):
        plugin.mount("logs", mount_id)
    before = plugin.call("VolumeDriver.Get", Name="logs")
    restart(plugin)
    assert plugin.names() == ["idle", "logs"]
    assert plugin.call("VolumeDriver.Get", Name="logs") == before
    assert plugin.mounted("logs") == 1
    for mount_id in ("a", "b", "a"):
        assert plugin.mounted("logs") == 1
        plugin.unmount("logs", mount_id)
    assert plugin.mounted("logs") == 0


def test_the_fence_is_up_before_anything_is_served(
    watched: PluginProcess, engine: FakeEngine, restart: Restart
) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    eventually(lambda: watched.status("dbs")["holders"][0]["pid"])
    for number in range(5):
        restart(watched)
        with pytest.raises(Refused, match='"mydb"'):
            watched.mount("dbs", f"b{number}")
    mydb.kill()
    restart(watched)
    watched.mount("dbs", "c")
    assert watched.status("dbs")["mounts"] == 1


def test_a_holder_restored_without_a_name_is_protected_while_it_may_start(
    start_patient: StartPlugin, engine: FakeEngine, restart: Restart
) -> None:
    """Killed between the Mount and the container's start."""
    patient = start_patient(_STARTING_SECONDS=60)
    patient.create("dbs", share="dbs", exclusive="true")
    patient.mount("dbs", "a")
    restart(patient)
    with ThreadPoolExecutor(1) as pool:
        # it waits: the container may have died with the engine, and its next start is mounted once
        other = pool.submit(patient.mount, "dbs", "b")
        with pytest.raises(TimeoutError):
            other.result(2)
        engine.run("mydb", "dbs")
        with pytest.raises(Refused, match='"mydb"'):
            other.result(30)


def make_older(plugin: PluginProcess, volume: str) -> None:
    """Kill the plugin and let its grant have happened a minute ago."""
    plugin.kill()
    path = plugin.root / f"fence/{volume}/azurefile.{volume}.json"
    record = json.loads(path.read_text())
    record["since"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(record))


def test_a_holder_that_never_started_is_looked_up_in_the_engine(start_patient: StartPlugin) -> None:
    patient = start_patient()
    patient.create("dbs", share="dbs", exclusive="true")
    patient.mount("dbs", "a")
    make_older(patient, "dbs")
    patient.start()
    patient.mount("dbs", "b")
    assert patient.status("dbs")["mounts"] == 1


def test_a_holder_missed_while_the_plugin_was_down_is_found(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    make_older(watched, "dbs")
    engine.run("mydb", "dbs")
    watched.start()
    with pytest.raises(Refused):
        watched.mount("dbs", "b")
    eventually(lambda: watched.status("dbs")["holders"][0]["pid"])


def test_without_an_engine_a_nameless_holder_keeps_its_folder(watched: PluginProcess, engine: FakeEngine) -> None:
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    make_older(watched, "dbs")
    engine.silent = True
    watched.start()
    started = time.monotonic()
    with pytest.raises(Refused):
        watched.mount("dbs", "b")
    assert time.monotonic() - started < 5
    engine.silent = False


def test_what_an_engine_that_says_nothing_was_refused_is_started_once_it_answers(
    watched: PluginProcess, engine: FakeEngine
) -> None:
    """As one that was killed in a copy, and starts its containers before it serves anybody."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    make_older(watched, "dbs")
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    mydb.kill()
    engine.silent = True
    watched.start()
    with pytest.raises(Refused, match="the engine does not say whether it still runs") as refused:
        watched.mount("dbs", "b")
    mydb.error = f"error while mounting volume '': VolumeDriver.Mount: {refused.value}"
    engine.silent = False

    def started() -> None:
        assert engine.started == ["mydb"]

    eventually(started)


def test_a_reboot_clears_every_holder(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", exclusive="true")
    plugin.mount("dbs", "a")
    plugin.kill()
    mounts.detach(plugin.mounts / "dbs")
    for path in (
        plugin.root / "fence/dbs/azurefile.dbs.json",
        plugin.root / "azurefile/mounts/dbs.json",
    ):
        data = json.loads(path.read_text())
        path.write_text(json.dumps(data | {"boot": "another-boot"}))
    plugin.start()
    assert "holders" not in plugin.status("dbs")
    plugin.mount("dbs", "b")
    assert plugin.status("dbs")["mounts"] == 1


def test_files_torn_by_a_power_cut_stop_nothing(plugin: PluginProcess) -> None:
    for name in ("dbs", "torn"):
        plugin.create(name, share="dbs", exclusive="true")
    plugin.mount("dbs", "a")
    plugin.kill()
    mounts.detach(plugin.mounts / "dbs")
    (plugin.root / "fence/dbs/azurefile.dbs.json").write_text("")
    (plugin.root / "azurefile/mounts/dbs.json").write_text("")
    torn = plugin.root / "azurefile/volumes/torn.json"
    torn.write_text('{"name": "to')
    plugin.start()
    assert plugin.names() == ["dbs"]
    assert torn.exists(), "a file that could not be read was thrown away"
    plugin.mount("dbs", "b")
    assert plugin.status("dbs")["mounts"] == 1


def test_a_mount_that_nobody_was_told_of_is_undone(plugin: PluginProcess) -> None:
    """Killed after the mount and before the count."""
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a")
    plugin.kill()
    (plugin.root / "azurefile/mounts/logs.json").unlink()
    plugin.start()
    assert plugin.mounted("logs") == 0
    assert (plugin.root / "shares/logs").is_dir()
    plugin.remove("logs")


def test_a_lost_mount_is_made_again(plugin: PluginProcess) -> None:
    """Whoever disabled the plugin by force took its mounts away."""
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a")
    plugin.kill()
    mounts.detach(plugin.mounts / "logs")
    plugin.start()
    plugin.mount("logs", "a")
    assert plugin.mounted("logs") == 1


def test_killed_during_calls_nothing_acknowledged_is_lost(plugin: PluginProcess, restart: Restart) -> None:
    generator = random.Random(7)
    counts: list[int] = []
    refused: list[Refused] = []
    for life in range(6):
        created: dict[str, int] = {}
        over = threading.Event()

        def work(
            worker: int, life: int = life, created: dict[str, int] = created, over: threading.Event = over
        ) -> None:
            for number in range(1000):
                if over.is_set():
                    return
                name = f"v{life}-{worker}-{number}"
                try:
                    plugin.create(name, share="dbs", folder=name)
                    created[name] = 0
                    plugin.mount(name, "a")
                    created[name] = 1
                    if number % 2:
                        created[name] = -1
                        plugin.unmount(name, "a")
                        created[name] = 0
                except (OSError, ValueError, http.client.HTTPException):
                    return
                except Refused as error:
                    refused.append(error)
                    return

        workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for worker in workers:
            worker.start()
        if life == 0:
            # A busy machine takes longer to mount than what follows.
            eventually(partial(_assert_mounted, created), 30)
        time.sleep(generator.uniform(0.05, 0.4))
        restart(plugin)
        over.set()
        for worker in workers:
            worker.join()
        counts += created.values()
        names = set(plugin.names())
        assert created.keys() <= names
        for name, count in created.items():
            held = plugin.status(name).get("mounts", 0)
            assert plugin.mounted(name) == (1 if held else 0)
            if count == 1:
                assert held == 1
        for name in names:
            if plugin.status(name).get("mounts"):
                plugin.unmount(name, "a")
            assert plugin.mounted(name) == 0
            plugin.remove(name)
    assert refused == []
    assert 1 in counts, "nothing was mounted when the plugin was killed"
    leftovers = list(plugin.root.rglob("*.tmp"))
    assert len(leftovers) <= 6 * 4


def _assert_mounted(created: dict[str, int]) -> None:
    assert 1 in list(created.values())


def test_a_local_hold_outlives_a_file_of_mount_ids_that_cant_be_read(plugin: PluginProcess) -> None:
    for name in ("dbs", "other"):
        plugin.create(name, share="dbs", exclusive="true")
    plugin.mount("dbs", "a")
    plugin.kill()
    (plugin.root / "azurefile/mounts/dbs.json").write_text("")
    plugin.start()
    with pytest.raises(Refused):
        plugin.mount("other", "b")
    plugin.unmount("dbs", "a")
    plugin.mount("other", "b")


@pytest.mark.parametrize("kills", [1, 2])
def test_of_several_that_were_not_counted_each_holds_its_share(
    watched: PluginProcess, engine: FakeEngine, kills: int
) -> None:
    """A file of mount IDs that can't be read, as of a newer version: the first Unmount is not the last."""
    watched.create("logs", share="logs")
    watched.create("all", share="logs", exclusive="true")
    containers = []
    for number in ("a", "b"):
        watched.mount("logs", number)
        containers.append(engine.run(number, "logs"))
        eventually(lambda: _assert_running(watched, "logs", len(containers)))
    watched.kill()
    (watched.root / "azurefile/mounts/logs.json").write_text("{}")
    watched.start()
    # One that is counted again.
    watched.mount("logs", "c")
    watched.unmount("logs", "c")
    if kills == 2:
        kill_all(watched)
    containers[0].kill()
    watched.unmount("logs", "a")
    assert watched.mounted("logs") == 1
    with pytest.raises(Refused, match='held by container "b"'):
        watched.mount("all", "d")
    containers[1].kill()
    watched.unmount("logs", "b")
    assert watched.mounted("logs") == 0
    watched.mount("all", "d")


def _assert_running(plugin: PluginProcess, volume: str, count: int) -> None:
    record = json.loads((plugin.root / f"fence/{volume}/azurefile.{volume}.json").read_text())
    assert sum(1 for container in record["containers"] if container["pid"]) == count


def test_what_a_killed_write_left_is_not_a_volume(plugin: PluginProcess) -> None:
    plugin.kill()
    (plugin.root / "azurefile/volumes/.x.json.tmp").write_text("{")
    plugin.start()
    assert plugin.names() == []


def test_stray_mount_points_are_cleared(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    target: Path = plugin.mount("logs", "a")
    (target / "data").write_text("kept")
    plugin.kill()
    (plugin.root / "azurefile/volumes/logs.json").unlink()
    plugin.start()
    assert not target.exists()
    assert (plugin.root / "shares/logs/data").read_text() == "kept"
