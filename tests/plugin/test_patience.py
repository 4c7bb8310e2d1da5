"""What a Mount waits for: a share that falls silent, or is being deleted, for as long as the engine waits."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from azurefile import driver as driver_module
from azurefile.driver import Driver
from azurefile.errors import ShareError, ShareMissing, ShareSilent
from azurefile.volumes import Volume
from tests.plugin.prompted import make, prompted, share
from tests.plugin.shared import Machine, OnShare, World

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return prompted(tmp_path)


@pytest.mark.usefixtures("in_memory")
@pytest.mark.parametrize("times", [1, 1000])
def test_a_share_that_falls_silent_after_the_claim_is_waited_for_but_not_for_ever(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    failures = [ShareSilent("the server restarts")] * times

    def flap() -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(driver_module, "_LOOK_SECONDS", 0.2)
    if times > 1:
        monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 2.0)

    async def calls() -> None:
        await make(driver, "dbs")
        share(driver).then = flap
        if times > 1:
            with pytest.raises(ShareError, match="the server restarts"):
                await driver.mount("dbs", "a")
        else:
            await driver.mount("dbs", "a")
            await driver.unmount("dbs", "a")

    asyncio.run(calls())


@pytest.mark.usefixtures("in_memory")
def test_an_attempt_that_is_cut_short_hides_nothing_that_was_said_before(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one may begin when the time is almost over."""
    failures, begun, over = [ShareSilent("the server restarts")], threading.Event(), threading.Event()

    def hang() -> None:
        if failures:
            raise failures.pop()
        begun.set()
        over.wait(60)

    monkeypatch.setattr(driver_module, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 5.0)

    async def calls() -> None:
        await make(driver, "dbs")
        share(driver).then = hang
        with pytest.raises(ShareError, match="the server restarts"):
            await driver.mount("dbs", "a")
        assert begun.is_set()
        over.set()
        await driver.unmount("dbs", "nobody")

    asyncio.run(calls())


def test_a_share_that_renews_a_lease_works(driver: Driver, tmp_path: Path, world: World, one: Machine) -> None:
    """Of two containers one may end in a short outage, hours after the last was mounted, and is mounted once."""
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)

    async def calls() -> None:
        await driver.create("logs", {"share": "logs"})
        await driver.mount("logs", "a")
        driver._mounter._contact["logs"] -= 3600
        lease = driver._leases.of("logs")
        assert lease is not None
        driver._leases.renew(lease)
        seen = driver._mounter.contact("logs")
        assert seen is not None
        assert time.monotonic() - seen < 10
        await driver.unmount("logs", "a")

    asyncio.run(calls())


def test_a_share_that_is_being_deleted_is_waited_for_at_the_first_mount(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, left, made = driver._mounter._fence.claim, [ShareSilent("it is being deleted")] * 3, []

    def create(volume: Volume) -> None:
        if left:
            raise left.pop()
        made.append(volume.name)

    def claimed(*given: Any, **named: Any) -> bool:
        if not made:
            raise ShareMissing("it does not exist")
        return claim(*given, **named)

    monkeypatch.setattr(driver_module, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(share(driver), "create", create)
    monkeypatch.setattr(driver._mounter._fence, "claim", claimed)

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "create": "true"})
        await driver.mount("dbs", "a")
        await driver.unmount("dbs", "a")

    asyncio.run(calls())
    assert made == ["dbs"]
