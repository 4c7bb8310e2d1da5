"""Nothing stays behind, not even if the tests are killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.machines.snapshot import Snapshot
from tests.plugin.harness import REPOSITORY

# a machine from a thread that has ended, and a share that is a mount
PROGRAM = """
from concurrent.futures import ThreadPoolExecutor
from tests.machines import runtime, snapshot
from tests.machines.nfs import GaneshaServer
from tests.machines.samba import SambaServer

with ThreadPoolExecutor(1) as pool:
    machine = pool.submit(snapshot.ensure(runtime.chosen()).restore).result()
samba, ganesha = SambaServer(), GaneshaServer("dbs")
samba.add_share("small", limit=1 << 20)
machine.run("true")
print(machine.folder.parent, flush=True)
input()
"""


def mentioned(folder: str) -> list[str]:
    """Processes and mounts that have to do with the folder."""
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if folder in line]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            found.append(command)
    return found


def run_until_it_is_up(end: signal.Signals | None) -> str:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True
    )
    assert process.stdout is not None
    folder = process.stdout.readline().strip()
    assert process.poll() is None
    assert len(mentioned(folder)) > 5
    if end is None:
        process.communicate("\n", 60)
    else:
        os.kill(process.pid, end)
        process.wait(60)
    return folder


@pytest.mark.parametrize("end", [signal.SIGKILL, None], ids=["killed", "ended"])
def test_nothing_is_left_of_a_test_run_that_closed_nothing(
    machine_snapshot: Snapshot, end: signal.Signals | None
) -> None:
    folder = run_until_it_is_up(end)
    deadline = time.monotonic() + 20
    while (left := mentioned(folder)) or Path(folder).exists():
        assert time.monotonic() < deadline, left or [*map(str, Path(folder).rglob("*"))]
        time.sleep(0.1)
