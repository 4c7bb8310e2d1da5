"""A machine that is a container of systemd-nspawn(1): Debian with its own init, on this machine's kernel.

It has namespaces of its own for processes, mounts and the network. What it shares with all others is the kernel: its
clock, its boot id as containers in it see it, and what was written before a power cut, of which nothing is lost.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.machines.process import Supervised
from tests.machines.qemu import Memory
from tests.machines.slirp import Slirp

# all that it mounts goes with the namespace
START = """
set -e
echo 0 >"$1/cgroup.procs"
# where that has the older hierarchies, this one covers them
[ -e /sys/fs/cgroup/cgroup.procs ] || mount -t cgroup2 none /sys/fs/cgroup
mount -o loop "$2" "$3"
shift 3
exec systemd-nspawn --quiet --boot --register=no --keep-unit --console=pipe --resolv-conf=off --machine=ddtest \\
    --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE --bind=/dev/fuse --bind=/dev/kmsg "$@"
"""
# the engine in it needs the kernel's keyrings, and settings of its network
ENVIRONMENT = {
    "SYSTEMD_SECCOMP": "0",
    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
    "SYSTEMD_NSPAWN_LOCK": "0",
}
# the profiles of the engine's containers, where this machine has such
PROFILES = Path("/sys/kernel/security")
END_SECONDS = 30


class Nspawn:
    """One container, its disk and its network. SSH is forwarded from a free port of 127.0.0.1."""

    packages = ("systemd-container", "slirp4netns", "mount", "util-linux")
    programs = ("systemd-nspawn", "slirp4netns", "unshare", "losetup")
    disk = "disk.raw"
    saved = ()
    own_kernel = False
    restored = False

    def __init__(self, image: Path, folder: Path, disk: Path, *, memory: Memory | None = None) -> None:
        """Boots it from `disk`; it has no `memory` of its own."""
        self.console = folder / "console.log"
        self._group = _new_group(folder.name)
        root = folder / "root"
        root.mkdir(exist_ok=True)
        # one that has just ended may still be unmounting it
        _wait(lambda: not subprocess.check_output(["losetup", "--noheadings", "--associated", disk]))
        given = [f"--directory={root}", *([f"--bind={PROFILES}"] if PROFILES.exists() else [])]
        variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        apart = ["unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
        script: list[str | Path] = ["sh", "-c", START, "sh", self._group, disk, root, *given]
        self._process = Supervised(["env", *variables, *apart, *script], log=self.console)
        try:
            _wait(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != os.readlink("/proc/self/ns/net"))
            self._network = Slirp(self.pid, folder)
            self.ssh_port = self.forward(22)
        except BaseException as error:
            with contextlib.suppress(TimeoutError):
                self._kill()
            error.add_note(self.console.read_text(errors="replace")[-2000:])
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @staticmethod
    def overlay(backing: Path, disk: Path) -> None:
        """Makes a disk that is what `backing` is, and keeps its own changes."""
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", backing, disk], check=True)

    def wake(self) -> None:
        """Has nothing to do: none is restored asleep."""

    def pause(self) -> None:
        """Stops all its processes."""
        (self._group / "cgroup.freeze").write_text("1")

    def resume(self) -> None:
        """Goes on where `pause` stopped."""
        (self._group / "cgroup.freeze").write_text("0")

    def unplug(self) -> None:
        """Pulls the network cable."""
        self._link("down")

    def plug(self) -> None:
        """Plugs it in again."""
        self._link("up")

    def save(self) -> None:
        """Shuts it down, as its owner does."""
        (nspawn,) = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        os.kill(int(nspawn), signal.SIGTERM)
        self.wait(60)
        self.close()

    def wait(self, seconds: float) -> None:
        """Waits until the machine has switched itself off."""
        self._process.wait(seconds)

    def close(self) -> None:
        """Kills it.

        Raises:
            TimeoutError: if the kernel has something to write to a share whose server is gone, which it waits for.
        """
        try:
            self._kill()
        finally:
            self._network.close()

    def forward(self, port: int) -> int:
        """Returns a port of 127.0.0.1 that leads to one of the machine's."""
        return self._network.forward(port)

    def host_ports(self) -> set[int]:
        """Ports of 127.0.0.1 from which the machine's connections come to servers on this machine."""
        return self._network.host_ports()

    def _kill(self) -> None:
        try:
            if self._group.exists():
                # all at once, so that none writes what others no longer answer for
                (self._group / "cgroup.kill").write_text("1")
                _wait(lambda: "populated 0" in (self._group / "cgroup.events").read_text())
                _remove_group(self._group)
        finally:
            self._process.kill()

    def _link(self, state: str) -> None:
        command = ["nsenter", f"--net=/proc/{self.pid}/ns/net", "ip", "link", "set", "eth0", state]
        subprocess.run(command, check=True)


def _new_group(name: str) -> Path:
    """Makes a control group (docs.kernel.org, cgroup-v2), and removes those of tests that are gone."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    top = next(Path(line.split()[4]) for line in lines if " - cgroup2 " in line)
    for other in top.glob("ddtest-*-*"):
        if not Path("/proc", other.name.split("-")[1]).exists():
            _remove_group(other)
    group = top / f"ddtest-{os.getpid()}-{name}"
    group.mkdir()
    return group


def _remove_group(group: Path) -> None:
    for path, _, _ in os.walk(group, topdown=False):
        # another test run may be at it, or what was killed not be gone yet: then it is removed another time
        with contextlib.suppress(OSError):
            os.rmdir(path)


def _wait(check: Callable[[], object]) -> None:
    """Waits for what nobody tells of."""
    end = time.monotonic() + END_SECONDS
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {END_SECONDS} s")
        time.sleep(0.01)
