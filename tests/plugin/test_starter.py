"""Containers that the engine left down because their share was away, and what starts them again."""

import asyncio
import errno
import itertools
import subprocess
import threading
import time
from pathlib import Path

import pytest

from azurefile import driver as driver_module
from azurefile import starter
from azurefile.engine import Ended
from azurefile.errors import COMES_BACK, ShareError, ShareMissing, ShareSilent
from azurefile.held import Held
from azurefile.volumes import Volume
from tests.plugin.outage import Outage
from tests.plugin.shared import Machine, MemoryFolder, OnShare

pytestmark = pytest.mark.root


def test_what_the_engine_left_down_is_started_once_the_share_is_back(outage: Outage) -> None:
    plugin, mydb, once = outage.plugin(), outage.container("mydb"), outage.container("once", restart="no")

    async def calls() -> None:
        await outage.create(plugin)
        said = await outage.mount(plugin, mydb)
        assert said.endswith("; once that is over, what ran before and has a restart policy is started again")
        await outage.mount(plugin, once)
        await asyncio.sleep(0.5)
        assert outage.engine.started == []
        outage.world.share_down = False
        await outage.until_started("mydb")
        await outage.until_left_alone(plugin)
        assert outage.engine.started == ["mydb"]

    asyncio.run(calls())


def test_what_an_earlier_life_of_the_plugin_could_not_mount_is_started_too(outage: Outage) -> None:
    mydb, other = outage.container("mydb"), outage.container("other", volume="others")

    async def earlier() -> None:
        plugin = outage.plugin()
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        other.kill()
        other.error = mydb.error

    async def later() -> None:
        outage.engine.silent = True
        plugin = outage.plugin()
        running = asyncio.create_task(plugin.run())
        await asyncio.sleep(0.3)
        outage.engine.silent = False
        await asyncio.sleep(0.3)
        outage.world.share_down = False
        await outage.until_started("mydb")
        await outage.until_left_alone(plugin)
        assert outage.engine.started == ["mydb"]
        running.cancel()

    asyncio.run(earlier())
    asyncio.run(later())


@pytest.mark.parametrize(
    "said",
    [
        'Post "http://%2Frun%2Fazurefile.sock/VolumeDriver.Mount": context deadline exceeded',
        'Post "http://plugin.moby.localhost/VolumeDriver.Mount": net/http: request canceled (Client.Timeout exceeded)',
    ],
)
def test_what_the_engine_itself_did_not_wait_for_is_started_too(outage: Outage, said: str) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        mydb.error = f"error while mounting volume '': {said}"
        outage.world.share_down = False
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_a_start_that_fails_for_another_reason_ends_it(outage: Outage) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        outage.engine.failing = 1
        outage.world.share_down = False
        while outage.engine.failing:
            await asyncio.sleep(0.02)
        mydb.error = 'VolumeDriver.Mount: volume "dbs": the key is refused'
        await outage.until_left_alone(plugin)
        assert outage.engine.started == []

    asyncio.run(calls())


