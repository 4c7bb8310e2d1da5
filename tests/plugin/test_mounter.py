"""What a Mount leaves behind when something goes wrong in the middle of it."""

import asyncio
import errno
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from azurefile import driver as driver_module
from azurefile import files, mounts
from azurefile.attachments import Attachment
from azurefile.driver import Driver
from azurefile.errors import DiskFull, ShareError, ShareSilent, StaleMount
from azurefile.held import Held
from azurefile.protocols.nfs import Nfs
from azurefile.protocols.smb import Smb
from azurefile.sharedstore import SharedStore
from tests.plugin.prompted import make, prompted
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, OnShare, World, volume

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return prompted(tmp_path)


def test_a_full_disk_leaves_no_hold_behind(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    write = files.write_json

    def full(path: Path, value: Any, *, durable: bool) -> None:
        if path.parent.name == "mounts":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, value, durable=durable)

    async def calls() -> None:
        await make(driver, "dbs")
        await make(driver, "other")
        monkeypatch.setattr(files, "write_json", full)
        with pytest.raises(DiskFull, match="is full; free some space"):
            await driver.mount("dbs", "a")
        monkeypatch.setattr(files, "write_json", write)
        assert "mounts" not in driver.get("dbs")["Status"]
        await driver.mount("other", "b")
        await driver.unmount("other", "b")

    asyncio.run(calls())
    assert driver._leases.all() == []


def test_a_hold_that_is_lost_while_its_mount_is_noted_leaves_no_id_behind(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Attachment.add

    def lose(self: Attachment, mount_id: str, now: float) -> None:
        add(self, mount_id, now)
        driver._leases.all()[0].lost = "no renewal for 30 s"

    async def calls() -> None:
        await make(driver, "dbs")
        monkeypatch.setattr(Attachment, "add", lose)
        with pytest.raises(ShareSilent, match="the hold was lost while the mount was noted"):
            driver._mounter.mount(driver._volume("dbs"), "a")
        # who stops its containers does that
        mounts.detach(driver._attachments.target("dbs"))
        assert driver.get("dbs")["Status"].get("mounts", 0) == 0

    asyncio.run(calls())


def test_a_volume_that_could_not_be_restored_has_a_store_once_it_is_asked_for(driver: Driver) -> None:
    asyncio.run(make(driver, "dbs"))
    found = driver._mounter.chosen("dbs")
    assert found is not None
    assert driver._mounter.chosen("dbs") is found
    assert driver._mounter.chosen("unknown") is None


@pytest.mark.parametrize("step", ["fchown", "fchmod"])
def test_a_folder_that_was_only_made_gets_its_owner_and_mode_by_the_next_mount(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A share may be full, or the plugin killed in between; a database could never enter what is root's."""

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "folder": "a", "for": "database"})
        with monkeypatch.context() as patch:
            patch.setattr(os, step, fails)
            with pytest.raises(ShareError, match="disk is full"):
                await driver.mount("dbs", "a")
        await driver.mount("dbs", "b")
        await driver.unmount("dbs", "b")

    asyncio.run(calls())
    for folder in (tmp_path / "root/shares/dbs", tmp_path / "root/shares/dbs/a"):
        found = folder.stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (999, 999, 0o750)


def test_a_folder_of_such_a_mode_that_is_in_use_is_left_as_it_is(driver: Driver, tmp_path: Path) -> None:
    folder = tmp_path / "root/shares/dbs"
    folder.mkdir()
    (folder / "file").touch()
    folder.chmod(0o1700)

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "for": "database"})
        await driver.mount("dbs", "a")
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o1700)


def test_what_somebody_put_below_a_mount_point_stays_and_is_in_nobodys_way(driver: Driver) -> None:
    async def calls() -> None:
        await make(driver, "dbs")
        target = Path(driver.path("dbs"))
        target.mkdir()
        (target / "kept").touch()
        (target.parent / "stray").write_text("no mount point at all")
        await driver.mount("dbs", "a")
        assert not (target / "kept").exists()
        await driver.unmount("dbs", "a")
        await driver.remove("dbs")
        assert (target / "kept").exists()

    asyncio.run(calls())
    driver.restore()


