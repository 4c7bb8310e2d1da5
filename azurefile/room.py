"""Room on the host's disks for what the plugin keeps there."""

import contextlib
import errno
from collections.abc import Iterator

from azurefile.errors import ROOT, DiskFull

FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def needed(what: str, place: str = ROOT) -> Iterator[None]:
    """Raise DiskFull in place of the OSError of a disk without room; `what` failed, and `place` is on that disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(f"{what}: the disk of {place} is full; free some space on it") from error
