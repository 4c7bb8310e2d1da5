"""Is a process still alive, as the kernel has it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from azurefile import liveness
from tests.plugin.harness import eventually

pytestmark = pytest.mark.root

# It ends one thread, where the C library's exit ends all.
_SYS_EXIT = {"x86_64": 60, "aarch64": 93}


def test_what_can_not_be_looked_at_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when this process has no descriptor left."""
    pid = os.getpid()
    ticks = liveness.start_ticks(pid)
    assert ticks is not None

    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, "read_text", refuse)
    assert liveness.process_alive(pid, ticks)
    assert liveness.container_alive("f" * 64)


def test_a_reused_pid_is_not_the_holder() -> None:
    with subprocess.Popen(["sleep", "100"]) as process:
        ticks = liveness.start_ticks(process.pid)
        assert ticks is not None
        assert liveness.process_alive(process.pid, ticks)
        assert not liveness.process_alive(process.pid, ticks - 1)
        process.kill()
        # Not waited for yet: a zombie writes nothing.
        eventually(lambda: _assert_dead(process.pid, ticks))
    assert not liveness.process_alive(process.pid, ticks)


def test_a_process_whose_first_thread_has_ended_is_alive() -> None:
    program = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(100,)).start()\n"
        f"ctypes.CDLL(None).syscall({_SYS_EXIT[os.uname().machine]}, 0)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        eventually(lambda: _assert_zombie(process.pid))
        assert liveness.start_ticks(process.pid) is not None
        process.kill()


def _assert_zombie(pid: int) -> None:
    assert ") Z " in Path(f"/proc/{pid}/stat").read_text()


def _assert_dead(pid: int, ticks: int) -> None:
    assert not liveness.process_alive(pid, ticks)
