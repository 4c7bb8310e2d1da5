"""`python3 -m tests.plugin.bound`: the plugin, where folders stand for what the kernel would mount.

The fence is the real one: over SMB by the plugin's own client, over NFS in the folder SHARE_FOLDER. Not every kernel
knows to mount the rest.
"""

import os
import sys
from pathlib import Path
from unittest.mock import patch

from azurefile import mounts
from azurefile.__main__ import main
from azurefile.protocols import nfs, smb
from azurefile.volumes import Volume


def _mount(_: object, __: Volume, target: Path) -> None:
    mounts.bind(os.environ["SHARE_FOLDER"], target)


def _root(_: nfs._Control) -> Path:
    return Path(os.environ["SHARE_FOLDER"])


if __name__ == "__main__":
    with (
        patch.object(smb.Smb, "mount", _mount),
        patch.object(nfs.Nfs, "mount", _mount),
        patch.object(nfs._Control, "_mount", _root),
        # That folder's file system may want whole blocks then.
        patch.object(nfs, "_UNDELEGATED", 0),
    ):
        sys.exit(main())
