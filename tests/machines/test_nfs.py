"""The NFS 4.1 server that the tests use."""

from collections.abc import Iterator

import pytest

from tests.machines.machine import Machine
from tests.machines.mounts import hold_lock, mount_nfs
from tests.machines.nfs import GaneshaServer
from tests.plugin.harness import eventually

TAKE = "flock -n /mnt/n/file true"


@pytest.fixture
def server() -> Iterator[GaneshaServer]:
    """A server that a test may break."""
    with GaneshaServer("data", lease=15, grace=15) as running:
        yield running


def test_an_export_is_mounted_and_keeps_owners(server: GaneshaServer, machine: Machine) -> None:
    mount_nfs(machine, server, "data", "/mnt/n")
    assert "vers=4.1" in machine.run("grep /mnt/n /proc/mounts").out
    machine.run("echo hello >/mnt/n/file && chown 999:999 /mnt/n/file && chmod 600 /mnt/n/file")
    found = (server.exports["data"] / "file").stat()
    assert (found.st_uid, found.st_mode & 0o777, found.st_size) == (999, 0o600, 6)


def test_the_log_tells_who_wrote_when(server: GaneshaServer, two_machines: tuple[Machine, Machine]) -> None:
    first, second = two_machines
    for machine in two_machines:
        mount_nfs(machine, server, "data", "/mnt/n")
    for machine in (first, second, first):
        machine.run("head -c 10000 /dev/zero >>/mnt/n/file; sync -f /mnt/n/file")
        second.run("echo small >/mnt/n/record; sync -f /mnt/n/record")
    assert [turn.client for turn in server.turns(minimum=1000)] == [first.name, second.name, first.name]
    assert len(server.turns()) > 3


def test_a_vanished_machines_lock_is_free_after_its_lease(
    server: GaneshaServer, two_machines: tuple[Machine, Machine]
) -> None:
    first, second = two_machines
    if not first.runtime.own_kernel:
        pytest.skip("a kernel that goes on gives the lock back: DATADOCKER_TEST_MACHINES=qemu")
    for machine in two_machines:
        mount_nfs(machine, server, "data", "/mnt/n")
    with hold_lock(first, "/mnt/n/file"):
        assert second.run(TAKE, check=False).code != 0
        first.kill()
    assert second.run(TAKE, check=False).code != 0

    def is_free() -> None:
        assert second.run(TAKE, check=False).code == 0

    eventually(is_free, 3 * server.lease)


def test_a_lock_outlives_the_servers_restart(server: GaneshaServer, two_machines: tuple[Machine, Machine]) -> None:
    first, second = two_machines
    for machine in two_machines:
        mount_nfs(machine, server, "data", "/mnt/n")
    with hold_lock(first, "/mnt/n/file"):
        server.stop()
        server.start()
        assert second.run(TAKE, check=False, timeout=60).code != 0
        first.kill()
