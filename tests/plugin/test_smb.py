"""Shares over SMB 3.1.1 with encryption, mounted by real kernels in machines: the demo, the fence, secrets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.machine import Machine
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.site import (
    WRITER,
    ListWatch,
    Site,
    create,
    mount_calls,
    query,
    run,
    run_mysql,
    running,
    status,
    wait_for_holder,
    wait_until,
)

pytestmark = [pytest.mark.machines, pytest.mark.root]


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
        run(two, "docker2", "logs", WRITER)
        query(one, "mydb", "create database orders; create table orders.t (n int); insert into orders.t values (1)")
        wait_for_holder(one, "dbs", "mydb")

        refused = run_mysql(one, "mydb2", "dbs", 6604, check=False)
        assert 'is exclusive and is held by container "mydb"' in refused.err
        refused = run_mysql(two, "mydb2", "dbs", 6604, check=False)
        assert f'held by container "mydb" (volume "dbs", host {one.name}, renewed' in refused.err
        for machine in (one, two):
            answers = mount_calls(machine, "dbs", 100)
            assert all("is held by container" in answer for answer, _ in answers)
            assert max(seconds for _, seconds in answers) < 2

        shown = status(one, "dbs")
        assert shown["protocol"] == "smb"
        assert shown["server"] == Machine.share_address
        assert shown["options"]["seal"] == "true"
        assert [h["name"] for h in shown["holders"]] == ["mydb"]
        rows = (samba.folder / "shares/logs/rows").read_text().splitlines()
        assert {line.split()[0] for line in rows} == {f"{one.name}-docker1", f"{two.name}-docker2"}
        _assert_no_secret(one, samba.key)

        one.run("docker rm -f mydb", timeout=120)
        run_mysql(two, "mydb2", "dbs", 6604)
        assert query(two, "mydb2", "select n from orders.t") == "1"


def test_a_new_key_counts_for_mounted_volumes(site: Site, samba: SambaServer) -> None:
    with site.machines("one") as (one,):
        create(one, "logs", "share=logs")
        run(one, "writer", "logs", WRITER)
        samba.set_key("c2Vjb25kIGtleQ==")
        site.write_key(one)
        samba.disconnect()
        rows = samba.folder / "shares/logs/rows"
        before = len(rows.read_text().splitlines())
        wait_until(lambda: len(rows.read_text().splitlines()) > before + 3, 120)
        assert running(one, "writer")


def test_what_can_not_be_mounted_says_why_and_delays_nobody(site: Site, samba: SambaServer) -> None:
    with site.machines("one") as (one,):
        create(one, "good", "share=logs")
        create(one, "gone", "protocol=smb", "server=10.0.2.2", f"port={samba.port}", "share=nope")
        create(one, "closed", "protocol=smb", "server=10.0.2.2", "port=9", "share=logs")
        create(one, "nameless", "protocol=smb", "server=no.such.invalid", "share=logs")
        create(one, "dropped", "protocol=smb", "server=10.255.255.1", "share=logs")
        words = {
            "gone": 'share "nope" on 10.0.2.2 does not exist',
            "closed": "refuses connections on port 9",
            "nameless": "has no address",
            "dropped": "does not answer on port 445",
        }
        one.run("iptables -I OUTPUT -d 10.255.255.1 -j DROP")
        with ListWatch(one) as lists:
            for volume, reason in words.items():
                answer, seconds = mount_calls(one, volume, 1)[0]
                assert reason in answer
                assert seconds < 15
                assert "Mountpoint" in mount_calls(one, "good", 1)[0][0]
            site.write_key(one, "d3Jvbmc=")
            create(one, "locked", "share=dbs")
            assert "refuses account" in mount_calls(one, "locked", 1)[0][0]
        assert lists.slowest < 1


def _assert_no_secret(machine: Machine, key: str) -> None:
    """The search finds the key where it has to be, and nowhere else."""
    places = (
        "docker inspect $(docker ps -aq) $(docker volume ls -q); docker plugin inspect azurefile",
        "ps auxwwe",
        "cat /proc/*/mountinfo /proc/mounts",
        "cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'",
        "journalctl --merge --no-pager; dmesg",
    )
    for place in places:
        assert key not in machine.run(f"{place} 2>/dev/null || true", timeout=120).out, place
    found = machine.run(["grep", "-rlF", "--exclude-dir=shares", key, "/var/lib/datadocker"]).out.split()
    assert [Path(path).parent.name for path in found] == ["credentials"]
