"""Folders on this machine as shares: a bind mount, and a fence of flocks beside it."""

import os
from pathlib import Path

from azurefile import folders, mounts
from azurefile.options import Options
from azurefile.protocols.flock import FlockStore
from azurefile.store import LockStore
from azurefile.stores import Stores
from azurefile.volumes import Volume


class Local:
    """Shares below ROOT/shares, their fence below ROOT/fence."""

    def __init__(self, root: Path) -> None:
        """Use the plugin's folder on the host."""
        self._shares = root / "shares"
        self._fence = root / "fence"
        self._stores = Stores[FlockStore]()

    def prepare(self) -> None:
        """Nothing to get ready."""

    def mount(self, volume: Volume, target: Path) -> None:
        """Bind-mount the volume's folder, made if it is missing."""
        options = volume.options
        parts = [options.share, *(options.folder.split("/") if options.folder else [])]
        shares = os.open(self._shares, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with folders.opened(shares, parts, volume, share_first=True, own=True) as descriptor:
                mounts.bind(f"/proc/self/fd/{descriptor}", target)
        finally:
            os.close(shares)

    def create(self, volume: Volume) -> None:
        """Nothing to do: a share is a folder, made with the first mount."""

    def locks(self, volume: Volume, account: str) -> FlockStore:
        """The fence of the volume's share."""
        share = volume.options.share
        return self._stores.get((share,), lambda: FlockStore(self._fence / share))

    def forget(self, store: LockStore) -> None:
        """Make a new store when one is needed again."""
        self._stores.forget(store)

    def forget_volume(self, volume: Volume) -> None:
        """Nothing is kept of one."""

    def where(self, volume: Volume) -> dict[str, str]:
        """Nothing to add: the share is a folder of this host."""
        return {}

    def session(self, volume: Volume, known: str) -> str:
        """There is no server."""
        return ""

    def in_force(self, options: Options) -> dict[str, str]:
        """Nothing to add: a folder of this host is mounted without options."""
        return {}

    def refresh(self, volume: Volume, target: Path) -> None:
        """Nothing here changes while it is mounted."""
