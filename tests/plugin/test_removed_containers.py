"""Containers that were removed, and of whose mount nobody ever told that it ended."""

from collections.abc import Callable

import pytest

from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import PluginProcess, Refused, eventually

pytestmark = pytest.mark.root


@pytest.mark.parametrize("away", [True, False])
def test_a_container_that_was_removed_while_the_plugin_was_away_holds_nothing(
    start_patient: Callable[..., PluginProcess], engine: FakeEngine, away: bool
) -> None:
    """It never ran, or something was copied into it, so it is known by no process; its Unmount found no plugin."""
    plugin = start_patient(_STARTING_SECONDS=0.5)
    plugin.create("dbs", share="dbs", exclusive="true")
    plugin.mount("dbs", "a")
    mydb = FakeContainer("mydb", "dbs")
    mydb.kill()
    engine.containers.append(mydb)
    engine.tell("volume", "mount", "dbs", container=mydb.id)
    eventually(lambda: _holds(plugin, "mydb"))
    plugin.kill()
    engine.drop()
    if away:
        engine.containers.remove(mydb)
    plugin.start()
    engine.wait_for_listener()
    if not away:
        # the engine may still be copying into it
        with pytest.raises(Refused, match='held by container "mydb"'):
            plugin.mount("dbs", "b")
        engine.containers.remove(mydb)
        engine.tell("container", "destroy", mydb.id)
    eventually(lambda: _holds(plugin))
    plugin.mount("dbs", "b")
    assert plugin.status("dbs")["mounts"] == 1


def test_of_a_holder_whose_process_is_known_the_kernel_tells(watched: PluginProcess, engine: FakeEngine) -> None:
    """An engine may take one for gone whose process lives, and what is dead makes way at once, removed or not."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount("dbs", "a")
    mydb = engine.run("mydb", "dbs")
    eventually(lambda: _runs(watched))
    engine.containers.remove(mydb)
    engine.tell("container", "destroy", mydb.id)
    # events come in their order: once the name is known, so is what was told before
    engine.tell("container", "rename", mydb.id, name="removed", oldName="/mydb")
    eventually(lambda: _holds(watched, "removed"))
    with pytest.raises(Refused, match='held by container "removed"'):
        watched.mount("dbs", "b")
    mydb.kill()
    watched.mount("dbs", "b")


def _runs(plugin: PluginProcess) -> None:
    assert [bool(holder.get("pid")) for holder in plugin.status("dbs")["holders"]] == [True]


def _holds(plugin: PluginProcess, *names: str) -> None:
    assert [holder["name"] for holder in plugin.status("dbs")["holders"]] == [*names]
