"""Images and snapshots stay in the toolchain's cache for a week without use, the latest of each kind."""

import os
import shutil
import time
from collections import defaultdict
from pathlib import Path

from toolchain import cache

UNUSED_SECONDS = 7 * 24 * 3600
# each change of the demo's images makes one of 2 GB; several checkouts may work side by side
KEPT = 4


def use(*folders: Path) -> None:
    """Notes that these entries of the cache are used, and removes the machines' others that need not be kept."""
    for folder in folders:
        os.utime(folder)
    kinds = defaultdict(list)
    for folder in cache.root().glob("machine-*"):
        if folder.is_dir():
            # what comes last in a name is its inputs' hash, or the process that is still making it
            kinds[folder.name.rpartition("-")[0]].append((folder.stat().st_mtime, folder))
    for entries in kinds.values():
        for number, (used, folder) in enumerate(sorted(entries, reverse=True)):
            if number >= KEPT or time.time() - used > UNUSED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
