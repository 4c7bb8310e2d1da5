"""Shares over NFS 4.1, mounted by a real kernel: the database, what is set, what is refused."""

from collections.abc import Iterator

import pytest

from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.plugin.site import WRITER, Site, create, docker, mount_calls, query, run, run_mysql, status, wait_for_holder

pytestmark = [pytest.mark.machines, pytest.mark.root]


@pytest.fixture
def site(machine_plugin: MachinePlugin) -> Iterator[Site]:
    with GaneshaServer("dbs") as server:
        yield Site(machine_plugin, server)


def test_a_database_runs_and_a_second_one_is_refused_everywhere(site: Site) -> None:
    with site.machines("one", "two", database=True) as (one, two):
        for machine in (one, two):
            create(machine, "dbs", "share=dbs", "folder=mysql/orders", "exclusive=true", "for=database")
            create(machine, "all", "share=dbs")
        run_mysql(one, "mydb", "dbs", 6603)
        wait_for_holder(one, "dbs", "mydb")
        query(one, "mydb", "create database orders; create table orders.t (n int); insert into orders.t values (1)")
        for machine in (one, two):
            for volume in ("dbs", "all"):
                answers = mount_calls(machine, volume, 100)
                assert [answer for answer, _ in answers if 'held by container "mydb"' not in answer] == []
                # The slowest is measured where nothing is emulated: test_refusals.py. Here one may wait for other work.
                assert sorted(seconds for _, seconds in answers)[-5] < 2
        mounted = one.run("grep ' /mnt/volumes/dbs \\|propagated-mount/dbs ' /proc/mounts").out
        assert all(word in mounted for word in ("vers=4.1", "nconnect=4", "sec=sys", "hard", "proto=tcp"))
        assert status(one, "dbs")["export"] == "/dbs"
        docker(one, "rm", "-f", "mydb")
        run(two, "writer", "all", WRITER)


def test_what_can_not_be_mounted_says_why(site: Site) -> None:
    with site.machines("one") as (one,):
        place = ["protocol=nfs", "server=10.0.2.2", f"port={site.server.port}"]
        create(one, "gone", *place, "share=nope")
        create(one, "azure", *place, "account=abc", "share=dbs")
        create(one, "closed", "protocol=nfs", "server=10.0.2.2", "port=9", "share=dbs")
        words = {"gone": "exports no such path", "azure": "exports no such path", "closed": "refuses connections"}
        for volume, reason in words.items():
            answer, seconds = mount_calls(one, volume, 1)[0]
            assert reason in answer
            assert seconds < 15
