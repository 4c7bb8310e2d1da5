"""How quickly a second host is refused over SMB, where nothing is emulated: the fence asks before any mount."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import mounts
from azurefile.driver import Driver
from azurefile.held import Held
from azurefile.protocols.smb import Smb
from azurefile.volumes import Volume
from tests.machines.samba import SambaServer
from tests.plugin.drivers import driver_in

pytestmark = [pytest.mark.machines, pytest.mark.root]

TAKEOVER = 60


class Bound(Smb):
    """The fence is the real one; a folder stands for the share, which this machine's kernel may not know to mount."""

    def mount(self, volume: Volume, target: Path) -> None:
        mounts.bind(str(target.parent.parent), target)


@pytest.fixture
def server() -> Iterator[SambaServer]:
    with SambaServer() as running:
        running.add_share("dbs")
        yield running


def host(folder: Path, server: SambaServer) -> Driver:
    (folder / "root/credentials").mkdir(mode=0o700, parents=True)
    credentials = folder / "root/credentials" / server.account
    credentials.touch(mode=0o600)
    credentials.write_text(f"key={server.key}\n")
    defaults = f"protocol=smb,server=127.0.0.1,port={server.port}"
    driver = driver_in(folder, host=folder.name, takeover=TAKEOVER, defaults=defaults)
    driver._protocols["smb"] = Bound(folder / "root", TAKEOVER)
    return driver


def test_100_of_100_are_refused_within_two_seconds_each(tmp_path: Path, server: SambaServer) -> None:
    one, two = (host(tmp_path / name, server) for name in ("one", "two"))

    async def calls() -> list[float]:
        for driver in (one, two):
            await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        await one.mount("dbs", "holder")
        seconds = []
        for number in range(100):
            started = time.monotonic()
            with pytest.raises(Held, match="host one, renewed"):
                await two.mount("dbs", f"id{number}")
            seconds.append(time.monotonic() - started)
        await one.unmount("dbs", "holder")
        await two.mount("dbs", "heir")
        await two.unmount("dbs", "heir")
        return seconds

    assert max(asyncio.run(calls())) < 2
