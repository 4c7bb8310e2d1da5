"""A share that is away, and an engine that leaves down what it could not mount."""

import asyncio
from pathlib import Path

import pytest

from azurefile.driver import Driver
from azurefile.errors import ShareError
from azurefile.held import Held
from tests.plugin.drivers import driver_in
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.shared import Machine, MemoryFolder, OnShare, World


class Outage:
    """A volume `dbs` whose share is away, and an engine that could not mount it."""

    def __init__(self, folder: Path, engine: FakeEngine, world: World, store: MemoryFolder) -> None:
        self.engine = engine
        self.world = world
        self.machine = Machine(world, store, "one")
        self._folder = folder
        self.world.share_down = True

    def plugin(self) -> Driver:
        """One of the plugin's lives."""
        made = driver_in(self._folder)
        made._protocols["local"] = OnShare(self._folder / "root", self.machine.store)
        return made

    async def create(self, plugin: Driver, name: str = "dbs") -> None:
        await plugin.create(name, {"share": "dbs", "folder": name, "exclusive": "true"})

    async def mount(self, plugin: Driver, container: FakeContainer) -> str:
        """What the engine does for a container that it starts: it notes the error, and leaves it down."""
        container.kill()
        with pytest.raises((ShareError, Held)) as refused:
            await plugin.mount(container.volume, container.name)
        path = f"error while mounting volume '/mnt/{container.volume}': VolumeDriver.Mount: "
        container.error = path + str(refused.value)
        return container.error

    def container(self, name: str, restart: str = "always", volume: str = "dbs") -> FakeContainer:
        made = FakeContainer(name, volume, restart=restart)
        self.engine.containers.append(made)
        return made

    async def until_started(self, *names: str) -> None:
        for _ in range(1500):
            if sorted(self.engine.started) == sorted(names):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(self.engine.started)

    async def until_left_alone(self, plugin: Driver) -> None:
        """Until nobody looks after a volume any more."""
        await asyncio.wait_for(asyncio.gather(*plugin._starter._tasks.values()), 30)
        assert plugin._starter._tasks == {}