def test_a_lease_that_cant_be_renewed_keeps_no_other_volume_from_its_sweep(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []

    def fails(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        with monkeypatch.context() as patch:
            patch.setattr(driver._leases, "renew", fails)
            patch.setattr(driver._mounter, "sweep", lambda volume: swept.append(volume.name))
            await driver._sweeper.round()
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    assert swept == ["dbs"]


def test_what_is_held_stays_on_its_account_whatever_the_volume_would_mean_by_now(
    driver: Driver, tmp_path: Path, world: World
) -> None:
    """A volume without the option means the one account that there is a file for."""
    first, second = (SharedStore(MemoryFolder(world), "dbs", place) for place in ("first", "second"))
    driver._protocols["local"] = way = OnShare(tmp_path / "root", first)

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        way.store = second
        with pytest.raises(Held):
            await driver.mount("dbs", "b")
        lease = driver._leases.of("dbs")
        assert lease is not None
        assert lease.store is first
        await driver.unmount("dbs", "a")
        await driver.mount("dbs", "b")
        lease = driver._leases.of("dbs")
        assert lease is not None
        assert lease.store is second
        await driver.unmount("dbs", "b")

    asyncio.run(calls())


def test_a_mount_reads_no_record_of_a_volume_with_another_folder_that_holds_nothing(
    driver: Driver, tmp_path: Path, folder: MemoryFolder, one: Machine
) -> None:
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)

    async def calls() -> None:
        for name in ("a", "b"):
            await driver.create(name, {"share": "dbs", "folder": name, "exclusive": "true"})
        await driver.mount("a", "1")
        await driver.unmount("a", "1")
        folder.asked.clear()
        await driver.mount("b", "1")
        await driver.unmount("b", "1")

    asyncio.run(calls())
    assert {name.split(".")[2] for name in folder.asked} == {"b"}


@pytest.mark.parametrize("kind", [Nfs, Smb])
def test_a_mount_whose_server_is_elsewhere_now_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Nfs | Smb]
) -> None:
    way = Nfs() if kind is Nfs else Smb(tmp_path, TAKEOVER)
    dbs = volume("dbs", protocol=kind.__name__.lower(), server="127.0.0.1")
    if isinstance(way, Smb):
        file = tmp_path / "credentials/account"
        file.parent.mkdir()
        file.touch(0o600)
        file.write_text("key=x\n")
        way._keys["dbs"] = "x"
        way.locks(dbs, "account")
    answers = False
    monkeypatch.setattr(mounts, "answers", lambda *_: answers)
    # of what the kernel does not say, as for what is not mounted, nothing is known
    way.refresh(dbs, tmp_path)
    options = "rw,addr=127.0.0.1,clientaddr=127.0.0.9"
    monkeypatch.setattr(mounts, "read_mountinfo", lambda: [mounts.MountEntry("0:9", "/", str(tmp_path), options)])
    way.refresh(dbs, tmp_path)
    options = "rw,clientaddr=127.0.0.1,addr=127.0.0.9"
    # one that was mounted before a restart of the plugin too
    with pytest.raises(StaleMount, match="another address"):
        way.refresh(dbs, tmp_path)
    answers = True
    way.refresh(dbs, tmp_path)
    way.forget_volume(dbs)
    assert kept_of("dbs", way) == []


def test_what_uses_a_mount_that_can_not_go_on_is_started_anew(
    driver: Driver, tmp_path: Path, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its restart policy: the share itself is well."""

    def stale(*_: object) -> None:
        raise StaleMount("its key changed")

    driver._protocols["local"] = way = OnShare(tmp_path / "root", one.store)
    monkeypatch.setattr(way, "refresh", stale)
    monkeypatch.setattr(driver._keeper, "_lost", lambda _: None)
    asyncio.run(make(driver, "dbs"))
    driver._mounter.mount(driver._volume("dbs"), "a")
    driver._mounter.sweep(driver._volume("dbs"))
    lease = driver._leases.of("dbs")
    assert lease is not None
    assert (lease.lost, lease.restart) == ("its key changed", True)
    mounts.detach(Path(driver.path("dbs")))
    driver._stopped(lease)


def test_nothing_is_kept_of_a_removed_volume_and_one_of_its_name_fails_at_once(
    driver: Driver, tmp_path: Path, world: World, one: Machine
) -> None:
    """Only a share that was well a moment ago is waited for."""
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        await driver.unmount("dbs", "a")
        await driver.remove("dbs")
        assert [kept for part in (driver._mounter, driver._attachments) for kept in kept_of("dbs", part)] == []
        world.share_down = True
        await make(driver, "dbs")
        began = time.monotonic()
        with pytest.raises(ShareSilent):
            await driver.mount("dbs", "a")
        assert time.monotonic() - began < driver_module._MOUNT_SECONDS / 2

    asyncio.run(calls())


def test_an_unmount_of_what_was_never_mounted_makes_no_share_one_that_was_well(
    driver: Driver, tmp_path: Path, world: World, one: Machine
) -> None:
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    world.share_down = True

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.unmount("dbs", "a")
        assert driver._mounter.contact("dbs") is None

    asyncio.run(calls())


def kept_of(volume: str, part: object) -> list[str]:
    return [name for name, kept in vars(part).items() if isinstance(kept, dict) and volume in kept]
