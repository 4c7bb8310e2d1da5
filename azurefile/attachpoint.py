"""Puts a share that is mounted nowhere yet, or one folder of it, on a volume's mount point."""

import os
import tempfile
from pathlib import Path

from azurefile import folders, kernelmount, mounts, room
from azurefile.volumes import Volume


def place(root: int, volume: Volume, target: Path, *, own: bool) -> None:
    """Attach a detached mount's root, or the volume's folder below it, which is made if it is missing.

    A folder is bound by way of a mount point that only this plugin has, for as long as it takes.
    """
    if not volume.options.folder:
        kernelmount.attach(root, target)
        return
    with room.needed(f'volume "{volume.name}" can\'t be mounted', "the engine's data"):
        private = Path(tempfile.mkdtemp(prefix="azurefile-", dir="/tmp"))
    try:
        kernelmount.attach(root, private)
        inside = os.open(private, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            parts = volume.options.folder.split("/")
            with folders.opened(inside, parts, volume, share_first=False, own=own) as descriptor:
                mounts.bind(f"/proc/self/fd/{descriptor}", target)
        finally:
            os.close(inside)
    finally:
        mounts.detach(private)
