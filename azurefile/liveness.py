"""Is a process or a container still alive, answered by the kernel and not by the engine."""

import os
import time
from pathlib import Path

_PROC = Path("/proc")
_DEAD_STATES = ("Z", "X", "x")


def boot_id() -> str:
    """The identity of this boot of the machine; nothing that was mounted before it still is."""
    return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def clock() -> float:
    """Seconds since boot, asleep or not; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def start_ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None if it is gone or a zombie.

    A pid alone can be reused; pid and start together can't.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command, in parentheses, may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _DEAD_STATES else int(fields[19])


def process_alive(pid: int, ticks: int) -> bool:
    """Whether that very process runs."""
    return start_ticks(pid) == ticks


def container_alive(container: str) -> bool:
    """Whether any process belongs to the container, found by its cgroup (slow: scans /proc)."""
    for entry in os.scandir(_PROC):
        if entry.name.isdigit():
            try:
                cgroup = (_PROC / entry.name / "cgroup").read_text(encoding="utf-8")
            except OSError:
                continue
            if container in cgroup:
                return True
    return False
