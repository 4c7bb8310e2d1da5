"""Two hosts and one share, where nothing is emulated: how quickly one is refused, and what is kept of a mount."""

import itertools
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.machines.samba import SambaServer
from tests.plugin.bound_host import bound_host
from tests.plugin.harness import STILL, PluginProcess, Refused, Standstill, assert_leaves_nothing

pytestmark = pytest.mark.root

TIMES = 100
# A client that kept a session's keys, or a thread, for each of so many mounts would take more (seen: 10 to 120).
SPARE_KILOBYTES = 512


@pytest.fixture(params=["smb", "nfs"])
def hosts(in_memory: Path, request: pytest.FixtureRequest) -> Iterator[list[PluginProcess]]:
    """The plugins of two, each with the exclusive volume `dbs`."""
    share = in_memory / "share"
    share.mkdir()
    with ExitStack() as stack:
        server = None
        if request.param == "smb":
            server = stack.enter_context(SambaServer())
            # with a limit it is in memory, too
            server.add_share("dbs", limit=64 << 20)
        found = [bound_host(in_memory / name, share, server) for name in ("one", "two")]
        for plugin in found:
            stack.callback(plugin.close)
            plugin.start()
            plugin.create("dbs", share="dbs", exclusive="true")
        yield found


def test_100_of_100_are_refused_within_two_seconds_each(hosts: list[PluginProcess]) -> None:
    one, two = hosts
    one.mount("dbs", "holder")
    slowest = 0.0
    for number in range(TIMES):
        with Standstill() as stood:
            started = time.monotonic()
            with pytest.raises(Refused, match=r'share "dbs" is exclusive and is held by .* renewed'):
                two.mount("dbs", f"id{number}")
            seconds = time.monotonic() - started
        slowest = max(slowest, seconds - stood.seconds)
    assert slowest < 2
    one.unmount("dbs", "holder")
    two.mount("dbs", "heir")


def test_mounts_leave_memory_and_descriptors_flat(hosts: list[PluginProcess]) -> None:
    one, _ = hosts
    ids = itertools.count()

    def mounts() -> None:
        for _ in range(TIMES // STILL):
            number = next(ids)
            one.mount("dbs", f"id{number}")
            one.unmount("dbs", f"id{number}")

    assert_leaves_nothing(one.pid, mounts, SPARE_KILOBYTES)
