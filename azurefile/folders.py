"""The way to a volume's folder, part by part and without following links.

Whoever can write to a share could otherwise point a part of the path anywhere on the host.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence

from azurefile.errors import ShareError, ShareSilent
from azurefile.mounts import AWAY
from azurefile.options import LOCAL
from azurefile.room import FULL
from azurefile.volumes import Volume

DEFAULT_DIRMODE = 0o755
# Of a folder that has neither owner nor mode yet, as nobody would set it; whoever meets it ends what was begun.
_UNFINISHED = 0o1700


@contextlib.contextmanager
def opened(root: int, parts: Sequence[str], volume: Volume, *, share_first: bool, own: bool) -> Iterator[int]:
    """Open the folder `parts` below `root`, made where it is missing; yields its descriptor.

    `share_first`: the first part is the share itself. `own`: a folder that is made gets the
    volume's owner and mode, which not every file system can keep. Raises ShareError, ShareSilent
    if a share's server does not answer.
    """
    share = volume.options.share
    descriptor = os.dup(root)
    try:
        for position, part in enumerate(parts):
            below_share = parts[1 : position + 1] if share_first else parts[: position + 1]
            what = f'folder "{"/".join(below_share)}" of share "{share}"' if below_share else f'share "{share}"'
            try:
                below = _open_part(descriptor, part, volume, own=own)
            except OSError as error:
                away = volume.options.protocol != LOCAL and error.errno in AWAY
                raise (ShareSilent if away else ShareError)(f"{what} {_reason(error)}") from error
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _open_part(parent: int, name: str, volume: Volume, *, own: bool) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    made = False
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if volume.options.create is False:
            raise
        # Another volume of the same share may be faster; what it made is left as it is.
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, _UNFINISHED if own else DEFAULT_DIRMODE, dir_fd=parent)
            made = True
        descriptor = os.open(name, flags, dir_fd=parent)
    try:
        if own and (made or _unfinished(descriptor)):
            _finish(descriptor, volume)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _unfinished(descriptor: int) -> bool:
    """Whether a folder was made and nothing else, by a Mount that failed or was killed, or is about to end it."""
    # Some parents pass their setgid bit on.
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode) & ~stat.S_ISGID
    return mode == _UNFINISHED and not os.listdir(descriptor)


def _finish(descriptor: int, volume: Volume) -> None:
    options = volume.options
    os.fchown(descriptor, options.uid or 0, options.gid or 0)
    os.fchmod(descriptor, DEFAULT_DIRMODE if options.dirmode is None else options.dirmode)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "does not exist; make it, or create the volume without create=false"
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is a symbolic link or a file; it must be a folder (to keep it on another disk, mount the disk there)"
    if error.errno in FULL:
        return "can't be made: the disk is full; free some space on the host"
    return f"can't be opened: {error.strerror}"
