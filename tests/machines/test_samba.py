"""The storage account that the tests use: as strict as Azure's, and with evidence of who wrote when."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.machines.machine import Machine
from tests.machines.mounts import CREDENTIALS, hold_lock, mount_smb
from tests.machines.samba import SambaServer, new_key
from tests.plugin.harness import eventually

TAKE = "flock -n /mnt/s/file true"


@pytest.fixture
def account() -> Iterator[SambaServer]:
    """A server that a test may break."""
    with SambaServer() as server:
        server.add_share("data")
        yield server


def test_a_share_is_mounted_with_encryption_and_not_by_an_older_protocol(
    account: SambaServer, machine: Machine
) -> None:
    mount_smb(machine, account, "data", "/mnt/s")
    machine.run("echo hello >/mnt/s/file && sync -f /mnt/s/file")
    assert (account.share("data") / "file").read_text() == "hello\n"
    session = next(iter(account.status()["sessions"].values()))
    assert session["session_dialect"] == "SMB3_11"
    assert session["encryption"]["cipher"].startswith("AES-")
    old = machine.run(
        f"mkdir /mnt/t && mount -t cifs -o vers=2.1,port={account.port},credentials={CREDENTIALS} "
        f"//{machine.share_address}/data /mnt/t",
        check=False,
    )
    assert "mount error" in old.text


def test_the_log_tells_who_wrote_when(account: SambaServer, two_machines: tuple[Machine, Machine]) -> None:
    first, second = two_machines
    for machine in two_machines:
        mount_smb(machine, account, "data", "/mnt/s")
    first.run("mkdir /mnt/s/db && echo one >/mnt/s/db/file && sync -f /mnt/s/db/file && umount /mnt/s")
    second.run("cat /mnt/s/db/file; echo two >>/mnt/s/db/file; echo 3 >/mnt/s/other; umount /mnt/s")
    assert [turn.client for turn in account.turns("data", "db")] == [first.name, second.name]
    one, two = (u for u in account.uses("data") if u.path == "db/file" and u.writes)
    assert (one.client, two.client) == (first.name, second.name)
    assert one.last_write is not None
    assert two.first_write is not None
    assert one.closed is not None
    assert one.opened < one.last_write < one.closed < two.first_write


def test_a_lock_is_seen_by_the_other_machine_and_free_once_its_holder_is_gone(
    account: SambaServer, two_machines: tuple[Machine, Machine]
) -> None:
    first, second = two_machines
    for machine in two_machines:
        mount_smb(machine, account, "data", "/mnt/s")
    with hold_lock(first, "/mnt/s/file"):
        assert second.run(TAKE, check=False).code != 0
        first.kill()

    def is_free() -> None:
        assert second.run(TAKE, check=False).code == 0

    eventually(is_free, 60)


def test_a_changed_key_counts_from_the_next_login_on(account: SambaServer, machine: Machine) -> None:
    mount_smb(machine, account, "data", "/mnt/s")
    account.set_key(new_key())
    machine.run("echo still >/mnt/s/file")
    refused = machine.run(
        f"mkdir /mnt/t; mount -t cifs -o vers=3.1.1,seal,nosharesock,port={account.port},credentials={CREDENTIALS} "
        f"//{machine.share_address}/data /mnt/t",
        check=False,
    )
    assert "Permission denied" in refused.text
    mount_smb(machine, account, "data", "/mnt/t")
    assert machine.run("cat /mnt/t/file").out == "still\n"


def test_connections_of_one_machine_are_cut_and_come_back(
    account: SambaServer, two_machines: tuple[Machine, Machine]
) -> None:
    first, _ = two_machines
    for machine in two_machines:
        mount_smb(machine, account, "data", "/mnt/s")
    before = {e.connection for e in account.events() if e.action == "login"}
    account.disconnect(first.host_ports())
    first.run("echo again >/mnt/s/file")
    again = [e.client for e in account.events() if e.action == "login" and e.connection not in before]
    assert again == [first.name]


def test_a_server_can_hang_stop_and_start(account: SambaServer, machine: Machine) -> None:
    mount_smb(machine, account, "data", "/mnt/s")
    account.pause()
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run("touch /mnt/s/new", timeout=2)
    account.resume()
    account.stop()
    account.start()
    machine.run("touch /mnt/s/newer", timeout=60)
    assert (account.share("data") / "newer").exists()


def test_a_share_can_be_full_and_can_be_deleted_under_its_users(account: SambaServer, machine: Machine) -> None:
    account.add_share("small", limit=4 << 20)
    mount_smb(machine, account, "small", "/mnt/s")
    full = machine.run("dd if=/dev/zero of=/mnt/s/file bs=1M count=8 conv=fsync", check=False)
    assert "No space left on device" in full.text
    folder = account.share("small")
    account.delete_share("small")
    assert not folder.exists()
    assert machine.run("touch /mnt/s/new", check=False, timeout=60).code != 0
    assert mount_smb(machine, account, "small", "/mnt/t", check=False).code != 0
    mount_smb(machine, account, "data", "/mnt/d")
