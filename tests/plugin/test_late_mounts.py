"""Mounts that take longer than the engine waits, and what a share that hangs costs others."""

import asyncio
import threading
from pathlib import Path

import pytest

from azurefile import driver as driver_module
from azurefile.driver import Driver
from azurefile.errors import ShareError
from azurefile.protocols.local import Local
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in

pytestmark = pytest.mark.root


class Hanging(Local):
    """Folders of the host whose share `slow` waits for `answer`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.answer = threading.Event()

    def mount(self, volume: Volume, target: Path) -> None:
        if volume.options.share == "slow":
            self.answer.wait(120)
        super().mount(volume, target)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "the host's disk does not answer; check the one that the plugin's root is on"),
        ({"protocol": "smb"}, 'option "protocol" is "smb": the server does not answer; check it'),
        ({"protocol": "smb", "account": "abc"}, 'option "account" is "abc": the server does not answer; check it'),
        ({"protocol": "nfs", "server": "nas"}, 'option "server" is "nas": the server does not answer; check it'),
    ],
)
def test_what_hangs_is_named_with_its_remedy(tmp_path: Path, given: dict[str, str], words: str) -> None:
    driver = driver_in(tmp_path)

    async def create() -> None:
        await driver.create("dbs", {"share": "logs"} | given)

    asyncio.run(create())
    assert str(driver._hanging("dbs")).startswith(f'share "logs": {words}')


@pytest.fixture
def driver(in_memory: Path) -> Driver:
    made = driver_in(in_memory)
    made._protocols["local"] = Hanging(in_memory / "root")
    return made


def test_a_mount_that_succeeds_too_late_is_undone(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    share = driver._protocols["local"]
    assert isinstance(share, Hanging)

    async def calls() -> None:
        await driver.create("slow", {"share": "slow", "exclusive": "true"})
        await driver.create("other", {"share": "other"})
        monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 5.0)
        slow = asyncio.create_task(driver.mount("slow", "a"))
        # it has begun, and knows how long it is waited for
        await asyncio.sleep(0.1)
        monkeypatch.undo()
        await driver.mount("other", "b")
        assert {v["Name"] for v in driver.list()} == {"slow", "other"}
        assert driver.get("slow")["Name"] == "slow"
        assert not slow.done()
        with pytest.raises(ShareError, match='volume "slow": share "slow": the host\'s disk does not answer; check'):
            await slow
        monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 1.0)
        with pytest.raises(ShareError, match="does not answer"):
            await driver.mount("slow", "again")
        monkeypatch.undo()
        share.answer.set()
        # Both that were given up end, one after the other.
        await driver.unmount("slow", "nobody")
        assert "mounts" not in driver.get("slow")["Status"]
        assert not Path(driver.path("slow")).exists()
        await driver.mount("slow", "c")
        assert driver.get("slow")["Status"]["mounts"] == 1
        await driver.unmount("slow", "c")
        await driver.unmount("other", "b")

    asyncio.run(calls())
