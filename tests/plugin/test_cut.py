"""What becomes of a network share's last writes. The kernel's force is counted, since a local mount has no server."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from azurefile import flush, kernelmount, liveness, mounter, mounts, network, protocols
from azurefile.attachments import Attachments
from azurefile.engine import Engine
from azurefile.flush import Flush
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.mounter import Mounter
from azurefile.owner import Container
from azurefile.protocols.nfs import Nfs
from azurefile.restarter import Restarter
from azurefile.stoppedmemory import StoppedMemory
from azurefile.stopper import Stopper
from azurefile.volumes import VolumeStore
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.shared import Machine, volume

pytestmark = pytest.mark.root

FORCE, DETACH = 1, 2


class Kernel:
    """The C library, with every unmount told, and a flush that waits for the server to come back."""

    def __init__(self) -> None:
        self.unmounts: list[tuple[str, int, bool]] = []
        self.server = threading.Event()
        self.server.set()
        self.flushing = threading.Event()
        self._libc = mounts._libc
        self.then: Callable[[], None] = lambda: None

    def mount(self, *arguments: Any) -> int:
        return int(self._libc.mount(*arguments))

    def umount2(self, target: bytes, flags: int) -> int:
        path = Path(os.fsdecode(target))
        self.unmounts.append((path.name, flags & (FORCE | DETACH), mounts.is_mounted(path)))
        self.then()
        return int(self._libc.umount2(target, flags))

    def syncfs(self, descriptor: int) -> int:
        self.flushing.set()
        self.server.wait(30)
        return int(self._libc.syncfs(descriptor))

    def forces(self) -> list[tuple[str, bool]]:
        return [(name, mounted) for name, flags, mounted in self.unmounts if flags == FORCE]


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    made = Kernel()
    monkeypatch.setattr(mounts, "_libc", made)
    monkeypatch.setattr(flush, "_libc", made)
    monkeypatch.setattr(mounts, "_FORCE_SECONDS", 0.01)
    yield made
    made.server.set()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "mounts" / "dbs"
    made.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", made], check=True)
    yield made
    subprocess.run(["umount", "-l", made, made.with_name("other")], check=False, capture_output=True)


def test_the_force_is_repeated_on_a_mount_in_its_place_until_nothing_writes_any_more(
    kernel: Kernel, target: Path
) -> None:
    cut(target, kernel, rounds=4)
    assert kernel.forces() == [("dbs", True)] * 5
    assert [flags for _, flags, _ in kernel.unmounts][-1] == DETACH
    assert not target.exists()


def test_what_never_ends_is_unmounted_all_the_same(
    kernel: Kernel, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "_CUT_SECONDS", 1)
    mounts.cut(target, lambda: False)
    assert len(kernel.forces()) > 2
    assert not target.exists()


def test_another_volumes_writes_to_the_same_file_system_are_not_cut(kernel: Kernel, target: Path) -> None:
    other = target.parent / "other"
    other.mkdir()
    mounts.bind(str(target), other)
    cut(target, kernel, rounds=0)
    assert kernel.forces() == []
    assert not target.exists()
    cut(other, kernel, rounds=0)
    assert kernel.forces() == [("other", True)]


def test_a_flush_is_waited_for_while_the_server_answers(kernel: Kernel, target: Path) -> None:
    kernel.server.clear()
    running = Flush(target)
    assert kernel.flushing.wait(5)
    threading.Timer(0.3, kernel.server.set).start()
    assert running.settled(0.05, 20)
    assert running.over()


def test_a_flush_to_a_server_that_is_away_or_too_slow_is_given_up(
    kernel: Kernel, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.server.clear()
    assert not Flush(target).settled(0.05, 0.2)
    monkeypatch.setattr(mounts, "answers", lambda *_: False)
    running = Flush(target)
    assert not running.settled(0.05, 60)
    assert not running.over()


def test_a_flush_that_the_kernel_ends_with_an_error_has_not_settled(
    kernel: Kernel, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "syncfs", lambda _: -1)
    assert not Flush(target).settled(5, 5)


def test_while_the_last_writes_are_on_their_way_no_other_volume_gets_the_folder(
    kernel: Kernel, target: Path, one: Machine
) -> None:
    lease = one.claim()
    lease.owner.containers = [Container("c" * 64, "mydb", pid=2**22 + 1, ticks=1)]
    kernel.server.clear()
    thread = threading.Thread(target=let_go, args=(one, target))
    thread.start()
    assert kernel.flushing.wait(5)
    with pytest.raises(Held):
        one.claim("other")
    kernel.server.set()
    thread.join(20)
    one.claim("other")


def test_a_folder_is_given_back_once_nothing_is_mounted_any_more(kernel: Kernel, target: Path, one: Machine) -> None:
    one.claim()
    held: list[list[str]] = []
    kernel.then = lambda: held.append(one.leases.held())
    let_go(one, target)
    assert held == [["dbs"]] * len(kernel.unmounts)
    assert not target.exists()
    assert one.leases.held() == []


@pytest.mark.parametrize("answers", [True, False])
def test_the_last_writes_of_a_volume_are_cut_only_if_its_server_is_away(
    kernel: Kernel, target: Path, one: Machine, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(mounter, "_FLUSH_SECONDS", 0.05)
    monkeypatch.setattr(mounts, "answers", lambda *_: answers)
    one.claim()
    kernel.server.clear()
    thread = threading.Thread(target=let_go, args=(one, target))
    thread.start()
    assert kernel.flushing.wait(5)
    threading.Timer(0.5, kernel.server.set).start()
    thread.join(20)
    assert one.leases.of("dbs") is None
    assert not target.exists()
    assert all(forced == ("dbs", True) for forced in kernel.forces())
    # By then the flush that it had begun is over.
    assert (len(kernel.forces()) > 3) is not answers
    assert not (answers and kernel.forces())


def test_what_holds_a_killed_process_in_the_kernel_is_ended_again_and_again(
    kernel: Kernel, target: Path, one: Machine, engine: FakeEngine
) -> None:
    lease = one.claim()
    mydb = FakeContainer("mydb", "dbs")
    lease.owner.containers = [known(mydb)]
    kernel.server.clear()

    def then() -> None:
        if len(kernel.forces()) == 4:
            mydb.kill()

    kernel.then = then
    dead_when_forgotten: list[bool] = []
    memory = StoppedMemory(target.parent.parent / "stopped")
    stopper = Stopper(
        Engine(str(engine.path)),
        lambda _: target,
        lambda _: dead_when_forgotten.append(mydb.process.poll() is not None),
        memory,
        Restarter(Engine(str(engine.path)), lambda _: False, lambda _: None, memory),
    )
    lease.taken = True
    stopper.stop(lease)
    assert dead_when_forgotten == [True]
    assert len(kernel.forces()) > 4
    assert all(mounted for _, mounted in kernel.forces())
    assert kernel.flushing.is_set()
    assert not target.exists()


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_an_exclusive_nfs_volume_can_be_cut_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclusive: str
) -> None:
    given: list[Any] = []

    @contextmanager
    def detached(fstype: str, source: str, options: kernelmount.MountOptions) -> Iterator[int]:
        given.append(options)
        yield -1

    monkeypatch.setattr(kernelmount, "detached", detached)
    monkeypatch.setattr(kernelmount, "attach", lambda *_: None)
    monkeypatch.setattr(network, "reach", lambda *_: network.Address("10.0.0.4", 2049, "10.0.0.5"))
    Nfs().mount(volume("dbs", protocol="nfs", server="nfs", exclusive=exclusive), tmp_path)
    assert ("nosharecache" in given[0]) is (exclusive == "true")
    assert "hard" in given[0]


def known(container: FakeContainer) -> Container:
    pid = container.process.pid
    return Container(container.id, container.name, pid=pid, ticks=liveness.start_ticks(pid))


def cut(target: Path, kernel: Kernel, *, rounds: int) -> None:
    """Cut a mount that something writes to for some more rounds."""
    mounts.cut(target, lambda: len(kernel.forces()) >= rounds)


def let_go(machine: Machine, target: Path) -> None:
    """End the last mount of volume `dbs`."""
    keeper = Keeper(machine.leases, 60, lambda _: None)
    state = target.parent.parent / "state"
    state.mkdir()
    attachments = Attachments(state, target.parent)
    ways, held = protocols.available(state, 60), (machine.leases, machine.holders, machine.fence)
    Mounter(VolumeStore(state / "volumes"), attachments, ways, *held, keeper)._let_go("dbs")
