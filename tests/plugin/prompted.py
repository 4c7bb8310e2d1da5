"""A driver on whose mounts a test's own things happen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from azurefile.driver import Driver
from azurefile.protocols.local import Local
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in


class Prompted(Local):
    """Folders of the host, and something that happens once one is mounted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.then: Callable[[], None] = lambda: None

    def mount(self, volume: Volume, target: Path) -> None:
        super().mount(volume, target)
        self.then()


def prompted(folder: Path) -> Driver:
    """One whose volumes are in `folder`."""
    made = driver_in(folder)
    made._protocols["local"] = Prompted(folder / "root")
    return made


def share(driver: Driver) -> Prompted:
    found = driver._protocols["local"]
    assert isinstance(found, Prompted)
    return found


async def make(driver: Driver, name: str) -> None:
    await driver.create(name, {"share": "dbs", "exclusive": "true"})
