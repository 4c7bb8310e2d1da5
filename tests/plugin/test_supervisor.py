"""A plugin whose worker is killed: another begins at once, where the one before was."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azurefile import liveness
from tests.plugin.harness import REPOSITORY, PluginProcess, eventually

pytestmark = pytest.mark.root

# Each worker does what it is told, letter by letter, and is a line of a file.
WORKERS = """
import os, pathlib, signal, sys
from azurefile import logs, supervisor
logs.configure("info")
worker = supervisor.begin_worker()
with open(sys.argv[1], "a") as file:
    print(os.getpid(), worker.first, file=file)
for letter in sys.argv[1 + len(pathlib.Path(sys.argv[1]).read_text().splitlines())]:
    if letter == "s":
        worker.serves()
    elif letter == "e":
        worker.ends()
    elif letter == "a":
        # asked to end, it is killed
        signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), 9))
        os.kill(os.getppid(), signal.SIGTERM)
        signal.pause()
    elif letter == "k":
        os.kill(os.getpid(), 9)
    else:
        sys.exit(int(letter))
"""
MOUNTS = """
import os, subprocess, sys
from azurefile import supervisor
worker = supervisor.begin_worker()
worker.serves()
with open("/proc/self/mountinfo") as table:
    mounts = [line.split()[4] for line in table if " ddtest " in line]
mounted = [folder for folder in sys.argv[1:] if folder in mounts]
print(*mounted, flush=True)
if not worker.first:
    sys.exit()
for folder in sys.argv[1:]:
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", folder], check=True)
os.kill(os.getpid(), 9)
"""


def test_a_call_right_after_is_answered_and_mounts_stay(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    target = plugin.mount("logs", "a")
    (target / "file").write_text("written")
    first, _ = plugin.pids
    workers = {plugin.pid}
    for _ in range(4):
        plugin.kill_worker()
        # a closed socket would refuse it
        assert plugin.names() == ["logs"]
        assert (target / "file").read_text() == "written"
        assert plugin.mounted("logs") == 1
        assert plugin.pids[0] == first
        workers.add(plugin.pid)
    assert len(workers) == 5
    assert plugin.log.read_text().count('level=warning msg="the plugin was killed, and begins anew" signal=9') == 4
    plugin.unmount("logs", "a")
    assert plugin.mounted("logs") == 0
    assert plugin.stop() == 0


def test_no_worker_outlives_the_plugin(plugin: PluginProcess) -> None:
    worker = plugin.pid
    # waits for the worker as well
    plugin.kill()
    assert liveness.start_ticks(worker) is None


def test_a_worker_that_is_only_stopped_is_no_killed_one(plugin: PluginProcess) -> None:
    worker = plugin.pid
    for number in (signal.SIGSTOP, signal.SIGCONT):
        os.kill(worker, number)
    assert plugin.names() == []
    assert plugin.pid == worker
    assert plugin.stop() == 0


def test_who_comes_while_it_ends_is_refused_and_comes_again(plugin: PluginProcess) -> None:
    """What is taken and lost comes again without its body, and has no answer."""
    key = plugin.root / "credentials/ddtest"
    key.touch(mode=0o600)
    key.write_text("key=secret\n")
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        # it says nothing, so the Mount is under way until the plugin has ended
        port = str(server.getsockname()[1])
        plugin.create("dbs", share="dbs", protocol="smb", server="127.0.0.1", port=port, account="ddtest")
        mounting = pool.submit(plugin.mount, "dbs", "a")
        server.settimeout(60)
        with server.accept()[0]:
            os.kill(plugin.pids[0], signal.SIGTERM)
            eventually(lambda: _assert_refused(plugin))
            assert not mounting.done()
            assert plugin.wait() == 0


def _assert_refused(plugin: PluginProcess) -> None:
    try:
        plugin.names()
    except ConnectionRefusedError:
        return
    except (OSError, http.client.HTTPException):
        # it was taken and dropped
        pass
    raise AssertionError("it is not refused yet")


@pytest.mark.parametrize(
    ("told", "code", "said"),
    [
        (["sk", "sk", "0"], 0, ""),
        (["sk", "3"], 3, ""),
        (["0"], 0, ""),
        (["k"], 1, "killed while it began or ended"),
        (["sk", "k"], 1, "killed while it began or ended"),
        (["sek"], 1, "killed while it began or ended"),
        (["sa"], 1, "killed while it began or ended"),
        (["sk"] * 10, 1, "killed again and again"),
    ],
)
def test_only_a_killed_worker_that_served_is_followed_by_another(
    tmp_path: Path, told: list[str], code: int, said: str
) -> None:
    file = tmp_path / "workers"
    command = [sys.executable, "-c", WORKERS, str(file), *told]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    workers = [line.split() for line in file.read_text().splitlines()]
    assert (done.returncode, len({pid for pid, _ in workers})) == (code, len(told))
    assert [first for _, first in workers] == ["True", *["False"] * (len(told) - 1)]
    assert (f"{said}: the plugin ends" in done.stderr) == bool(said)
    assert done.stderr.count("begins anew") == len(told) - 1


def test_only_what_the_engine_sees_too_stays_mounted(tmp_path: Path) -> None:
    own, seen = tmp_path / "own", tmp_path / "seen"
    for folder, propagation in ((own, ["private"]), (seen, ["private", "shared"])):
        folder.mkdir()
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        for kind in propagation:
            subprocess.run(["mount", f"--make-{kind}", folder], check=True)
    (seen / "logs").mkdir()
    try:
        command = [sys.executable, "-c", MOUNTS, str(own), str(seen / "logs")]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.splitlines() == ["", str(seen / "logs")]
    finally:
        subprocess.run(["umount", "-lR", own, seen], check=True)
