"""The fence between machines, over SMB and over NFS: two writers never overlap, and nobody stays locked out."""

import time
from collections.abc import Iterator

import pytest

from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.site import (
    TAKEOVER,
    WRITER,
    ListWatch,
    Site,
    create,
    inspect,
    mount_calls,
    plugin_log,
    query,
    run,
    run_mysql,
    running,
    status,
    wait_for_holder,
    wait_until,
)

pytestmark = [pytest.mark.machines, pytest.mark.root]


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


def test_a_vanished_hosts_folder_is_taken_over_after_its_time_and_not_before(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", WRITER)
        wait_for_holder(one, "dbs", "writer")
        one.kill()
        gone = time.monotonic()
        assert 'held by container "writer"' in run(two, "hasty", "dbs", WRITER, check=False).err
        # What comes once the holder has missed its renewals waits within its Mount.
        time.sleep(TAKEOVER / 2)
        run(two, "heir", "dbs", WRITER)
        waited = time.monotonic() - gone
        assert TAKEOVER * 5 / 6 - 2 < waited < TAKEOVER + 15


def test_a_holder_that_is_cut_off_stops_itself_and_never_writes_again(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", WRITER, "--restart=unless-stopped")
        wait_for_holder(one, "dbs", "writer")
        with ListWatch(one) as lists:
            one.cut(site.server.port)
            stopped = wait_until(lambda: not running(one, "writer"), TAKEOVER)
            run(two, "heir", "dbs", WRITER)
            wait_for_holder(two, "dbs", "heir")
            one.heal()
            time.sleep(TAKEOVER)
        assert lists.slowest < 1
        assert TAKEOVER / 3 - 1 < stopped < TAKEOVER / 2 + 5
        assert not running(one, "writer")
        assert running(two, "heir")
        assert "/mnt/volumes/dbs" not in one.run("cat /proc/mounts").out
        assert "lease lost, its containers are stopped" in plugin_log(one)
        writers = [line.split()[0] for line in (site.folder("dbs") / "rows").read_text().splitlines()]
        assert writers == sorted(writers, key=[f"{one.name}-writer", f"{two.name}-heir"].index)
        if isinstance(site.server, SambaServer):
            turns = [turn.client for turn in site.server.turns("dbs", "rows")]
            assert turns == [one.name, two.name]


def test_a_holder_comes_back_by_itself_when_only_the_network_was_gone(site: Site) -> None:
    with site.machines("one") as (one,):
        create(one, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", WRITER, "--restart=unless-stopped")
        wait_for_holder(one, "dbs", "writer")
        one.cut(site.server.port)
        wait_until(lambda: not running(one, "writer"), TAKEOVER)
        one.heal()
        wait_until(lambda: running(one, "writer"), 60)
        assert status(one, "dbs")["mounts"] == 1


def test_a_reboot_brings_the_database_back_by_itself(site: Site) -> None:
    with site.machines("one", database=True) as (one,):
        create(one, "dbs", "share=dbs", "exclusive=true", "for=database")
        run_mysql(one, "mydb", "dbs", 6603)
        query(one, "mydb", "create database orders; create table orders.t (n int); insert into orders.t values (7)")
        one.run("sync")
        one.reboot_hard()
        assert query(one, "mydb", "select n from orders.t") == "7"
        assert status(one, "dbs")["mounts"] == 1


def test_a_killed_holders_folder_is_given_at_once_on_its_host(site: Site) -> None:
    with site.machines("one") as (one,):
        create(one, "dbs", "share=dbs", "exclusive=true")
        for number in range(10):
            run(one, f"writer{number}", "dbs", WRITER)
            one.run(f"kill -9 {inspect(one, f'writer{number}')['State']['Pid']}")


def test_a_killed_plugin_takes_its_lock_back(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "exclusive=true")
        run(one, "writer", "dbs", WRITER)
        wait_for_holder(one, "dbs", "writer")
        one.run("pkill -9 -f 'python3 -m azurefile'")
        time.sleep(TAKEOVER)
        assert running(one, "writer")
        assert 'held by container "writer"' in mount_calls(two, "dbs", 1)[0][0]
        assert status(one, "dbs")["mounts"] == 1
