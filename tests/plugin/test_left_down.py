"""Which of the containers that the engine left down are started, and when."""

import asyncio
import math
from typing import Any

import pytest

from azurefile import engine as engine_module
from azurefile import liveness, starter
from tests.plugin.fake_engine import PLUGIN, FakeContainer
from tests.plugin.outage import Outage

pytestmark = pytest.mark.root

AWAY = (
    'error while mounting volume \'\': get {0}: error while checking if volume "{0}" exists in driver "{1}": '
    "error looking up volume plugin {1}: "
)
TIMED_OUT = """error while mounting volume '': Post "http://plugin.moby.localhost/VolumeDriver.Mount": EOF"""


async def left_down(outage: Outage, error: str, **others: str) -> FakeContainer:
    """A container of an earlier life of the plugin, whose share is well."""
    outage.world.share_down = False
    await outage.create(outage.plugin())
    mydb = outage.container("mydb")
    mydb.others = others
    mydb.kill()
    mydb.error = error
    return mydb


@pytest.mark.parametrize(
    "said",
    [
        AWAY + "plugin {1} found but disabled",
        AWAY + 'plugin "{1}" not found',
        AWAY + 'Post "http://%2Frun%2Fazurefile.sock/VolumeDriver.Get": dial unix /run/azurefile.sock: no such file',
    ],
)
def test_what_ended_while_the_plugin_was_away_is_started(outage: Outage, said: str) -> None:
    async def calls() -> None:
        await left_down(outage, said.format("dbs", PLUGIN))
        outage.engine.plugin_enabled = False
        running = asyncio.create_task(outage.plugin().run())
        await asyncio.sleep(0.5)
        assert outage.engine.started == []
        outage.engine.plugin_enabled = True
        await outage.until_started("mydb")
        running.cancel()

    asyncio.run(calls())


def test_what_ended_before_the_engine_called_it_enabled_is_started(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "_ENABLED_SECONDS", 0.5)

    async def calls() -> None:
        mydb = await left_down(outage, "")
        running = asyncio.create_task(outage.plugin().run())
        await asyncio.sleep(0.3)
        mydb.error = AWAY.format("dbs", PLUGIN) + f"plugin {PLUGIN} found but disabled"
        await outage.until_started("mydb")
        running.cancel()

    asyncio.run(calls())


