"""The fence between machines, over SMB and over NFS: two writers never overlap, and nobody stays locked out."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import mounts
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.contender import Contender
from tests.plugin.site import (
    PLUGIN_PID,
    TAKEOVER,
    WORKER_PID,
    WRITER,
    ListWatch,
    Site,
    create,
    plugin_log,
    run,
    running,
    status,
    wait_for_holder,
    wait_until,
)

pytestmark = [pytest.mark.machines, pytest.mark.root]

# How often another host is refused at least, so that it counts.
ASKED = 3
KILLS = 3
# Leaves 32 MB to the kernel, again and again, so that a cut comes in the middle of them.
UNSYNCED = "while :; do dd if=/dev/zero of=/v/rows bs=64k count=512 conv=notrunc 2>/dev/null; done"
# Keeps the share busy beside the rows. Without a pause it also keeps an emulated processor from the plugin's start.
LOAD = "(while :; do dd if=/dev/zero of=/v/load bs=64k count=8 conv=fsync 2>/dev/null; sleep 0.3; done)"


@pytest.fixture(params=["smb", "nfs"])
def site(machine_plugin: MachinePlugin, request: pytest.FixtureRequest) -> Iterator[Site]:
    """One share, `dbs`."""
    if request.param == "nfs":
        with GaneshaServer("dbs") as ganesha:
            yield Site(machine_plugin, ganesha)
        return
    with SambaServer() as samba:
        samba.add_share("dbs")
        yield Site(machine_plugin, samba)


def test_a_holder_that_is_cut_off_stops_itself_and_never_writes_again(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", WRITER, "--restart=unless-stopped")
        wait_for_holder(one, "dbs", "writer")
        sessions = set(site.server.status()["sessions"]) if isinstance(site.server, SambaServer) else set()
        with ListWatch(one, "dbs") as lists, Contender(two, "heir", "dbs", WRITER) as heir:
            wait_until(lambda: len(heir.refused) >= ASKED, 60)
            cut = time.monotonic()
            one.cut(site.server.port)
            stopped = wait_until(lambda: not running(one, "writer"), TAKEOVER)
            wait_until(lambda: heir.taken is not None, TAKEOVER * 2)
            wait_for_holder(two, "dbs", "heir")
            wait_until(lambda: f"{two.name}-heir" in (site.folder("dbs") / "rows").read_text(), 120)
            if isinstance(site.server, SambaServer):
                # It has not seen the cut, and would have waited half a minute for the lease that the holder had.
                assert len(sessions & set(site.server.status()["sessions"])) == len(sessions) - 1
            one.heal()
            time.sleep(TAKEOVER / 2)
        lists.check()
        assert heir.taken is not None
        # The holder's last renewal is a little older than the cut.
        assert heir.taken - cut > TAKEOVER * 5 / 6
        # It stops after half of that time (test_leases.py), and an emulated machine needs some for it.
        assert TAKEOVER / 3 - 1 < stopped < TAKEOVER * 5 / 6
        assert 'held by container "writer"' in heir.said
        assert not running(one, "writer")
        assert running(two, "heir")
        assert "propagated-mount/dbs" not in one.run("cat /proc/mounts").out
        assert "lease lost, its containers are stopped" in plugin_log(one)
        writers = [line.split()[0] for line in (site.folder("dbs") / "rows").read_text().splitlines()]
        assert writers == sorted(writers, key=[f"{one.name}-writer", f"{two.name}-heir"].index)
        assert site.writers("dbs") == [one.name, two.name]


def test_what_a_holder_left_to_its_kernel_when_it_was_cut_off_never_comes(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", UNSYNCED)
        wait_for_holder(one, "dbs", "writer")
        wait_until(lambda: site.writers("dbs") == [one.name], 60)
        one.cut(site.server.port)
        with Contender(two, "heir", "dbs", WRITER) as heir:
            wait_until(lambda: heir.taken is not None, TAKEOVER * 3)
            wait_until(lambda: site.writers("dbs") == [one.name, two.name], 60)
            one.heal()
            wait_until(lambda: not running(one, "writer"), TAKEOVER)
            wait_until(lambda: "propagated-mount/dbs" not in one.run("cat /proc/mounts").out, TAKEOVER)
            # its kernel tries again every few seconds, each renewal of the plugin shows that it could
            time.sleep(TAKEOVER / 2)
        assert site.writers("dbs") == [one.name, two.name]


def test_a_plugin_killed_under_load_takes_its_lock_back(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", f"{LOAD} & {WRITER}")
        wait_for_holder(one, "dbs", "writer")
        with Contender(two, "greedy", "dbs", WRITER) as greedy:
            for number in range(KILLS):
                # The engine starts it again, in which an emulated machine takes its time: killed before it has renewed,
                # all of its lives together would be silent for too long.
                wait_until(lambda number=number: plugin_log(one).count("lease resumed") >= number, TAKEOVER)
                # one that does not answer yet is followed by none
                status(one, "dbs")
                one.run(f"kill -9 $({WORKER_PID if number % 2 else PLUGIN_PID})")
                # Who asks meanwhile is refused, or waits in its Mount for a sign of life.
                time.sleep(TAKEOVER / 3)
        assert greedy.taken is None
        assert len(greedy.refused) >= ASKED
        assert running(one, "writer")
        assert 'held by container "writer"' in greedy.said
        assert status(one, "dbs")["mounts"] == 1
        assert site.writers("dbs") == [one.name]
        # and knows where the server of what it had mounted is
        (tmp_path / "mountinfo").write_text(one.run(f"cat /proc/$({WORKER_PID})/mountinfo").out)
        entries = mounts.read_mountinfo(tmp_path / "mountinfo")
        monkeypatch.setattr(mounts, "read_mountinfo", lambda: entries)
        assert mounts.server_address(Path("/mnt/volumes/dbs")) == Machine.share_address
