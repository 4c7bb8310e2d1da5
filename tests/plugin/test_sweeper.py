"""The look at everything every now and then, and what it says of what fails."""

import asyncio
import errno
import logging
import threading
from pathlib import Path

import pytest

from azurefile import sweeper
from azurefile.errors import ShareError
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in

pytestmark = pytest.mark.root


def test_a_sweep_that_fails_is_told_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A credentials file that is removed while its volumes are mounted may be away for days."""
    driver = driver_in(tmp_path)
    problem = ""

    def sweep(volume: Volume) -> None:
        if problem and volume.name == "dbs":
            raise ShareError(problem)

    def told() -> list[tuple[str, str]]:
        found = [(r.message, str(vars(r).get("error", ""))) for r in caplog.records if vars(r).get("volume") == "dbs"]
        caplog.clear()
        return found

    async def rounds(words: str) -> list[tuple[str, str]]:
        nonlocal problem
        problem = words
        for _ in range(3):
            await driver._sweeper.round()
        return told()

    async def calls() -> None:
        monkeypatch.setattr(driver._mounter, "sweep", sweep)
        for name in ("dbs", "other"):
            await driver.create(name, {"share": name})
            await driver.mount(name, "a")
        told()
        caplog.set_level(logging.INFO)
        assert await rounds("") == []
        assert await rounds("no file") == [("sweep failed", "no file")]
        assert await rounds("no key") == [("sweep failed", "no key")]
        assert await rounds("") == [("sweep works again", "")]
        assert await rounds("no file") == [("sweep failed", "no file")]
        await driver.unmount("dbs", "a")
        await driver._sweeper.round()
        await driver.mount("dbs", "b")
        told()
        assert await rounds("no file") == [("sweep failed", "no file")]
        for name, mount_id in (("dbs", "b"), ("other", "a")):
            await driver.unmount(name, mount_id)

    asyncio.run(calls())


def test_a_local_lease_that_cant_be_renewed_is_told_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk may be read-only for days."""
    driver = driver_in(tmp_path)

    def fails(_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs"})
        await driver.mount("dbs", "a")
        caplog.set_level(logging.INFO)
        for _ in range(2):
            with monkeypatch.context() as patch:
                patch.setattr(driver._leases, "renew", fails)
                for _ in range(3):
                    await driver._sweeper.round()
            for _ in range(3):
                await driver._sweeper.round()
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    told = [r.message for r in caplog.records if "renewed" in r.message]
    assert told == ["lease not renewed", "lease renewed again"] * 2


def test_a_sweep_that_hangs_is_not_joined_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an NFS mount whose server is away: all of them would be ahead of the next Mount."""
    monkeypatch.setattr(sweeper, "_PERIOD_SECONDS", 2.0)
    driver = driver_in(tmp_path)
    answer, swept = threading.Event(), list[str]()

    def sweep(volume: Volume) -> None:
        swept.append(volume.name)
        if volume.name == "dbs":
            answer.wait(20)

    async def calls() -> None:
        monkeypatch.setattr(driver._mounter, "sweep", sweep)
        for name in ("dbs", "other"):
            await driver.create(name, {"share": name})
            await driver.mount(name, "a")
        for _ in range(3):
            await driver._sweeper.round()
        answer.set()
        for name in ("dbs", "other"):
            await driver.unmount(name, "a")
        assert sorted(swept) == ["dbs", "other", "other", "other"]
        assert driver._sweeper._sweeps == {}

    asyncio.run(calls())