def test_what_ended_while_the_plugin_was_frozen_is_started(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine gave its Get up, so that there was no Mount to be missed; it may note the error later still."""
    monkeypatch.setattr(starter, "_ENABLED_SECONDS", 0.5)
    real, frozen = liveness.clock, 0.0
    monkeypatch.setattr(liveness, "clock", lambda: real() + frozen)
    over, wait = asyncio.Event(), starter.Starter._frozen

    async def waits(self: starter.Starter, seconds: float) -> bool:
        if seconds == math.inf:
            # by then it has seen what time it is
            asyncio.get_running_loop().call_soon(over.set)
        return await wait(self, seconds)

    monkeypatch.setattr(starter.Starter, "_frozen", waits)

    async def calls() -> None:
        nonlocal frozen
        mydb = await left_down(outage, "")
        running = asyncio.create_task(outage.plugin().run())
        for noted in (0.0, 0.3):
            # both looks of the plugin's start, or of its last thaw, are over
            await over.wait()
            over.clear()
            frozen += 120
            await asyncio.sleep(noted)
            mydb.error = AWAY.format("dbs", PLUGIN) + "context deadline exceeded"
            await outage.until_started("mydb")
            outage.engine.started.clear()
            mydb.kill()
        running.cancel()

    asyncio.run(calls())


def test_what_can_not_be_looked_for_once_is_looked_for_again(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a host that has no thread left after a swap storm."""
    look, failures = starter.Starter._look, [RuntimeError("can't start new thread")]

    async def fails_once(self: starter.Starter) -> None:
        if failures:
            raise failures.pop()
        await look(self)

    monkeypatch.setattr(starter.Starter, "_look", fails_once)

    async def calls() -> None:
        await left_down(outage, AWAY.format("dbs", PLUGIN) + "context deadline exceeded")
        plugin = outage.plugin()
        running = asyncio.create_task(plugin.run())
        await outage.until_started("mydb")
        running.cancel()

    asyncio.run(calls())


@pytest.mark.parametrize(
    "said",
    [
        AWAY.format("dbs", "another:latest") + 'plugin "another:latest" not found',
        AWAY.format("remote", "rclone:latest") + "plugin rclone:latest found but disabled",
        TIMED_OUT,
        "VolumeDriver.Mount: the remote is full",
    ],
)
def test_what_another_plugin_left_down_is_not_started(
    outage: Outage, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "_ENABLED_SECONDS", 0.2)

    async def calls() -> None:
        mydb = await left_down(outage, said, remote="rclone:latest")
        own = outage.container("own")
        own.kill()
        own.error = AWAY.format("dbs", PLUGIN) + f"plugin {PLUGIN} found but disabled"
        running = asyncio.create_task(outage.plugin().run())
        await outage.until_started("own")
        await asyncio.sleep(0.5)
        assert outage.engine.started == ["own"]
        assert not running.done()
        if said == TIMED_OUT:
            mydb.others = {"cache": "local"}
            later = asyncio.create_task(outage.plugin().run())
            await outage.until_started("mydb", "own")
            later.cancel()
        running.cancel()

    asyncio.run(calls())


def test_every_share_of_a_container_is_asked_before_it_is_started(outage: Outage) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    mydb.others = {"conf": PLUGIN}
    usable, away = plugin._starter._usable, {"dbs", "conf"}
    plugin._starter._usable = lambda volume: volume.name not in away and usable(volume)

    async def calls() -> None:
        await outage.create(plugin)
        await outage.create(plugin, "conf")
        said = await outage.mount(plugin, mydb)
        plugin._starter.missed("conf")
        outage.world.share_down = False
        for back in ("conf", "dbs"):
            await asyncio.sleep(0.4)
            assert outage.engine.started == []
            away.remove(back)
        await outage.until_started("mydb")
        away.add("conf")
        mydb.error = said
        plugin._starter.missed("dbs")
        await asyncio.sleep(0.4)
        assert outage.engine.started == ["mydb"]
        away.remove("conf")
        await outage.until_started("mydb", "mydb")

    asyncio.run(calls())


def test_of_many_that_are_down_only_the_volumes_own_are_inspected(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, mydb, other = outage.plugin(), outage.container("mydb"), outage.container("other", volume="others")
    look, looked = plugin._starter._engine.look, list[str]()

    def noted(container: str) -> dict[str, Any] | None:
        looked.append(container)
        return look(container)

    monkeypatch.setattr(plugin._starter._engine, "look", noted)

    async def calls() -> None:
        await outage.create(plugin)
        await outage.create(plugin, "others")
        other.kill()
        await outage.mount(plugin, mydb)
        outage.world.share_down = False
        await outage.until_started("mydb")

    asyncio.run(calls())
    assert set(looked) == {mydb.id}


def test_a_container_that_can_not_be_inspected_keeps_no_other_down(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_INSPECT_SECONDS", 0.2)
    plugin, mydb, locked = outage.plugin(), outage.container("mydb"), outage.container("locked")
    unrelated = outage.container("unrelated", volume="others")

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, locked)
        await outage.mount(plugin, mydb)
        unrelated.kill()
        unrelated.locked = locked.locked = True
        outage.world.share_down = False
        await outage.until_started("mydb")
        await asyncio.sleep(0.5)
        assert outage.engine.started == ["mydb"]
        locked.locked = False
        await outage.until_started("mydb", "locked")
        await outage.until_left_alone(plugin)

    asyncio.run(calls())
