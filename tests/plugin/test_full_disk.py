"""A host whose disk is full: what is held stays so, and is given back as a whole."""

import errno
import os
from pathlib import Path

import pytest

from azurefile.engine import Engine
from azurefile.holders import Holders
from azurefile.identity import Host
from azurefile.lastleases import restore
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.owner import Owner
from azurefile.protocols.flock import FlockStore
from azurefile.store import is_locked
from azurefile.watcher import Watcher
from tests.plugin.fake_engine import FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.shared import Forgetful, volume

HOST = Host("host", "0123456789ab", 60)


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Leases:
    """A plugin that has a hold, on a disk that is full since."""
    leases = Leases("azurefile", HOST, Forgetful())
    leases.grant(volume("one", protocol="local"), FlockStore(tmp_path))

    def write(_: FlockStore, owner: Owner) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(FlockStore, "write", write)
    return leases


def test_on_a_full_disk_a_hold_is_given_back_as_a_whole(full: Leases, tmp_path: Path) -> None:
    full.release("one")
    assert full.of("one") is None
    assert not is_locked(FlockStore(tmp_path), "azurefile.one")


@pytest.mark.usefixtures("full")
def test_on_a_full_disk_a_restarted_plugin_goes_on_with_its_hold(tmp_path: Path) -> None:
    leases = Leases("azurefile", HOST, Forgetful())
    assert restore(volume("one", protocol="local"), FlockStore(tmp_path), leases, LeaseMemory(tmp_path / "leases"), 1)
    assert leases.of("one") is not None


def test_on_a_full_disk_the_engines_events_are_still_understood(
    full: Leases, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for the end of the engine, such an error would cost every hold its trust."""
    ended: list[bool] = []
    holders = Holders(full)
    monkeypatch.setattr(holders, "engine_left", lambda: ended.append(True))
    Watcher(Engine(str(engine.path)), full.held, holders).start()
    engine.wait_for_listener(listed=True)
    lease = full.of("one")
    assert lease is not None

    def named(name: str) -> None:
        assert [c.name for c in lease.owner.containers if c.pid] == [name]

    mydb = engine.run("mydb", "one")
    eventually(lambda: named("mydb"))
    engine.rename(mydb, "old")
    eventually(lambda: named("old"))
    holders.unmounted("one", 1)
    assert ended == []
