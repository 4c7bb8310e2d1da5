"""What is open to a share ends with its last volume."""

import asyncio
import contextlib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import kernelmount, mounts, network
from azurefile.driver import Driver
from azurefile.protocols import ShareProtocol
from azurefile.protocols.local import Local
from azurefile.protocols.nfs import Nfs
from azurefile.protocols.smb import Smb
from tests.machines.samba import SambaServer
from tests.plugin.drivers import driver_in
from tests.plugin.harness import eventually

pytestmark = pytest.mark.root

SHARES = 20


class Bound(Local):
    """Folders of this host in the place of what its kernel can't mount, with the fence of another protocol."""

    def __init__(self, root: Path, fence: ShareProtocol) -> None:
        super().__init__(root)
        self.locks = fence.locks  # type: ignore[assignment, method-assign]
        self.forget = fence.forget  # type: ignore[method-assign]


@pytest.fixture
def smb(tmp_path: Path) -> Iterator[tuple[ShareProtocol, dict[str, str]]]:
    with SambaServer() as server:
        for number in range(SHARES):
            server.add_share(f"share-{number}")
        credentials = tmp_path / "root/credentials" / server.account
        credentials.parent.mkdir(parents=True)
        credentials.write_text(f"key={server.key}\n")
        credentials.chmod(0o600)
        yield Smb(tmp_path / "root", 60), {"protocol": "smb", "server": "127.0.0.1", "port": str(server.port)}


@pytest.fixture
def nfs(monkeypatch: pytest.MonkeyPatch) -> tuple[ShareProtocol, dict[str, str]]:
    def attach(root: int, target: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "ddtest", target], check=True)

    monkeypatch.setattr(kernelmount, "detached", lambda *_: contextlib.nullcontext(-1))
    monkeypatch.setattr(kernelmount, "attach", attach)
    monkeypatch.setattr(network, "reach", lambda *_: network.Address("10.0.0.4", 2049, "10.0.0.5"))
    return Nfs(), {"protocol": "nfs", "server": "nfs"}


@pytest.fixture(params=["smb", "nfs"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ShareProtocol, dict[str, str]]:
    found: tuple[ShareProtocol, dict[str, str]] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def driver(way: tuple[ShareProtocol, dict[str, str]], tmp_path: Path) -> Driver:
    made = driver_in(tmp_path)
    made._protocols[way[1]["protocol"]] = Bound(tmp_path / "root", way[0])
    return made


def test_threads_connections_and_mounts_end_with_the_last_volume(
    driver: Driver, way: tuple[ShareProtocol, dict[str, str]]
) -> None:
    before = open_to_shares(way[1])

    async def calls() -> None:
        for number in range(SHARES):
            for volume in ("one", "two"):
                options = {**way[1], "share": f"share-{number}", "folder": volume}
                await driver.create(f"{volume}-{number}", options)
                await driver.mount(f"{volume}-{number}", "a")
                await driver.unmount(f"{volume}-{number}", "a")
        for volume in ("one", "two"):
            assert open_to_shares(way[1]) == (before[0] + SHARES, before[1] + SHARES)
            for number in range(SHARES):
                await driver.remove(f"{volume}-{number}")

    asyncio.run(calls())
    eventually(lambda: _assert_as(before, way[1]))


def test_a_share_goes_on_for_the_volume_that_is_left(driver: Driver, way: tuple[ShareProtocol, dict[str, str]]) -> None:
    """Also if that was made while the other was removed."""
    before = open_to_shares(way[1])

    async def calls() -> None:
        for volume in ("one", "two"):
            await driver.create(volume, {**way[1], "share": "share-1", "folder": volume, "exclusive": "true"})
        await driver.mount("one", "a")
        await driver.remove("two")
        for _ in range(5):
            await driver.create("two", {**way[1], "share": "share-1", "folder": "two", "exclusive": "true"})
            await asyncio.gather(driver.mount("two", "b"), driver.create("x", {**way[1], "share": "share-1"}))
            await asyncio.gather(driver.unmount("two", "b"), driver.remove("x"))
            await driver.remove("two")
        one = driver._leases.of("one")
        assert one is not None
        confirmed = one.confirmed
        driver._leases.renew(one)
        assert one.confirmed > confirmed
        assert open_to_shares(way[1]) == (before[0] + 1, before[1] + 1)
        await driver.unmount("one", "a")
        await driver.remove("one")

    asyncio.run(calls())
    eventually(lambda: _assert_as(before, way[1]))


def open_to_shares(place: dict[str, str]) -> tuple[int, int]:
    """How many threads renew, and how many connections (by the thread that each has) or mounts there are."""
    names = [thread.name for thread in threading.enumerate()]
    if place["protocol"] == "smb":
        return names.count("renew"), names.count(f"msg_worker-127.0.0.1:{place['port']}")
    fence = str(Path(tempfile.gettempdir()) / "azurefile-fence-")
    return names.count("renew"), sum(entry.target.startswith(fence) for entry in mounts.read_mountinfo())


def _assert_as(before: tuple[int, int], place: dict[str, str]) -> None:
    assert open_to_shares(place) == before
