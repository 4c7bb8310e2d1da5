"""Machines stopped in the middle of their work, kept in the cache by their inputs' hash, to be restored in seconds."""

import hashlib
import inspect
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.machines import image, storage
from tests.machines.machine import Machine
from tests.machines.qemu import Memory, Qemu
from tests.machines.runtime import Runtime
from toolchain import cache
from toolchain.progress import say

# what the first command after a restore would otherwise have to read from the disk
WARM_UP = """
systemctl is-system-running --wait
# this one fails where the kernel has no NFS
systemctl --failed --plain --no-legend | grep -v '^run-rpc_pipefs.mount ' && exit 1
docker info >/dev/null
modprobe -a cifs cmac ccm gcm nfsv4 overlay br_netfilter veth xt_conntrack xt_MASQUERADE xt_addrtype fuse
mount.cifs -V >/dev/null 2>&1 || true; mount.nfs4 -V >/dev/null 2>&1 || true
perl -e1; python3 -c 'import json, socket'; tar --version >/dev/null; iptables-save >/dev/null; mount >/dev/null
journalctl --sync; sync -f /
"""


@dataclass(frozen=True)
class Snapshot:
    """A machine's memory, devices and disk at one moment."""

    image: Path
    folder: Path
    runtime: type[Runtime] = Qemu

    @property
    def disk(self) -> Path:
        return self.folder / self.runtime.disk

    def restore(self, name: str | None = None) -> Machine:
        """Returns a new machine that goes on from here with a hostname, machine id and boot id of its own.

        Use it in a `with`. `name` is its hostname. What has an identity that is not renewed: the engine (see
        `Machine.renew_engine`), the SSH host key and the MAC address.
        """
        memory = _memory(self.folder, self.runtime)
        return Machine(self.image, self.disk, runtime=self.runtime, memory=memory, name=name)


def ensure(runtime: type[Runtime] = Qemu) -> Snapshot:
    """Returns a machine that has just booted: its engine answers, the clients of SMB and NFS are loaded.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """
    made_of = image.ensure(runtime)

    def make(folder: Path) -> None:
        disk = made_of / "disk.raw"
        with _progress("booting the test machine once"), _machine(made_of, folder, disk, runtime) as machine:
            machine.run(WARM_UP, timeout=300)
            machine.save()

    folder = cache.entry(f"machine-{_digest(made_of.name, runtime)}", make)
    storage.use(made_of, folder)
    return Snapshot(made_of, folder, runtime)


def derived(base: Snapshot, label: str, inputs: str, prepare: Callable[[Machine, Path], None]) -> Snapshot:
    """Returns what `base` has become after `prepare(machine, folder)`; made once for each `inputs`.

    What `prepare` puts into `folder` is in the snapshot's folder afterwards.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """

    def make(folder: Path) -> None:
        for name in base.runtime.saved:
            subprocess.run(["cp", "--sparse=always", base.folder / name, folder], check=True)
        said, made = _progress(f"preparing the test machine: {label}"), (base.image, folder, base.disk, base.runtime)
        with said, _machine(*made) as machine:
            prepare(machine, folder)
            machine.run("journalctl --sync; sync -f /")
            machine.save()

    folder = cache.entry(f"machine-{label}-{_digest(base.folder.name + inputs, base.runtime)}", make)
    storage.use(base.image, base.folder, folder)
    return Snapshot(base.image, folder, base.runtime)


def _machine(made_of: Path, folder: Path, backing: Path, runtime: type[Runtime] = Qemu) -> Machine:
    memory = _memory(folder, runtime, shared=True)
    return Machine(made_of, backing, runtime=runtime, memory=memory, disk=folder / runtime.disk, name="snapshot")


def _memory(folder: Path, runtime: type[Runtime], *, shared: bool = False) -> Memory | None:
    """What a machine of QEMU's is saved to and restored from; another has its disk alone."""
    return Memory(folder / "ram", folder / "state", shared) if runtime is Qemu else None


def _digest(inputs: str, runtime: type[Runtime] = Qemu) -> str:
    version = subprocess.run([runtime.programs[0], "--version"], capture_output=True, check=True).stdout
    source = Path(inspect.getfile(runtime)).read_bytes()
    digest = hashlib.sha256(version + inputs.encode() + WARM_UP.encode() + source)
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
