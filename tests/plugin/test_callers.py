"""An engine that does not wait for an answer, and what it does for as long as it lives."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from azurefile.caller import Caller
from azurefile.driver import Driver
from azurefile.errors import ShareSilent
from azurefile.liveness import Process
from azurefile.owner import Container
from azurefile.protocols.local import Local
from azurefile.volumes import Volume
from tests.plugin.drivers import driver_in
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import PluginProcess, Refused, UnixConnection, eventually
from tests.plugin.shared import Machine, volume

pytestmark = pytest.mark.root


def test_a_mount_that_waits_ends_with_its_caller(
    watched: PluginProcess, engine: FakeEngine, end_engine: Callable[[], None]
) -> None:
    """A folder given to nobody would be held for ever."""
    watched.create("dbs", share="dbs", exclusive="true")
    watched.mount_for_an_engine_that_ends("dbs", "a")
    _named_without_process(watched, engine)
    end_engine()
    waiting = UnixConnection(watched.socket)
    waiting.request("POST", "/VolumeDriver.Mount", json.dumps({"Name": "dbs", "ID": "b"}))
    time.sleep(0.5)
    waiting.close()

    def said() -> None:
        assert (
            "docker plugin disable -f PLUGIN, and then docker plugin enable --timeout 120 PLUGIN (that stops "
            "containers on exclusive SMB and NFS volumes, and starts them again)" in watched.log.read_text()
        )

    eventually(said)
    # It has been waited for until the start before is too old.
    watched.mount("dbs", "c")
    assert watched.status("dbs")["mounts"] == 1


class Slow(Local):
    """Folders of the host that take their time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = threading.Event()
        self.answer = threading.Event()

    def mount(self, volume: Volume, target: Path) -> None:
        self.asked.set()
        self.answer.wait(20)
        super().mount(volume, target)


def test_what_succeeds_for_a_caller_that_has_hung_up_is_undone(tmp_path: Path) -> None:
    driver: Driver = driver_in(tmp_path)
    share = driver._protocols["local"] = Slow(tmp_path / "root")

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        caller = Caller()
        mount = asyncio.create_task(driver.mount("dbs", "a", caller))
        await asyncio.to_thread(share.asked.wait, 10)
        caller.gone.set()
        with pytest.raises(ShareSilent, match="did not wait"):
            await mount
        share.answer.set()
        await driver.mount("dbs", "b")
        assert driver.get("dbs")["Status"]["mounts"] == 1
        await driver.unmount("dbs", "b")

    asyncio.run(calls())


def test_a_caller_that_hangs_up_while_it_is_answered_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, caller = driver_in(tmp_path), Caller()
    bounded = driver._lanes.bounded

    async def too_late(*arguments: Any) -> object:
        answer = await bounded(*arguments)
        caller.gone.set()
        return answer

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "exclusive": "true"})
        with monkeypatch.context() as patch:
            patch.setattr(driver._lanes, "bounded", too_late)
            with pytest.raises(ShareSilent, match="did not wait"):
                await driver.mount("dbs", "a", caller)
        assert "mounts" not in driver.get("dbs")["Status"]
        await driver.mount("dbs", "b")
        await driver.unmount("dbs", "b")

    asyncio.run(calls())


@pytest.mark.parametrize("ended", [False, True])
def test_a_copy_holds_its_folder_through_a_restart_of_the_plugin(
    watched: PluginProcess, engine: FakeEngine, ended: bool
) -> None:
    """`docker cp` into a stopped container has no process of its own, and takes as long as it likes."""
    watched.create("dbs", share="dbs", exclusive="true")
    if ended:
        watched.mount_for_an_engine_that_ends("dbs", "copy")
    else:
        watched.mount("dbs", "copy")
    _named_without_process(watched, engine)
    watched.kill()
    _make_old(watched.root / "fence/dbs/azurefile.dbs.json")
    watched.start()
    if ended:
        watched.mount("dbs", "b")
        return
    with pytest.raises(Refused, match='held by container "mydb"'):
        watched.mount("dbs", "b")
    watched.unmount("dbs", "copy")
    watched.mount("dbs", "b")


def test_a_copy_beside_others_counts_as_long_as_the_engine_that_asked_for_it(one: Machine) -> None:
    """The first mount was for an engine that has started again since."""
    for engine in (Process(1 << 23, 1), Process.of(os.getpid())):
        one.fence.claim(volume("logs", exclusive="false"), one.store, rejoin=False, engine=engine)
    lease = one.leases.of("logs")
    assert lease is not None
    lease.owner.containers, lease.owner.since, lease.restored = [Container("c0ffee", "copy")], 0.0, True
    assert one.fence.alive("logs")


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    # the kernel's highest is 2^22
    assert Process.of(1 << 23) is None
    assert Process.of(0) is None
    init = Process.of(1)
    assert init is not None
    assert init.alive()
    assert not Process(1, init.ticks + 1).alive()


def _named_without_process(plugin: PluginProcess, engine: FakeEngine) -> None:
    """The engine tells which container the mount is for, one that does not run."""
    mydb = FakeContainer("mydb", "dbs")
    mydb.kill()
    engine.containers.append(mydb)
    engine.tell("volume", "mount", "dbs", container=mydb.id)

    def named() -> None:
        assert [h["name"] for h in plugin.status("dbs")["holders"]] == ["mydb"]
        # the record follows a moment later
        assert mydb.id in (plugin.root / "fence/dbs/azurefile.dbs.json").read_text()

    eventually(named)


def _make_old(record: Path) -> None:
    """As if its mount had been granted long ago."""
    record.write_text(json.dumps(json.loads(record.read_text()) | {"since": "2020-01-01T00:00:00Z"}))
