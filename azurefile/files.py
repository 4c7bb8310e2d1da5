"""Small files that are either the old one or the new one, never half of each."""

import contextlib
import json
import os
import threading
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any, *, durable: bool) -> None:
    """Replace `path` (mode 0600) atomically; `durable` also survives a power cut.

    State that a reboot voids anyway is written with `durable=False`: no fsync, no waiting.
    """
    # A thread's own: a lease is remembered by the one that grants it and by the one that renews it.
    temporary = path.with_name(f".{path.name}.{threading.get_native_id()}.tmp")
    _replace(path, temporary, value, durable=durable)
    if durable:
        sync_folder(path.parent)


def _replace(path: Path, temporary: Path, value: Any, *, durable: bool) -> None:
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


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
