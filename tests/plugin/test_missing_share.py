"""A share that its server does not have: made for a new volume, and never in place of one that was there."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from azurefile.driver import Driver
from azurefile.errors import ShareError, ShareMissing
from azurefile.sharedstore import SharedStore
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in
from tests.plugin.shared import MemoryFolder, OnShare, World

pytestmark = pytest.mark.root

GONE = (
    r'^volume "dbs": share "dbs" of account "acc", which volume "dbs" had mounted, is gone; restore it \(Azure: .*\), '
    "or remove the volume and create it again with create=true to begin with an empty one; once that is over, "
)


class MissingFolder(MemoryFolder):
    """A share's files, where the share may not be there."""

    there = False

    def ask(self) -> None:
        if not self.there:
            raise ShareMissing('share "dbs" does not exist; make it')


class Server(OnShare):
    """A server that may have the one share; its data is a folder of the host."""

    def __init__(self, root: Path) -> None:
        self.folder = MissingFolder(World())
        super().__init__(root, SharedStore(self.folder, "dbs", "acc"))
        self.made = 0

    def create(self, volume: Volume) -> None:
        self.folder.there = True
        self.made += 1

    def delete(self) -> None:
        """Lose the share, and what it has of the fence."""
        self.folder.there = False
        self.folder.files.clear()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path / "root")


def plugin(folder: Path, server: Server) -> Driver:
    """One life of the plugin."""
    made = driver_in(folder)
    made._protocols["local"] = server
    return made


async def use(driver: Driver, mount_id: str) -> None:
    await driver.mount("dbs", mount_id)
    await driver.unmount("dbs", mount_id)


def record(folder: Path) -> tuple[Path, Any]:
    path = folder / "root/azurefile/volumes/dbs.json"
    return path, json.loads(path.read_text())


@pytest.mark.parametrize("create", ["true", "false"])
def test_a_share_that_was_mounted_is_never_made_anew(tmp_path: Path, server: Server, create: str) -> None:
    """A database on a share that was deleted by mistake would begin with an empty one."""
    first = plugin(tmp_path, server)
    server.folder.there = create == "false"

    async def mounted_once() -> None:
        await first.create("dbs", {"share": "dbs", "create": create, "exclusive": "true"})
        await use(first, "a")

    async def gone(driver: Driver) -> None:
        with pytest.raises(ShareError, match=GONE):
            await driver.mount("dbs", "b")

    (tmp_path / "root/shares/dbs").mkdir(parents=True)
    asyncio.run(mounted_once())
    made = server.made
    server.delete()
    asyncio.run(gone(first))
    later = plugin(tmp_path, server)
    asyncio.run(gone(later))
    assert server.made == made
    server.folder.there = True
    asyncio.run(use(later, "c"))


def test_what_an_older_version_mounted_and_still_runs_counts_as_seen(tmp_path: Path, server: Server) -> None:
    first = plugin(tmp_path, server)

    async def mounted() -> None:
        await first.create("dbs", {"share": "dbs", "create": "true"})
        await first.mount("dbs", "a")

    asyncio.run(mounted())
    path, kept = record(tmp_path)
    path.write_text(json.dumps({k: v for k, v in kept.items() if k not in ("seen", "account")}))
    later = plugin(tmp_path, server)
    later.restore()
    assert record(tmp_path)[1]["seen"] is True
    asyncio.run(later.unmount("dbs", "a"))


def test_a_volume_that_is_created_again_begins_with_an_empty_share(tmp_path: Path, server: Server) -> None:
    driver = plugin(tmp_path, server)

    async def calls() -> None:
        for _ in range(2):
            await driver.create("dbs", {"share": "dbs", "create": "true"})
            await use(driver, "a")
            server.delete()
            await driver.remove("dbs")

    asyncio.run(calls())
    assert server.made == 2


def test_a_share_that_was_made_and_could_not_be_mounted_counts_as_not_seen(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = plugin(tmp_path, server)

    def fails(*_: object) -> None:
        raise ShareError("the kernel refuses")

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "create": "true"})
        with monkeypatch.context() as patch:
            patch.setattr(server, "mount", fails)
            with pytest.raises(ShareError, match="the kernel refuses"):
                await driver.mount("dbs", "a")
        server.delete()
        await use(driver, "b")

    asyncio.run(calls())
    assert server.made == 2


def test_a_record_of_an_older_version_counts_as_not_seen_until_it_is_mounted(tmp_path: Path, server: Server) -> None:
    asyncio.run(plugin(tmp_path, server).create("dbs", {"share": "dbs", "create": "true"}))
    path, kept = record(tmp_path)
    assert kept.pop("seen") is False
    path.write_text(json.dumps(kept))
    asyncio.run(use(plugin(tmp_path, server), "a"))
    assert server.made == 1
    assert record(tmp_path)[1]["seen"] is True
