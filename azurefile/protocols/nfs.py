"""NFS 4.1 shares: the kernel's client for the data, and a mount of the share's root for the fence."""

import os
import tempfile
import threading
from pathlib import Path

from azurefile import attachpoint, kernelerrors, kernelmount, mounts, network, room
from azurefile.errors import ShareError, StaleMount
from azurefile.options import Options
from azurefile.protocols.nfs_folder import MountedFolder
from azurefile.sharedstore import SharedStore
from azurefile.store import LockStore
from azurefile.stores import Stores
from azurefile.volumes import Volume

_PORT = 2049
_ANSWER_SECONDS = 10.0
# The fence's own mount: nothing cached, and no call waits for longer than some seconds.
_CONTROL: dict[str, str | None] = {
    "soft": None,
    "timeo": "20",
    "retrans": "2",
    "noac": None,
    "lookupcache": "none",
    "nosharecache": None,
}
# Linux's server delegates files to who opens them, and asks a host that vanished for them until its lease ends, so that
# nobody else renews or locks meanwhile. What is opened so is not delegated (fs/nfs/nfs4proc.c).
_UNDELEGATED = os.O_DIRECT


class Nfs:
    """Exports of NFS servers, premium Azure Files above all."""

    def __init__(self) -> None:
        """Begin with no store."""
        self._stores = Stores[SharedStore]()

    def prepare(self) -> None:
        """Nothing to get ready."""

    def mount(self, volume: Volume, target: Path) -> None:
        """Mount the export, and of it the volume's folder, made if it is missing. Raises ShareError."""
        options = volume.options
        reached = _reached(volume)
        try:
            with kernelmount.detached("nfs4", _source(options), reached | mount_options(options)) as root:
                attachpoint.place(root, volume, target, own=True)
        except kernelmount.KernelError as error:
            raise _refused(volume, error) from error

    def create(self, volume: Volume) -> None:
        """An export can't be made from here. Raises ShareError."""
        raise ShareError(f'share "{volume.options.share}": a missing NFS export can only be made on its server')

    def locks(self, volume: Volume, account: str) -> SharedStore:
        """The fence of the volume's share, over one mount for each share."""
        share = volume.options.share
        key = (_source(volume.options), str(volume.options.port or _PORT))
        return self._stores.get(key, lambda: SharedStore(MountedFolder(_Control(volume), share, _UNDELEGATED), share))

    def forget(self, store: LockStore) -> None:
        """Make a new store when one is needed again."""
        self._stores.forget(store)

    def forget_volume(self, volume: Volume) -> None:
        """Nothing is kept of a volume."""

    def where(self, volume: Volume) -> dict[str, str]:
        """The server, and the path that it exports."""
        return {"server": _server(volume.options), "export": _path(volume.options)}

    def session(self, volume: Volume, known: str) -> str:
        """Volumes share one: an NFS server ends what a vanished host has by itself."""
        return ""

    def in_force(self, options: Options) -> dict[str, str]:
        """The kernel's options, without what the server's address decides."""
        return kernelmount.shown(mount_options(options))

    def refresh(self, volume: Volume, target: Path) -> None:
        """Tell whether the mount still can come back: the kernel never asks for a name's address again."""
        if mounts.answers(target, _ANSWER_SECONDS):
            return
        mounted = mounts.server_address(target)
        if mounted and _moved(volume, mounted):
            raise StaleMount("its server is at another address now, and a mount stays at the old one")


class _Control:
    """The fence's own mount of an export, where only this plugin sees it."""

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._root: Path | None = None
        self._descriptor = -1
        self._address = ""
        self._guard = threading.Lock()

    def opened(self) -> int:
        """A descriptor of its root, mounted at the latest now; who calls closes it. Raises ShareError or OSError."""
        with self._guard:
            if self._root is None:
                root = self._mount()
                try:
                    self._descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                except OSError:
                    mounts.detach(root)
                    raise
                self._root = root
            return os.dup(self._descriptor)

    def drop(self) -> None:
        """Unmount it; what is open there stays open until it is closed."""
        with self._guard:
            root, self._root = self._root, None
            if root is not None:
                os.close(self._descriptor)
        if root is not None:
            mounts.detach(root)

    def moved(self) -> bool:
        """Whether the server's name means other addresses than the one that is mounted."""
        return _moved(self._volume, self._address)

    def _mount(self) -> Path:
        options = self._volume.options
        given = _reached(self._volume) | _CONTROL
        with room.needed(f'share "{options.share}" can\'t be mounted', "the engine's data"):
            root = Path(tempfile.mkdtemp(prefix="azurefile-fence-", dir="/tmp"))
        try:
            with kernelmount.detached("nfs4", _source(options), given) as descriptor:
                kernelmount.attach(descriptor, root)
        except kernelmount.KernelError as error:
            mounts.detach(root)
            raise _refused(self._volume, error) from error
        self._address = given["addr"] or ""
        return root


def mount_options(options: Options) -> dict[str, str | None]:
    """The kernel's options for a volume's data, whatever its server's address."""
    given = _every(options) | {"hard": None}
    if options.actimeo is not None:
        given["actimeo"] = str(options.actimeo)
    if options.exclusive:
        # A file system of its own, which can be cut alone. Other volumes share one copy of their files in memory.
        given["nosharecache"] = None
    return given


def _every(options: Options) -> dict[str, str | None]:
    """What every mount of an export has."""
    # All mounts of a server use the connections of the first, which may be the fence's.
    return {"vers": options.vers or "4.1", "sec": "sys", "nconnect": str(options.nconnect or 1)}


def _reached(volume: Volume) -> dict[str, str | None]:
    """What every mount of an export needs, once its server has answered."""
    options = volume.options
    address = network.reach(_server(options), options.port or _PORT, _said_by(options))
    return _every(options) | {
        "proto": "tcp6" if ":" in address.ip else "tcp",
        "addr": address.ip,
        "clientaddr": address.local_ip,
        "port": str(address.port),
    }


def _refused(volume: Volume, error: kernelmount.KernelError) -> ShareError:
    options = volume.options
    told = kernelerrors.Told(
        _source(options), _server(options), options.port or _PORT, options.account, _said_by(options)
    )
    return kernelerrors.share_error(volume, "nfs4", error, told)


def _moved(volume: Volume, address: str) -> bool:
    return network.moved(_server(volume.options), volume.options.port or _PORT, address)


def _server(options: Options) -> str:
    return options.server or f"{options.account}.{network.PUBLIC_SUFFIX}"


def _said_by(options: Options) -> str:
    return network.BY_SERVER if options.server else network.BY_ACCOUNT


def _path(options: Options) -> str:
    return f"/{options.account}/{options.share}" if options.account else f"/{options.share}"


def _source(options: Options) -> str:
    server = _server(options)
    return f"[{server}]:{_path(options)}" if ":" in server else f"{server}:{_path(options)}"
