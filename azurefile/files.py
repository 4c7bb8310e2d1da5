"""Small files that are either the old one or the new one, never half of each."""

import contextlib
import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

from azurefile.room import FULL


def write_json(path: Path, value: Any, *, durable: bool) -> None:
    """Replace `path` (mode 0600) atomically; `durable` also survives a power cut.

    State that a reboot voids anyway is written with `durable=False`: no fsync, no waiting, and
    on a full disk in the room that it has already.
    """
    # A thread's own: a lease is remembered by the one that grants it and by the one that renews it.
    temporary = path.with_name(f".{path.name}.{threading.get_native_id()}.tmp")
    data = json.dumps(value, indent=1).encode() + b"\n"
    try:
        _replace(path, temporary, data, durable=durable)
    except OSError as error:
        if durable or error.errno not in FULL:
            raise
        try:
            _overwrite(path, data)
        except FileNotFoundError:
            raise error from None
    if durable:
        sync_folder(path.parent)


def _replace(path: Path, temporary: Path, data: bytes, *, durable: bool) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _overwrite(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        write_over(descriptor, data)
    finally:
        os.close(descriptor)


def write_over(descriptor: int, data: bytes) -> None:
    """Write over the whole of an old text at once; what was longer before is covered with spaces."""
    size = os.fstat(descriptor).st_size
    text = data.rstrip().ljust(size - 1) + b"\n"
    if len(text) > size:
        # Spaces first: where they find no room, the old text is still whole.
        write_all(descriptor, b" " * (len(text) - size), size)
    write_all(descriptor, text, 0)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it, also on a server. Raises OSError, too, if there is room for a part only."""
    if os.pwrite(descriptor, data, offset) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(descriptor)


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote; raises OSError or ValueError."""
    return json.loads(path.read_text(encoding="utf-8"))


def remove(path: Path) -> None:
    """Delete one file, durably; a missing one is fine."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
