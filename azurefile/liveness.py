"""Is a process or a container still alive, answered by the kernel and not by the engine."""

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_DEAD_STATES = ("X", "x")
_ZOMBIE = "Z"
_GONE = (FileNotFoundError, ProcessLookupError)


def boot_id() -> str:
    """The identity of this boot of the machine; nothing that was mounted before it still is."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def pid_namespace() -> int:
    """The number of the PID namespace that this process's view of others is of; no two that live have the same."""
    return (_PROC / "self/ns/pid").stat().st_ino


def clock() -> float:
    """Seconds since boot, asleep or not; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if it is gone or a zombie.

    A pid alone can be reused; pid and start together can't. Raises OSError if it can't be told.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except _GONE:
        return None
    # The command, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    state, threads, ticks = fields[0], int(fields[17]), int(fields[19])
    # A process whose first thread has ended looks like a zombie, and its other threads write on.
    dead = state in _DEAD_STATES or (state == _ZOMBIE and threads <= 1)
    return None if dead else ticks


def process_alive(pid: int, ticks: int) -> bool:
    """Whether that very process runs, or may: this process can be out of descriptors, for one."""
    try:
        return start_ticks(pid) == ticks
    except OSError:
        return True


@dataclass(frozen=True)
class Process:
    """A process of this boot, told from a later one of the same number by its start."""

    pid: int
    ticks: int

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process of that number, None if it is gone or can't be seen."""
        with contextlib.suppress(OSError):
            if pid and (ticks := start_ticks(pid)) is not None:
                return cls(pid, ticks)
        return None

    def alive(self) -> bool:
        """Whether it still runs, or may."""
        return process_alive(self.pid, self.ticks)


def container_alive(container: str) -> bool:
    """Whether any process belongs to the container, or may, found by its cgroup (slow: scans /proc)."""
    try:
        return any(container in _cgroup(entry) for entry in os.listdir(_PROC) if entry.isdigit())
    except OSError:
        return True


def _cgroup(pid: str) -> str:
    try:
        return (_PROC / pid / "cgroup").read_text(encoding="utf-8")
    except _GONE:
        return ""