def test_an_error_of_the_disk_leaves_no_container_down(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    look, failures = plugin._starter._usable, [OSError(errno.EIO, "Input/output error")] * 2

    def fails(volume: Volume) -> bool:
        if failures:
            raise failures.pop()
        return look(volume)

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        monkeypatch.setattr(plugin._starter, "_usable", fails)
        outage.world.share_down = False
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_a_start_that_finds_the_share_away_again_is_repeated(outage: Outage) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        outage.engine.failing = 2
        outage.world.share_down = False
        await outage.until_started("mydb")
        assert outage.engine.failing == 0

    asyncio.run(calls())


def test_a_miss_while_the_engine_is_asked_is_not_forgotten(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    ask = plugin._starter._engine.ended

    async def calls() -> None:
        await outage.create(plugin)
        said = await outage.mount(plugin, mydb)
        mydb.error = ""
        loop = asyncio.get_running_loop()

        def late(using: set[str]) -> list[Ended] | None:
            found = ask(using)
            if not mydb.error:
                loop.call_soon_threadsafe(plugin._starter.missed, "dbs")
                mydb.error = said
            return found

        with monkeypatch.context() as patch:
            patch.setattr(plugin._starter._engine, "ended", late)
            outage.world.share_down = False
            while not mydb.error:
                await asyncio.sleep(0.01)
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_nobody_waits_for_the_share_of_a_volume_that_was_removed(outage: Outage) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        outage.engine.containers.remove(mydb)
        await plugin.remove("dbs")
        await outage.until_left_alone(plugin)

    asyncio.run(calls())


def test_what_a_refused_key_kept_down_is_started_once_it_is_taken(
    outage: Outage, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    outage.world.share_down = False

    def refuse() -> None:
        raise ShareError("the key is refused")

    async def calls() -> None:
        await outage.create(plugin)
        with monkeypatch.context() as patch:
            patch.setattr(folder, "ask", refuse)
            said = await outage.mount(plugin, mydb)
            assert said.endswith(
                "the key is refused; once that is over, what ran before and has a restart policy is started again"
            )
            await asyncio.sleep(0.5)
            assert outage.engine.started == []
            assert plugin._starter._tasks.keys() == {"dbs"}
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_a_share_that_refuses_is_not_asked_for_ever_if_nothing_waits(
    outage: Outage, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a `docker run` with a wrong key: each question is a login."""
    plugin, once = outage.plugin(), outage.container("once", restart="no")
    asked: list[float] = []

    def refuse() -> None:
        asked.append(time.monotonic())
        raise ShareError("the key is refused")

    async def calls() -> None:
        await outage.create(plugin)
        monkeypatch.setattr(folder, "ask", refuse)
        await outage.mount(plugin, once)
        asked.clear()
        await outage.until_left_alone(plugin)
        assert asked == []

    asyncio.run(calls())


def test_a_share_that_a_mount_makes_is_no_reason_to_wait(
    outage: Outage, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = outage.plugin()

    def missing() -> None:
        raise ShareMissing("there is no such share")

    monkeypatch.setattr(folder, "ask", missing)

    async def calls() -> None:
        for name, create in (("made", "true"), ("gone", "false")):
            await plugin.create(name, {"share": "dbs", "folder": name, "create": create})
        usable = plugin._mounter.usable
        assert [usable(plugin._volume(name)) for name in ("made", "gone")] == [True, False]
        plugin._volumes.mounted(plugin._volume("made"), "")
        assert not usable(plugin._volume("made"))

    asyncio.run(calls())


def test_starts_that_fail_although_the_share_can_be_used_become_rare(
    outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host whose kernel can't mount it: each one fills the engine's log."""
    plugin, mydb = outage.plugin(), outage.container("mydb")
    tried: list[float] = []

    async def fails(_: str, container: Ended) -> None:
        tried.append(time.monotonic())

    monkeypatch.setattr(plugin._starter, "_start", fails)

    async def calls() -> None:
        await outage.create(plugin)
        await outage.mount(plugin, mydb)
        outage.world.share_down = False
        while len(tried) < 4:
            await asyncio.sleep(0.02)

    asyncio.run(calls())
    pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
    # a busy host makes them longer, never shorter
    assert all(pause >= starter._PERIOD_SECONDS * 2 ** (number + 1) for number, pause in enumerate(pauses)), pauses


def test_a_folder_that_was_not_free_in_time_is_waited_for(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's own lock of before a crash, on a share that came back late."""
    monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 0.5)
    plugin, mydb = outage.plugin(), outage.container("mydb")
    outage.world.share_down = False

    async def calls() -> None:
        await outage.create(plugin)

        def vanished(*_: object, **__: object) -> bool:
            volume, lease = plugin._volume("dbs"), Machine(outage.world, MemoryFolder(outage.world), "two").claim()
            raise Held(volume, lease.owner, silent=10, wait=50)

        with monkeypatch.context() as patch:
            patch.setattr(plugin._mounter._fence, "claim", vanished)
            assert "once it is, what ran before" in await outage.mount(plugin, mydb)
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_what_a_full_disk_kept_down_is_started_once_there_is_room(
    outage: Outage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    outage.world.share_down = False
    disk = tmp_path / "root/azurefile/mounts"

    async def calls() -> None:
        await outage.create(plugin)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "ddtest", disk], check=True)
        try:
            (disk / "data").write_bytes(bytes(4096))
            began = time.monotonic()
            assert "is full; free some space" in await outage.mount(plugin, mydb)
            assert time.monotonic() - began < driver_module._MOUNT_SECONDS / 2
            await asyncio.sleep(0.5)
            assert outage.engine.started == []
        finally:
            subprocess.run(["umount", "-l", disk], check=True)
        await outage.until_started("mydb")

    asyncio.run(calls())


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), RuntimeError("can't start new thread")])
def test_what_an_error_of_the_host_kept_down_is_started_once_that_is_over(
    outage: Outage, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    plugin, mydb = outage.plugin(), outage.container("mydb")
    outage.world.share_down = False

    def fails(*_: object) -> None:
        raise error

    async def calls() -> None:
        await outage.create(plugin)
        with monkeypatch.context() as patch:
            patch.setattr(OnShare, "mount", fails)
            said = await outage.mount(plugin, mydb)
            assert f'volume "dbs": {type(error).__name__}: {error}; see the plugin\'s log; once that is over' in said
            assert plugin._leases.all() == []
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_a_mount_that_hangs_is_one_that_found_no_share(outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver_module, "_MOUNT_SECONDS", 0.3)
    plugin, mydb = outage.plugin(), outage.container("mydb")
    outage.world.share_down = False
    begun, over = threading.Event(), threading.Event()

    def hangs(*_: object) -> None:
        begun.set()
        over.wait(60)

    async def calls() -> None:
        await outage.create(plugin)
        with monkeypatch.context() as patch:
            patch.setattr(OnShare, "mount", hangs)
            assert "is started again" in await outage.mount(plugin, mydb)
            assert await asyncio.to_thread(begun.wait, 30)
        over.set()
        await outage.until_started("mydb")

    asyncio.run(calls())


def test_the_text_that_tells_them_apart_is_in_every_silence(outage: Outage) -> None:
    """A later life knows its containers by it."""

    async def calls() -> None:
        plugin = outage.plugin()
        await outage.create(plugin)
        with pytest.raises(ShareSilent, match=f'^volume "dbs": .*{COMES_BACK}$'):
            await plugin.mount("dbs", "a")

    asyncio.run(calls())
