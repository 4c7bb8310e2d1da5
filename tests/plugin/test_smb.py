"""Shares over SMB 3.1.1 with encryption, mounted by real kernels in machines: the demo, the fence, secrets."""

import time
from collections.abc import Iterator

import pytest

from azurefile.optionvalues import RESERVED_FOLDER
from tests.machines import audit, images
from tests.machines.machine import Machine
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.clients import DatabaseClient
from tests.plugin.leaks import PLACES, places_with, plant
from tests.plugin.site import (
    TAKEOVER,
    WRITER,
    ListWatch,
    Site,
    check_refusals,
    create,
    docker,
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

CANARY = "canary/Zm91bmQgZXZlcnl3aGVyZQ=="
WRONG, SECOND = "d3Jvbmcga2V5", "c2Vjb25kIGtleQ=="


@pytest.fixture
def site(machine_plugin: MachinePlugin) -> Iterator[Site]:
    with SambaServer() as server:
        for share in ("dbs", "logs"):
            server.add_share(share)
        yield Site(machine_plugin, server)


@pytest.fixture
def samba(site: Site) -> SambaServer:
    assert isinstance(site.server, SambaServer)
    return site.server


def test_the_talks_commands_work_and_the_second_database_is_refused_everywhere(site: Site, samba: SambaServer) -> None:
    with site.machines("one", "two", database=True) as (one, two):
        for machine in (one, two):
            create(machine, "logs", "share=logs")
            create(machine, "dbs", "share=dbs", "exclusive=true", "for=database")
        run_mysql(one, "mydb", "dbs", 6603)
        run(one, "docker1", "logs", WRITER)
        run(one, "docker2", "logs", WRITER)
        # Appends of two hosts to one file overwrite each other, on any SMB client.
        run(two, "docker3", "logs", WRITER.replace("/v/rows", "/v/others"))
        query(one, "mydb", "create database orders; create table orders.t (n int); insert into orders.t values (1)")
        wait_for_holder(one, "dbs", "mydb")

        refused = run_mysql(one, "mydb2", "dbs", 6604, check=False)
        assert 'is exclusive and is held by container "mydb"' in refused.err
        refused = run_mysql(two, "mydb2", "dbs", 6604, check=False)
        assert f'held by container "mydb" (volume "dbs", host {one.name}, renewed' in refused.err
        for machine in (one, two):
            check_refusals(machine, "dbs", "is held by container")

        shown = status(one, "dbs")
        assert shown["protocol"] == "smb"
        assert shown["server"] == Machine.share_address
        assert shown["options"]["seal"] == "true"
        assert [h["name"] for h in shown["holders"]] == ["mydb"]
        logs = samba.folder / "shares/logs"
        wait_until(lambda: (logs / "others").exists() and (logs / "others").stat().st_size > 0, 30)
        rows = (logs / "rows").read_text().splitlines()
        assert {line.split()[0] for line in rows} == {f"{one.name}-docker1", f"{one.name}-docker2"}

        docker(one, "rm", "-f", "mydb")
        run_mysql(two, "mydb2", "dbs", 6604)
        assert query(two, "mydb2", "select n from orders.t") == "1"


def test_the_key_is_in_its_file_and_nowhere_else(site: Site, samba: SambaServer) -> None:
    """The search finds a canary in every place where one is put."""
    first = samba.key
    with site.machines("one", LOG_LEVEL="debug") as (one,):
        create(one, "logs", "share=logs", "exclusive=true")
        run(one, "writer", "logs", WRITER, "--restart=unless-stopped")
        wait_for_holder(one, "logs", "writer")
        plant(one, CANARY)
        assert places_with(one, CANARY) == {*PLACES, "./canary"}
        assert places_with(one, first) == {f"./{samba.account}"}
        # nor when it is refused, by the fence and by the kernel, nor when it is given to a kernel that has another
        site.write_key(one, WRONG)
        samba.disconnect()
        wait_until(lambda: "lease not renewed" in plugin_log(one), 60)
        create(one, "refused", "share=dbs", f"account={samba.account}")
        assert "refuses account" in mount_calls(one, "refused", 1)[0][0]
        samba.set_key(SECOND)
        site.write_key(one)
        wait_until(lambda: "started again" in plugin_log(one), 120)
        assert places_with(one, WRONG) == set()
        assert places_with(one, first) == set()
        assert places_with(one, SECOND) == {f"./{samba.account}"}


def test_a_new_key_counts_for_mounted_volumes(site: Site, samba: SambaServer) -> None:
    with site.machines("one") as (one,):
        create(one, "logs", "share=logs")
        run(one, "writer", "logs", WRITER)
        samba.set_key(SECOND)
        site.write_key(one)
        samba.disconnect()
        rows = samba.folder / "shares/logs/rows"
        before = len(rows.read_text().splitlines())
        wait_until(lambda: len(rows.read_text().splitlines()) > before + 3, 120)
        assert running(one, "writer")


def test_sessions_that_a_cut_left_on_the_server_are_ended(site: Site, samba: SambaServer) -> None:
    """The server has not noticed; what a vanished client has open there can't be made anew."""
    with site.machines("one") as (one,):
        create(one, "logs", "share=logs", "exclusive=true")
        run(one, "writer", "logs", WRITER, "--restart=unless-stopped")
        wait_for_holder(one, "logs", "writer")
        before = set(samba.status()["sessions"])
        one.cut(samba.port)
        wait_until(lambda: not running(one, "writer"), TAKEOVER)
        assert before <= set(samba.status()["sessions"])
        one.heal()
        wait_until(lambda: running(one, "writer"), 120)
        wait_for_holder(one, "logs", "writer")
        after = set(samba.status()["sessions"])
        # the fence's and the data's
        assert len(before) == len(after) == 2
        assert not before & after


def test_what_can_not_be_mounted_says_why_and_delays_nobody(site: Site, samba: SambaServer) -> None:
    with site.machines("one") as (one,):
        create(one, "good", "share=logs")
        create(one, "gone", "protocol=smb", "server=10.0.2.2", f"port={samba.port}", "share=nope")
        create(one, "closed", "protocol=smb", "server=10.0.2.2", "port=9", "share=logs")
        create(one, "nameless", "protocol=smb", "server=no.such.invalid", "share=logs")
        create(one, "dropped", "protocol=smb", "server=10.255.255.1", "share=logs")
        create(one, "old", "share=logs", "vers=2.1", "seal=false")
        words = {
            "gone": 'share "nope" on 10.0.2.2 does not exist',
            "closed": "refuses connections on port 9",
            "nameless": "has no address",
            "dropped": "does not answer on port 445",
            "old": 'option "vers" is "2.1": the server does not speak this dialect; use another one',
        }
        one.run("iptables -I OUTPUT -d 10.255.255.1 -j DROP")
        with ListWatch(one, *words) as lists:
            for volume, reason in words.items():
                answer, seconds = mount_calls(one, volume, 1)[0]
                assert reason in answer
                assert seconds < 15
                assert "Mountpoint" in mount_calls(one, "good", 1)[0][0]
            site.write_key(one, WRONG)
            create(one, "locked", "share=dbs")
            assert "refuses account" in mount_calls(one, "locked", 1)[0][0]
        lists.check()


def test_innodbs_own_locks_hold_a_second_server_off_where_the_fence_does_not_ask_for_nobrl(
    site: Site, samba: SambaServer
) -> None:
    with site.machines("one", "two", database=True) as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "for=database")
        run_mysql(one, "mydb", "dbs", 6603)
        assert "ibdata1" in samba.locked_ranges()
        command = ["run", "-d", "--name", "mydb2", "-v", "dbs:/var/lib/mysql", "--env=MYSQL_ROOT_PASSWORD=x"]
        docker(two, *command, images.tag("mysql"))
        # a server's ranges are locked for readers too, so it ends at the first file that it looks into
        wait_until(lambda: not running(two, "mydb2"), 200)
        said = docker(two, "logs", "mydb2").text
        assert "Operating system error number 13 in a file operation" in said
        assert "ready for connections" not in said
        assert query(one, "mydb", "select 1") == "1"


