"""Machines stopped in the middle of their work, kept in the cache by their inputs' hash, to be restored in seconds."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.machines import image, qemu, storage
from tests.machines.machine import Machine
from tests.machines.qemu import Memory
from toolchain import cache
from toolchain.progress import say

# what the first command after a restore would otherwise have to read from the disk
WARM_UP = """
systemctl is-system-running --wait || systemctl --failed --no-legend | grep -v . || { systemctl --failed; exit 1; }
docker info >/dev/null
modprobe -a cifs cmac ccm gcm nfsv4 overlay br_netfilter veth xt_conntrack xt_MASQUERADE xt_addrtype fuse
mount.cifs -V >/dev/null 2>&1 || true; mount.nfs4 -V >/dev/null 2>&1 || true
perl -e1; python3 -c 'import json, socket'; tar --version >/dev/null; iptables-save >/dev/null; mount >/dev/null
journalctl --sync; sync
"""


@dataclass(frozen=True)
class Snapshot:
    """A machine's memory, devices and disk at one moment."""

    image: Path
    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.qcow2"

    @property
    def ram(self) -> Path:
        return self.folder / "ram"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def restore(self, name: str | None = None) -> Machine:
        """Returns a new machine that goes on from here with a hostname, machine id and boot id of its own.

        Use it in a `with`. `name` is its hostname. What has an identity that is not renewed: the engine (see
        `Machine.renew_engine`), the SSH host key and the MAC address.
        """
        memory = Memory(self.ram, self.state)
        return Machine(self.image, self.disk, memory=memory, name=name)


def ensure() -> Snapshot:
    """Returns a machine that has just booted: its engine answers, the clients of SMB and NFS are loaded.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """
    made_of = image.ensure()

    def make(folder: Path) -> None:
        with _progress("booting the test machine once"), _machine(made_of, folder, made_of / "disk.raw") as machine:
            machine.run(WARM_UP, timeout=300)
            machine.save()

    folder = cache.entry(f"machine-{_digest(made_of.name)}", make)
    storage.use(made_of, folder)
    return Snapshot(made_of, folder)


def derived(base: Snapshot, label: str, inputs: str, prepare: Callable[[Machine, Path], None]) -> Snapshot:
    """Returns what `base` has become after `prepare(machine, folder)`; made once for each `inputs`.

    What `prepare` puts into `folder` is in the snapshot's folder afterwards.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """

    def make(folder: Path) -> None:
        subprocess.run(["cp", "--sparse=always", base.ram, folder / "ram"], check=True)
        for name in ("state", "boot_id"):
            shutil.copy(base.folder / name, folder)
        with _progress(f"preparing the test machine: {label}"), _machine(base.image, folder, base.disk) as machine:
            prepare(machine, folder)
            machine.run("journalctl --sync; sync")
            machine.save()

    folder = cache.entry(f"machine-{label}-{_digest(base.folder.name + inputs)}", make)
    storage.use(base.image, base.folder, folder)
    return Snapshot(base.image, folder)


def _machine(made_of: Path, folder: Path, backing: Path) -> Machine:
    memory = Memory(folder / "ram", folder / "state", shared=True)
    return Machine(made_of, backing, memory=memory, disk=folder / "disk.qcow2", name="snapshot")


def _digest(inputs: str) -> str:
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(version + inputs.encode() + WARM_UP.encode() + Path(qemu.__file__).read_bytes())
    return digest.hexdigest()[:16]


class _progress:
    """Says what begins and how long it took."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._started = time.monotonic()
        say(f"{self._what} …")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            say(f"{self._what}: done in {time.monotonic() - self._started:.0f} s")
