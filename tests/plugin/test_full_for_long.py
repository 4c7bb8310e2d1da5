"""Leases are renewed beside an outage, and on disks and shares that are full or fail; what the log says of it."""

import logging
import shutil
from pathlib import Path

import pytest

from azurefile.keeper import Keeper
from azurefile.leasememory import LeaseMemory
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


def test_an_outage_is_one_line_of_the_log(world: World, one: Machine, caplog: pytest.LogCaptureFixture) -> None:
    one.claim()
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)
    for _ in range(2):
        world.share_down = True
        assert not keeper.renew(one.store)
        assert not keeper.renew(one.store)
        world.share_down = False
        assert keeper.renew(one.store)
    lines = [r for r in caplog.records if r.levelname == "WARNING" and r.message == "lease not renewed"]
    assert len(lines) == 2


def test_a_full_disk_keeps_no_lease_from_its_renewal(world: World, folder: MemoryFolder, tmp_path: Path) -> None:
    memory = LeaseMemory(tmp_path / "leases")
    one = Machine(world, folder, "one", memory=memory)
    held = [one.claim(name, folder=name) for name in ("a", "b")]
    shutil.rmtree(tmp_path / "leases")
    world.now += 10
    Keeper(one.leases, TAKEOVER, lambda _: None).renew(one.store)
    assert [lease.confirmed for lease in held] == [world.now, world.now]


def test_a_disk_that_fails_for_long_is_two_lines_of_the_log(
    world: World, folder: MemoryFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one = Machine(world, folder, "one", memory=LeaseMemory(tmp_path / "leases"))
    one.claim()
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)
    for _ in range(2):
        shutil.rmtree(tmp_path / "leases")
        for _ in range(3):
            keeper.renew(one.store)
        (tmp_path / "leases").mkdir()
        for _ in range(3):
            keeper.renew(one.store)
    told = [r.message for r in caplog.records if "remembered" in r.message]
    assert told == ["renewal not remembered", "renewal remembered again"] * 2


def test_a_share_that_is_full_for_long_is_two_lines_of_the_log(
    world: World, one: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """Its holds go on; one that does not say what is left changes nothing."""
    caplog.set_level(logging.INFO)
    lease = one.claim()
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)
    for room in [1 << 20, 0, None, 4096, 1 << 20] * 2:
        world.now += 1
        world.room = room
        assert keeper.renew(one.store)
        assert lease.confirmed == world.now
    told = [(r.message, r.__dict__["volume"]) for r in caplog.records if "share" in r.message]
    assert told == [("share is full, raise its quota or make room", "dbs"), ("share has room again", "dbs")] * 2


def test_who_ends_of_a_full_share_and_starts_again_is_told_of_once(
    world: World, one: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)
    for room in (0, None, 0):
        one.claim()
        world.room = room
        assert keeper.renew(one.store)
        one.leases.release("dbs")
    one.claim()
    world.room = 1 << 30
    assert keeper.renew(one.store)
    told = [r.message for r in caplog.records if "share" in r.message]
    assert told == ["share is full, raise its quota or make room", "share has room again"]
