"""Shares over NFS 4.1, mounted by a real kernel: the database, what is set, what is refused."""

import json
from collections.abc import Iterator

import pytest

from tests.machines import snapshot
from tests.machines.knfsd import KernelNfsServer
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.qemu import Qemu
from tests.plugin.harness import REPOSITORY
from tests.plugin.site import (
    TAKEOVER,
    WRITER,
    Site,
    check_refusals,
    create,
    docker,
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

MOUNT = "mount -t nfs4 -o vers=4.1,soft,noac,lookupcache=none,nosharecache,port={port} {server}:/dbs /mnt"
# Reads or replaces one record with the fence's own code, and tells what came of it.
RECORD = """
import collections, json, os, sys, time
sys.path.insert(0, "/code")
from azurefile.protocols.nfs_folder import MountedFolder

class Root:
    def opened(self):
        return os.open("/mnt", os.O_PATH | os.O_DIRECTORY)
    def moved(self):
        return False
    def drop(self):
        print("dropped", file=sys.stderr)

folder = MountedFolder(Root(), "dbs", os.O_DIRECT)
found, end = collections.Counter(), time.monotonic() + 20
while time.monotonic() < end:
    if sys.argv[1] == "replace":
        folder.write("x.json", b"{}")
        time.sleep(0.02)
    try:
        answer = folder.read("x.json")
        found[answer and answer[0].decode()] += 1
    except Exception as error:
        found[str(error)] += 1
print(json.dumps(found))
"""


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
                check_refusals(machine, volume, 'held by container "mydb"')
        mounted = one.run("grep ' /mnt/volumes/dbs \\|propagated-mount/dbs ' /proc/mounts").out
        assert all(word in mounted for word in ("vers=4.1", "nconnect=4", "sec=sys", "hard", "proto=tcp"))
        assert status(one, "dbs")["export"] == "/dbs"
        docker(one, "rm", "-f", "mydb")
        run(two, "writer", "all", WRITER)


def test_a_record_that_another_host_replaces_all_the_time_is_there_at_each_look(site: Site) -> None:
    with site.machines("one", "two") as (one, two):
        for machine in (one, two):
            machine.copy(REPOSITORY / "azurefile", "/code/azurefile")
            machine.put(RECORD.encode(), "/code/record")
            machine.run(MOUNT.format(port=site.server.port, server=machine.share_address))
        one.run("mkdir /mnt/.azurefile && printf '{}' > /mnt/.azurefile/x.json")
        with one.popen("python3 /code/record replace") as replacing:
            found = json.loads(two.run("python3 /code/record read", timeout=120).out)
            assert replacing.wait(60) == 0
        assert list(found) == ["{}"]


def test_a_bystander_that_vanishes_keeps_nobody_from_renewing(
    machine_plugin: MachinePlugin,
) -> None:
    """It had read the records, and a server that delegated them to it would ask for them until its lease ends."""
    # the server is a part of the kernel, so that of a machine of QEMU's
    with snapshot.ensure(Qemu).restore() as served:
        server = KernelNfsServer(served, "dbs", lease=4 * TAKEOVER)
        place = f"protocol=nfs,server={Machine.share_address},port={server.port}"

        def restore(name: str) -> Machine:
            return machine_plugin.restore(name, TAKEOVER_SECONDS=str(TAKEOVER), DEFAULTS=place)

        with restore("one") as one, restore("two") as two:
            for machine in (one, two):
                create(machine, "dbs", "share=dbs", "exclusive=true")
            run(one, "writer", "dbs", WRITER)
            wait_for_holder(one, "dbs", "writer")
            ((answer, _),) = mount_calls(two, "dbs", 1)
            assert 'held by container "writer"' in answer
            two.unplug()
            cut = renewed(served)
            wait_until(lambda: renewed(served) > cut + TAKEOVER, 2 * TAKEOVER)
            assert running(one, "writer")


def renewed(server: Machine) -> float:
    """When the one record was renewed last, as a renewed file's time."""
    return float(server.run("stat -c %Y /dbs/.azurefile/*.json").out)


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
