"""Starting an engine where there is none, also after one of ours was killed without warning."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
# mounts and a network of its own: the machine's engine is not disturbed
SCRIPT = """
set -e
mount -t tmpfs none /run
mkdir /run/lock
mount -t tmpfs none /var/lib/docker
ip link set lo up
start() {
    timeout 100 python3 -c '
import pathlib
from toolchain import engine
engine.LOG = pathlib.Path("/run/dockerd.log")
engine.ensure()
engine.ensure()'
    docker version --format answers
}
start
kill -9 "$(cat /run/docker.pid)" "$(cat /run/docker/containerd/containerd.pid)"
start
daemon=$(cat /run/docker.pid)
kill -9 "$daemon"
start
daemon=$(cat /run/docker.pid)
kill "$daemon"
while [ -e /run/docker.pid ]; do sleep 0.1; done
"""


@pytest.mark.exclusive_engine
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dockerd"), reason="needs root and an engine's program")
def test_an_engine_is_started_and_started_again_after_it_was_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-m", "-n", "--propagation", "private", "bash", "-c", SCRIPT],
        cwd=CHECKOUT, text=True, capture_output=True, check=False, timeout=400,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "DOCKER_HOST": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["answers"] * 3
    assert done.stderr.count("starting the Docker engine: done") == 3
