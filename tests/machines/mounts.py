"""Mounts made by hand in a machine, with what the project's presets would set."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.machines.command import Ran
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.samba import SambaServer

CREDENTIALS = "/root/credentials"
SMB = "vers=3.1.1,seal,mfsymlinks,nosharesock,uid=999,gid=999,cache=strict,actimeo=30"
NFS = "vers=4.1,nconnect=4,proto=tcp,sec=sys"


def mount_smb(machine: Machine, server: SambaServer, share: str, target: str, *more: str, check: bool = True) -> Ran:
    """Mounts a share in a machine; `more` are further options."""
    machine.put(server.credentials, CREDENTIALS, 0o600)
    options = ",".join([SMB, f"port={server.port}", f"credentials={CREDENTIALS}", *more])
    return machine.run(
        f"mkdir -p {target} && mount -t cifs -o {options} //{machine.share_address}/{share} {target}", check=check
    )


def mount_nfs(machine: Machine, server: GaneshaServer, export: str, target: str, *more: str, check: bool = True) -> Ran:
    """Mounts an export in a machine; `more` are further options."""
    options = ",".join([NFS, f"port={server.port}", *more])
    return machine.run(
        f"mkdir -p {target} && mount -t nfs4 -o {options} {machine.share_address}:/{export} {target}", check=check
    )


@contextmanager
def hold_lock(machine: Machine, path: str) -> Iterator[None]:
    """Holds an flock(2) on a file in a machine, for as long as the machine lives or the context lasts."""
    line = f"exec 3>>{shlex.quote(path)} && flock -n 3 && echo locked && exec cat"
    with machine.popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"locked\n"
            yield
        finally:
            holder.kill()