def test_a_database_goes_on_elsewhere_when_its_host_is_cut_off(site: Site, samba: SambaServer) -> None:
    """Its files are open on the server as before, with leases that nobody gives back, until its session is ended.

    What it was writing when it was cut off never comes, however late its network is there again.
    """
    with site.machines("one", "two", database=True) as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "for=database", "exclusive=true")
        run_mysql(one, "mydb", "dbs", 6603)
        rows = DatabaseClient(one, "mydb")
        wait_for_holder(one, "dbs", "mydb")
        wait_until(lambda: len(rows.acknowledged) > 5, 60)
        one.cut(samba.port)
        rows.close()
        wait_until(lambda: not running(one, "mydb"), TAKEOVER)
        assert any(file["service_path"].endswith("/dbs") for file in samba.status()["open_files"].values())
        run_mysql(two, "mydb", "dbs", 6603)
        rows.machine = two
        assert not rows.missing()
        healed = time.time()
        one.heal()
        wait_until(lambda: "not started again, the folder was taken" in plugin_log(one), 120)
        # a kernel tells of all its sessions: one that both share of the other's, too
        if one.runtime.own_kernel:
            wait_until(lambda: "SessionId" not in one.run("cat /proc/fs/cifs/DebugData").out, 120)
        late = [event for event in samba.events() if event.time > healed and event.client.lower() == one.name]
        assert not [event for event in late if event.action in audit.CHANGES and RESERVED_FOLDER not in event.detail]


def test_a_fenced_databases_locks_never_reach_the_server(site: Site, samba: SambaServer) -> None:
    with site.machines("one", database=True) as (one,):
        create(one, "dbs", "share=dbs", "for=database", "exclusive=true", "folder=new/one")
        run_mysql(one, "mydb", "dbs", 6603)
        assert samba.locked_ranges() == {}
        for temporary in ("#innodb_temp", "ibtmp1"):
            assert not (site.folder("dbs") / "new/one" / temporary).exists()


def test_the_options_of_azurefile_0_5_1_are_in_force(site: Site, samba: SambaServer) -> None:
    """The volume that azurefile/README.md has for it."""
    given = [
        "share=dbs",
        "remotepath=mysql/orders",
        "uid=999",
        "gid=999",
        "filemode=0640",
        "dirmode=0750",
        "nolock=true",
    ]
    with site.machines("one") as (one,):
        create(one, "orders", *given)
        run(one, "writer", "orders", "mkdir /v/folder && echo row >/v/folder/file && sleep 600")
        file = site.folder("dbs") / "mysql/orders/folder/file"
        wait_until(lambda: file.exists() and file.read_text() == "row\n", 60)
        shown = docker(one, "exec", "writer", "stat", "-c", "%a %u %g", "/v/folder", "/v/folder/file").out
        assert shown.split() == ["750", "999", "999", "640", "999", "999"]
        (mounted,) = {line.split()[3] for line in one.run("grep propagated-mount/orders /proc/mounts").out.splitlines()}
        assert {"nobrl", "uid=999", "file_mode=0640", "dir_mode=0750"} <= set(mounted.split(","))
