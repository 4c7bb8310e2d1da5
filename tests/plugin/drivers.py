"""The plugin's driver in the test's own process."""

from pathlib import Path

from azurefile.driver import Driver
from azurefile.settings import Settings


def driver_in(folder: Path, *, host: str = "host", takeover: float = 60, defaults: str = "protocol=local") -> Driver:
    """The plugin's driver in this process, on folders below `folder`; its engine would be at engine.sock there."""
    settings = Settings(
        root=folder / "root",
        mounts=folder / "mounts",
        engine=str(folder / "engine.sock"),
        state="azurefile",
        host=host,
        takeover=takeover,
        defaults=defaults,
    )
    made = Driver(settings)
    (folder / "root/shares").mkdir(exist_ok=True)
    return made
