"""What the kernel says when a mount fails, as one line with option, value and remedy."""

import errno
from dataclasses import dataclass

from azurefile.errors import ShareError, ShareSilent
from azurefile.kernelmount import KernelError
from azurefile.volumes import Volume

_KEY = "put the account's present key into its credentials file"
_SHARE = 'option "share" is "{share}": '
_VERS = 'option "vers" is "{vers}": '
_ACCOUNT = 'option "account" is "{account}": '
_NO_SHARE = _SHARE + "the server has no such share; make it, or (in Azure) create the volume with create=true"
_NO_NFS = _VERS + "the server does not speak NFS 4.1; an account must be premium for it"
_CLOSED = "{server} closed the connection; check that it allows this host"
_NO_ROUTE = "{server} can't be reached: no route leads there; check the network"
_SILENCE = "{server} does not answer on port {port}; check server and port, and the network between"
# The kernel says the same of both.
_NO_ENCRYPTION = (
    'options "vers" and "seal" are "{vers}" and "{seal}": the server does not speak this dialect, or does not encrypt; '
    "use another dialect, or seal=false where the network is trusted"
)
# Filled in by `share_error`.
_SMB = {
    errno.EACCES: _ACCOUNT + f"the server refuses it with this key, or refuses this host; {_KEY}",
    errno.EPERM: (
        'options "vers" and "seal" are "{vers}" and "{seal}": the server asks for encryption or signing that these do '
        "not give; use vers=3.1.1 and seal=true"
    ),
    errno.ENOENT: _NO_SHARE,
    errno.ENXIO: _NO_SHARE,
    errno.EHOSTDOWN: "{server} does not answer in SMB on port {port}; check server and port",
    errno.EOPNOTSUPP: _VERS + "the server does not speak this dialect; use another one",
    errno.EKEYREJECTED: _ACCOUNT + f"the server refuses its key; {_KEY}",
}
_NFS = {
    errno.EACCES: (
        _SHARE + "the server exports it, but not to this host; allow this host's address or network there "
        "(Azure: the account's network settings, and no secure transfer)"
    ),
    errno.EPERM: _SHARE + "the server does not allow this host; allow its address there",
    errno.ENOENT: _SHARE + "the server exports no such path: {source}; make it there, or correct {path}",
    errno.EPROTONOSUPPORT: _NO_NFS,
    errno.EPROTO: _NO_NFS,
}
_BOTH = {
    errno.ETIMEDOUT: _SILENCE,
    errno.EHOSTDOWN: _SILENCE,
    errno.ECONNREFUSED: 'option "port" is "{port}": nothing answers there; check server and port',
    errno.EHOSTUNREACH: _NO_ROUTE,
    errno.ENETUNREACH: _NO_ROUTE,
    errno.ECONNRESET: _CLOSED,
    errno.ECONNABORTED: _CLOSED,
    errno.EPIPE: _CLOSED,
    errno.ENOMEM: "the host is out of memory; free some",
}
# What a server that restarts, or a network that is away for a moment, makes the kernel say.
_SILENT = {
    errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.EHOSTDOWN,
    errno.EHOSTUNREACH, errno.ENETUNREACH,
}  # fmt: skip


@dataclass(frozen=True)
class Told:
    """What the kernel was told of a share, whoever said so."""

    # As in a table of mounts.
    source: str
    server: str
    port: int
    account: str | None
    # Who named the server.
    said_by: str


def share_error(volume: Volume, fstype: str, error: KernelError, told: Told) -> ShareError:
    """The error of a Mount that the kernel refused; ShareSilent if the server was not to be reached."""
    options = volume.options
    place = f'share "{options.share}"' + (f" on {options.server}" if options.server else "")
    where = f"{place} can't be mounted"
    if error.errno == errno.ENOSYS and error.step.startswith("file system"):
        return ShareError(f"{where}: this host's kernel is too old: SMB and NFS need Linux 5.2 or newer")
    if error.errno == errno.ENODEV:
        module = "nfsv4" if fstype == "nfs4" else fstype
        return ShareError(
            f"{where}: the host's kernel has no {fstype}; run modprobe {module} on the host, and if that fails install "
            "the kernel that has it (Debian: linux-image-cloud-amd64 or linux-image-amd64)"
        )
    if error.errno == errno.EPERM and error.step.startswith("file system"):
        return ShareError(f"{where}: the plugin has no right to mount; it needs CAP_SYS_ADMIN")
    known = _BOTH | (_NFS if fstype == "nfs4" else _SMB) | ({errno.EOPNOTSUPP: _NO_ENCRYPTION} if options.seal else {})
    said = f" (the kernel says: {error.words})" if error.words else ""
    if error.errno in known:
        kind = ShareSilent if error.errno in _SILENT else ShareError
        reason = known[error.errno].format(
            share=options.share,
            vers=options.vers,
            seal=str(options.seal).lower(),
            account=told.account,
            server=f"{told.said_by}: the server {told.server}",
            port=told.port,
            source=told.source,
            path="options account and share" if options.account else "option share",
        )
        return kind(f"{where}: {reason}{said}")
    return ShareError(f"{where}: {error.strerror} at {error.step}{said}; see the kernel's log on the host (dmesg)")
