"""A Docker engine of a test's own, on a disk of its own: it runs in a container of the machine's engine."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.engine.conftest import docker

# all that an engine needs, short of the machine's limits
RIGHTS = [
    "--cap-add=ALL", "--cap-drop=SYS_RESOURCE", "--cgroupns=host",
    *(f"--security-opt={what}=unconfined" for what in ("seccomp", "apparmor", "systempaths")),
]  # fmt: skip


class OwnEngine:
    """Its program is the machine's. Its socket and its data are in `folder`, under the same path for both."""

    def __init__(self, folder: Path, name: str, megabytes: int, image: str | None = None) -> None:
        """`megabytes`: the size of its disk; `image`: a small Debian, by default the one of the tests."""
        self.folder, self.name = folder, name
        self.socket = folder / "run/docker.sock"
        self.disk = folder / "disk"
        for made in (self.socket.parent, self.disk):
            made.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", self.disk], check=True)
        shared = [f"{path}:{path}" for path in (folder, "/sys/fs/cgroup")]
        shared += [f"{path}:{path}:ro" for path in ("/usr", "/etc/alternatives", "/etc/ssl")]
        docker(
            "run", "-d", "--name", name, *RIGHTS, *(p for path in shared for p in ("-v", path)),
            "--tmpfs=/run", "--tmpfs=/tmp", f"--tmpfs={folder}/root", "--entrypoint=sleep",
            image or os.environ.get("DATADOCKER_TEST_BASE_BOOKWORM", "debian:bookworm-slim"), "infinity",
        )  # fmt: skip
        docker("exec", name, "mount", "--make-rshared", "/")

    def start(self) -> None:
        """Starts it, also after it was killed."""
        docker("exec", self.name, "sh", "-c", "rm -f /run/docker.pid /run/docker/containerd/containerd.pid")
        docker(
            "exec", "-d", self.name, "sh", "-c",
            f"exec dockerd --host=unix://{self.socket} --data-root={self.disk}/docker --bip=10.77.0.1/24 "
            f">>{self.folder}/log 2>&1",
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while "Server" not in self("version", check=False):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL; its containers are left running."""
        pid = docker("exec", self.name, "cat", "/run/docker.pid")
        docker("exec", self.name, "sh", "-c", f"kill -9 {pid}; while [ -d /proc/{pid} ]; do sleep 0.05; done")

    def stop(self) -> None:
        """Ends it; what it has is on its disk."""
        pid = docker("exec", self.name, "cat", "/run/docker.pid")
        docker("exec", self.name, "sh", "-c", f"kill {pid}; while [ -d /proc/{pid} ]; do sleep 0.05; done")

    def fill(self, leaving: int) -> None:
        """Leaves that many megabytes of its disk."""
        free = os.statvfs(self.disk)
        with (self.disk / "filler").open("wb") as filler:
            os.posix_fallocate(filler.fileno(), 0, free.f_bavail * free.f_frsize - (leaving << 20))

    def empty(self) -> None:
        """Frees what `fill` took."""
        (self.disk / "filler").unlink()

    def __call__(self, *arguments: str, check: bool = True) -> str:
        """Runs the docker CLI on it."""
        return docker("-H", f"unix://{self.socket}", *arguments, check=check)

    def close(self) -> None:
        """Removes it and all that it has."""
        docker("rm", "-f", self.name, check=False)
        subprocess.run(["umount", "-l", self.disk], check=False)
