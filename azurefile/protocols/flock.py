"""A share's fence in one folder of the host: records, and flocks that end with their process."""

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from azurefile import files
from azurefile.errors import ShareError
from azurefile.owner import Owner
from azurefile.store import Record, is_locked

log = logging.getLogger(__name__)

# A claim takes milliseconds, and another plugin that starts with its host may have hundreds to make.
_MUTEX_SECONDS = 20.0


class FlockStore:
    """A share's fence in one folder of the host: `<key>.json` records and `<key>.lock` flocks."""

    shared = False
    account = ""
    answering_since = 0.0

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when the first claim needs it."""
        self._folder = folder
        # This process queues here: those that poll for one file overtake each other.
        self._queue = threading.Lock()

    @contextlib.contextmanager
    def mutex(self, seconds: float | None = None) -> Iterator[bool]:
        """Hold the share's mutex; who stopped in the middle of a claim is waited for for some seconds."""
        seconds = _MUTEX_SECONDS if seconds is None else seconds
        deadline = time.monotonic() + seconds
        if not self._queue.acquire(timeout=seconds):
            raise self._busy()
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._wait(".mutex", deadline)
            try:
                yield True
            finally:
                lock.close()
        finally:
            self._queue.release()

    def records(self, but: Collection[str] = ()) -> list[Record]:
        """Every record but those of `but`; one that a power cut tore is of an earlier boot and holds nothing.

        One that can't be read although its plugin runs is of another version, and is in the way.
        """
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        keys = [n.removesuffix(".json") for n in names if n.endswith(".json") and not n.startswith(".")]
        found = (self.read(key) for key in keys if key not in but)
        return [record for record in found if record is not None]

    def now(self) -> float:
        """One host has the share, and no record of it runs out."""
        return 0.0

    def read(self, key: str) -> Record | None:
        """One record, as `records` would tell it."""
        try:
            return Record(Owner.from_json(files.read_json(self._folder / f"{key}.json")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            if is_locked(self, key):
                raise ShareError(
                    f'share "{self._folder.name}": the owner record {key}.json of a plugin that '
                    "runs can't be read; use the same version of the plugin for both"
                ) from error
            log.warning("owner record not readable", extra={"file": f"{key}.json", "error": error})
            return None

    def write(self, owner: Owner) -> None:
        """Replace one record."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_json(self._folder / f"{owner.key}.json", owner.to_json(), durable=False)

    def take(self, owner: Owner, by: str) -> None:
        """Note that a dead holder's folder was given; `by` is on this host too."""
        owner.released = time.time()
        self.write(owner)

    def spare(self, owner: Owner, by: str) -> None:
        """Nobody takes what a living holder of this host has."""

    def end_session(self, owner: Owner, age: float) -> None:
        """What a dead process had open is closed."""

    def lock(self, key: str) -> "FlockLock | None":
        """Take the flock beside a record."""
        return lock_file(self._folder / f"{key}.lock")

    def delete(self, key: str) -> None:
        """Remove a record and its lock file."""
        for suffix in ("json", "lock"):
            files.remove(self._folder / f"{key}.{suffix}")

    def close(self) -> None:
        """Nothing is open between two calls."""

    def _wait(self, name: str, deadline: float) -> "FlockLock":
        while True:
            lock = lock_file(self._folder / name)
            if lock is not None:
                return lock
            if time.monotonic() > deadline:
                raise self._busy()
            time.sleep(0.002)

    def _busy(self) -> ShareError:
        return ShareError(
            f'share "{self._folder.name}": another volume plugin keeps its fence busy; '
            "try again, and look for a plugin process that is stopped"
        )


class FlockLock:
    """An flock that ends when it is closed or its process dies."""

    def __init__(self, descriptor: int) -> None:
        """Own an open, locked file."""
        self.descriptor = descriptor

    def close(self) -> None:
        """Give the lock back."""
        if self.descriptor >= 0:
            # Its number is free whatever close says, and soon another file's.
            descriptor, self.descriptor = self.descriptor, -1
            os.close(descriptor)

    def confirm(self) -> bool:
        """A local lock is never lost."""
        return True

    def room(self) -> int | None:
        """Not told: it is the host's disk."""
        return None


def lock_file(path: Path | str, folder: int | None = None, flags: int = 0) -> FlockLock | None:
    """Take the flock of a file, made if it is missing; None while another process has it.

    With `folder`, the descriptor of one, the path starts there. It is opened with `flags`, too.
    """
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        descriptor = os.open(path, flags, 0o600, dir_fd=folder)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The file may have been deleted between the two calls: a lock on it excludes nobody.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path, dir_fd=folder, follow_symlinks=False)):
                    return FlockLock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
