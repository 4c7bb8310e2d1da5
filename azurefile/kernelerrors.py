"""What the kernel says when a mount fails, as one line with option, value and remedy."""

import errno

from azurefile.errors import ShareError, ShareSilent
from azurefile.kernelmount import KernelError
from azurefile.volumes import Volume

_KEY = "put the account's present key into its credentials file"
_SMB = {
    errno.EACCES: f'option "account": the server refuses it with this key, or refuses this host; {_KEY}',
    errno.EPERM: "the server asks for encryption or signing that option vers does not have; use vers=3.1.1",
    errno.ENOENT: 'option "share": the server has no such share; make it, or create the volume with create=true',
    errno.ENXIO: 'option "share": the server has no such share; make it, or create the volume with create=true',
    errno.EHOSTDOWN: 'option "server": it does not answer in SMB; check server and port',
    errno.EOPNOTSUPP: 'option "vers": the server does not speak this dialect; use another one',
    errno.EKEYREJECTED: f'option "account": the server refuses its key; {_KEY}',
}
_NFS = {
    errno.EACCES: (
        'option "share": the server exports it, but not to this host; allow this host\'s address or network there '
        "(Azure: the account's network settings, and no secure transfer)"
    ),
    errno.EPERM: 'option "share": the server does not allow this host; allow its address there',
    errno.ENOENT: 'option "share": the server exports no such path; make the share, or correct account and share',
    errno.EPROTONOSUPPORT: 'option "vers": the server does not speak NFS 4.1; an account must be premium for it',
    errno.EPROTO: 'option "vers": the server does not speak NFS 4.1; an account must be premium for it',
}
_BOTH = {
    errno.ETIMEDOUT: 'option "server": it stopped answering; check it and the network between',
    errno.EHOSTDOWN: 'option "server": it does not answer; check it and the network between',
    errno.ECONNREFUSED: 'option "port": nothing answers there; check server and port',
    errno.EHOSTUNREACH: 'option "server": no route leads there; check the network',
    errno.ENETUNREACH: 'option "server": no route leads there; check the network',
    errno.ECONNRESET: 'option "server": it closed the connection; check that it allows this host',
    errno.ECONNABORTED: 'option "server": it closed the connection; check that it allows this host',
    errno.EPIPE: 'option "server": it closed the connection; check that it allows this host',
    errno.ENOMEM: "the host is out of memory; free some",
}
# What a server that restarts, or a network that is away for a moment, makes the kernel say.
_SILENT = {
    errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENETUNREACH,
}  # fmt: skip


def share_error(volume: Volume, fstype: str, error: KernelError) -> ShareError:
    """The error of a Mount that the kernel refused; ShareSilent if the server was not to be reached."""
    options = volume.options
    place = f'share "{options.share}"' + (f" on {options.server}" if options.server else "")
    where = f"{place} can't be mounted"
    if error.errno == errno.ENODEV:
        module = "nfsv4" if fstype == "nfs4" else fstype
        return ShareError(
            f"{where}: the host's kernel has no {fstype}; run modprobe {module} on the host, and if that fails install "
            "the kernel that has it (Debian: linux-image-cloud-amd64 or linux-image-amd64)"
        )
    if error.errno == errno.EPERM and error.step.startswith("file system"):
        return ShareError(f"{where}: the plugin has no right to mount; it needs CAP_SYS_ADMIN")
    known = _BOTH | (_NFS if fstype == "nfs4" else _SMB)
    said = f" (the kernel says: {error.words})" if error.words else ""
    if error.errno in known:
        kind = ShareSilent if error.errno in _SILENT else ShareError
        return kind(f"{where}: {known[error.errno]}{said}")
    return ShareError(f"{where}: {error.strerror} at {error.step}{said}; see the kernel's log on the host (dmesg)")
