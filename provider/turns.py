"""Stacks of one user of this machine take turns at what they share on an engine."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from provider.resource import Failure


@contextlib.contextmanager
def turn(what: str, *, shared: bool = False) -> Iterator[None]:
    """Waits until no other run is at `what`, a plugin's folder or a database; `shared` ones don't exclude each other.

    The lock is the kernel's, so that a killed run holds none.

    Raises:
        Failure: if the lock's file can't be made.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    cache = (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "datadocker"
    file = cache / "locks" / f"plugin{what.replace('/', '-')}.lock"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        opened = file.open("a")
    except OSError as error:
        raise Failure(f"{file} can't be written: {error.strerror}; set XDG_CACHE_HOME to a folder that can") from error
    with opened:
        fcntl.flock(opened, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
