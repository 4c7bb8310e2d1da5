"""Images and snapshots stay in the toolchain's cache until nobody has used them for a week."""

import os
import shutil
import time
from pathlib import Path

from toolchain import cache

UNUSED_SECONDS = 7 * 24 * 3600


def use(*folders: Path) -> None:
    """Notes that these entries of the cache are used, and removes the machines' others that were not for long."""
    for folder in folders:
        os.utime(folder)
    for folder in cache.root().glob("machine-*"):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
