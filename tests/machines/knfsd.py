"""Linux's own NFS server, in a machine of its own: it delegates files to its clients, which nfs-ganesha does not."""

from tests.machines.machine import Machine

_PORT = 2049
# Version 4 alone, which needs no portmapper; the exports' clients are asked for by mountd.
_START = """\
set -e
modprobe nfsd
mountpoint -q /proc/fs/nfsd || mount -t nfsd nfsd /proc/fs/nfsd
mkdir -p {folders} /var/lib/nfs/v4recovery
echo {lease} > /proc/fs/nfsd/nfsv4leasetime
echo 10 > /proc/fs/nfsd/nfsv4gracetime
rpc.mountd -N 3
exportfs -o rw,no_root_squash,insecure,no_subtree_check {exports}
rpc.nfsd -N 3 -V 4.1 8
"""


class KernelNfsServer:
    """Exports are folders of the machine's root, mounted as `SERVER:/NAME` with `vers=4.1,port=…`."""

    def __init__(self, machine: Machine, *exports: str, lease: int) -> None:
        """Starts it; a client's files are delegated to it for `lease` seconds after its last sign of life."""
        self.machine = machine
        folders = " ".join(f"/{name}" for name in exports)
        shown = " ".join(f"'*:/{name}'" for name in exports)
        machine.run(_START.format(folders=folders, exports=shown, lease=lease), timeout=120)
        self.port = machine.forward(_PORT)
