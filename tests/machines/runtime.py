"""What machines run in: containers on this machine's kernel where that mounts shares itself, else QEMU."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.machines.nspawn import Nspawn
from tests.machines.qemu import Qemu

Runtime = Qemu | Nspawn
# not br_netfilter, which changes what this machine's bridges let through
MODULES = ("cifs", "cmac", "ccm", "gcm", "nfsv4", "overlay", "loop", "tun", "veth", "fuse")
VARIABLE = "DATADOCKER_TEST_MACHINES"
KINDS: dict[str, type[Runtime]] = {"qemu": Qemu, "nspawn": Nspawn}


def chosen() -> type[Runtime]:
    """Returns Nspawn where the kernel has CIFS and NFS, or what DATADOCKER_TEST_MACHINES names."""
    mounts_shares = {"cifs", "nfs4", "overlay"} <= set(_filesystems().split())
    named = os.environ.get(VARIABLE) or ("nspawn" if mounts_shares else "qemu")
    if named not in KINDS:
        raise ValueError(f'{VARIABLE} is "{named}"; it must be one of {", ".join(KINDS)}')
    return KINDS[named]


@cache
def _filesystems() -> str:
    # where there are no modules to load it may be built in
    if shutil.which("modprobe"):
        subprocess.run(["modprobe", "-qa", *MODULES], check=False, capture_output=True)
    return Path("/proc/filesystems").read_text()
