"""What a machine does, in whatever it runs, and that a restored one is one of its own."""

import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.machines import runtime, snapshot
from tests.machines.command import CommandError
from tests.machines.machine import Machine
from tests.machines.snapshot import Snapshot
from tests.plugin.managed import Docker


@pytest.fixture(scope="module", params=runtime.KINDS)
def machine_snapshot(request: pytest.FixtureRequest) -> Snapshot:
    return snapshot.ensure(runtime.KINDS[request.param])


def test_a_machine_runs_commands_takes_files_and_has_an_engine(machine: Machine, tmp_path: Path) -> None:
    assert machine.run(["sh", "-c", "echo $0; cat", "a b"], input=b"from here").out == "a b\nfrom here"
    with pytest.raises(CommandError, match="exit code 3\nno such luck"):
        machine.run("echo no such luck >&2; exit 3")
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run("sleep 60", timeout=0.5)
    machine.put(b"\0secret", "/root/new/it's mine", 0o600)
    assert machine.get("/root/new/it's mine") == b"\0secret"
    assert machine.run(["stat", "-c", "%a", "/root/new/it's mine"]).out == "600\n"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "hello").write_text("#!/bin/sh\necho hello")
    (tmp_path / "bin" / "hello").chmod(0o755)
    machine.copy(tmp_path, "/opt/tree")
    assert machine.run("/opt/tree/bin/hello").out == "hello\n"
    assert Docker(machine.docker_socket)("info", "-f", "{{.Name}} {{.Driver}}") == f"{machine.name} overlay2"


def test_two_machines_differ(two_machines: tuple[Machine, Machine]) -> None:
    seen = []
    for machine in two_machines:
        identity = machine.run("hostname; cat /etc/machine-id /proc/sys/kernel/random/boot_id").out.split()
        identity.append(machine.run("cat /proc/sys/kernel/random/uuid; head -c 8 /dev/urandom | od -x").out)
        seen.append(identity)
        assert abs(float(machine.run("date +%s.%N").out) - time.time()) < 5
    assert all(a != b for a, b in zip(*seen, strict=True)), seen


def test_a_power_cut_keeps_what_was_flushed_and_boots_again(machine: Machine) -> None:
    before = machine.run("cat /proc/sys/kernel/random/boot_id").out
    machine.run("echo kept >/root/flushed; sync -f /root/flushed; echo lost >/dev/shm/memory")
    machine.reboot_hard()
    assert machine.run("cat /proc/sys/kernel/random/boot_id").out != before
    assert machine.run("cat /root/flushed; ls /dev/shm").out == "kept\n"
    assert machine.run("hostname").out == f"{machine.name}\n"
    machine.run("docker info", timeout=120)


def test_a_killed_machine_is_gone_at_once(machine: Machine) -> None:
    machine.kill()
    with pytest.raises(CommandError):
        machine.run("true")


def test_a_paused_machine_answers_later(machine: Machine) -> None:
    machine.pause()
    with pytest.raises(subprocess.TimeoutExpired):
        machine.run("true", timeout=1)
    machine.resume()
    machine.run("true")


def test_an_unplugged_machine_is_out_of_reach_until_it_is_plugged_in(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        reach = f"timeout 3 bash -c 'exec 3<>/dev/tcp/{machine.share_address}/{port}'"
        machine.run(reach)
        machine.unplug()
        with pytest.raises(subprocess.TimeoutExpired):
            machine.run("true", timeout=1)
        machine.plug()
        machine.run(reach)


def test_a_cut_port_drops_packets_until_it_is_healed(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        reach = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}/{}'"
        port, spared = (reach.format(machine.share_address, s.getsockname()[1]) for s in (server, other))
        machine.cut(server.getsockname()[1])
        assert machine.run(port, check=False).code == 124
        machine.run(spared)
        machine.heal()
        machine.run(port)


def test_a_snapshot_is_made_once(machine_snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "Machine", None)
    assert snapshot.ensure(machine_snapshot.runtime) == machine_snapshot
