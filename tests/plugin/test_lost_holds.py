"""A hold that is lost while its volume is mounted or removed, and what is left for whom to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from azurefile import mounter as mounter_module
from azurefile import mounts
from azurefile.driver import Driver
from azurefile.errors import InUse, ShareSilent
from azurefile.flush import Flush
from azurefile.lease import Lease
from tests.plugin.prompted import make, prompted, share
from tests.plugin.shared import Machine, OnShare

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return prompted(tmp_path)


def test_a_lease_that_is_lost_in_a_mount_is_left_to_who_stops_its_containers(driver: Driver) -> None:
    """Given to another before that is over, its mount would be cut and its IDs forgotten with the old ones."""

    def lose() -> None:
        lease = driver._leases.of("dbs")
        assert lease is not None
        lease.lost = "no renewal"

    asyncio.run(make(driver, "dbs"))
    share(driver).then = lose
    # both as what passes: the Mount goes on waiting, and a container that it fails for all the same is started later
    for said in (r"the hold was lost while the share was mounted \(no renewal\)", r"is being stopped \(no renewal\)"):
        with pytest.raises(ShareSilent, match=said):
            driver._mounter.mount(driver._volume("dbs"), "a")
    lease = driver._leases.of("dbs")
    assert lease is not None
    driver._stopped(lease)
    assert driver._leases.of("dbs") is None
    driver._attachments.of("dbs").void()


def test_a_mount_that_ends_after_its_containers_were_stopped_is_taken_off(driver: Driver) -> None:
    def stopped() -> None:
        lease = driver._leases.of("dbs")
        assert lease is not None
        lease.lost = "no renewal"
        driver._stopped(lease)

    asyncio.run(make(driver, "dbs"))
    share(driver).then = stopped
    with pytest.raises(ShareSilent, match="the hold was lost while the share was mounted"):
        driver._mounter.mount(driver._volume("dbs"), "a")
    assert not mounts.is_mounted(Path(driver.path("dbs")))


def test_a_lease_that_is_lost_in_the_last_unmount_is_left_to_who_stops_its_containers(
    driver: Driver, tmp_path: Path, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last writes are waited for, in an outage for longer than a hold lasts."""
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    asyncio.run(make(driver, "dbs"))
    dbs = driver._volume("dbs")
    driver._mounter.mount(dbs, "a")
    lease = driver._leases.of("dbs")
    assert lease is not None

    def settled(*_: object, lease: Lease = lease) -> bool:
        lease.lost = "no renewal"
        return True

    monkeypatch.setattr(Flush, "settled", settled)
    assert driver._mounter.unmount(dbs, "a")
    assert driver._leases.of("dbs") is lease
    with pytest.raises(ShareSilent, match=r"is being stopped \(no renewal\)"):
        driver._mounter.mount(dbs, "b")
    mounts.detach(Path(driver.path("dbs")))
    driver._stopped(lease)
    driver._mounter.mount(dbs, "b")
    # whoever is late clears nothing of the next one's
    driver._stopped(lease)
    assert driver._attachments.of("dbs").ids == {"b": 1}
    lease = driver._leases.of("dbs")
    assert lease is not None
    lease.lost = "the test's end"
    driver._attachments.of("dbs").void()
    driver._stopped(lease)


def test_the_last_unmount_of_a_lost_hold_waits_for_no_writes(
    driver: Driver, tmp_path: Path, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine ends no container before it, and the share may be away."""
    driver._protocols["local"] = OnShare(tmp_path / "root", one.store)
    asyncio.run(make(driver, "dbs"))
    dbs, waited = driver._volume("dbs"), list[object]()
    driver._mounter.mount(dbs, "a")
    lease = driver._leases.of("dbs")
    assert lease is not None
    lease.lost = "no renewal"
    monkeypatch.setattr(Flush, "settled", lambda *given: waited.append(given))
    driver._mounter.unmount(dbs, "a")
    assert waited == []
    assert not lease.ending
    mounts.detach(Path(driver.path("dbs")))
    driver._stopped(lease)


def test_a_volume_is_removed_once_what_used_it_is_stopped(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops it knows its mount and IDs by the volume's name, which is free for another one then."""
    monkeypatch.setattr(mounter_module, "_STOP_SECONDS", 0.2)

    async def calls() -> None:
        await make(driver, "dbs")
        await driver.mount("dbs", "a")
        lease = driver._leases.of("dbs")
        assert lease is not None
        lease.lost = "no renewal"
        with pytest.raises(InUse, match=r"what used it is being stopped \(no renewal\)"):
            await driver.remove("dbs")
        monkeypatch.setattr(mounter_module, "_STOP_SECONDS", 20)
        removal = asyncio.create_task(driver.remove("dbs"))
        await asyncio.sleep(0.2)
        assert not removal.done()
        mounts.detach(Path(driver.path("dbs")))
        driver._stopped(lease)
        await asyncio.wait_for(removal, 5)

    asyncio.run(calls())
