"""Folders on this machine as shares: a bind mount, and a fence of flocks beside it."""

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from azurefile import files, mounts
from azurefile.errors import ShareError
from azurefile.fence import Owner
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

_MUTEX_SECONDS = 1.0
_DEFAULT_DIRMODE = 0o755


class Local:
    """Shares below ROOT/shares, their fence below ROOT/fence."""

    name = "local"

    def __init__(self, root: Path) -> None:
        """Use the plugin's folder on the host."""
        self._shares = root / "shares"
        self._fence = root / "fence"

    def mount(self, volume: Volume, target: Path) -> None:
        """Bind-mount the volume's folder, made if it is missing.

        The folder is walked part by part without following links: whoever can write to a share
        could otherwise point a part of the path anywhere on the host.
        """
        with _open_folder(self._shares, volume) as descriptor:
            mounts.bind(f"/proc/self/fd/{descriptor}", target)

    def locks(self, volume: Volume) -> "FlockStore":
        """The fence of the volume's share."""
        return FlockStore(self._fence / volume.options.share)


@contextlib.contextmanager
def _open_folder(shares: Path, volume: Volume) -> Iterator[int]:
    options = volume.options
    parts = [options.share, *(options.folder.split("/") if options.folder else [])]
    descriptor = os.open(shares, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for position, part in enumerate(parts):
            if position == 0:
                what = f'share "{part}"'
            else:
                what = f'folder "{"/".join(parts[1 : position + 1])}" of share "{options.share}"'
            try:
                below = _open_part(descriptor, part, volume)
            except OSError as error:
                raise ShareError(f'volume "{volume.name}": {what} {_reason(error)}') from error
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _open_part(parent: int, name: str, volume: Volume) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        if volume.options.create is False:
            raise
    options = volume.options
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        # Another volume of the same share was faster; what it made is left as it is.
        return os.open(name, flags, dir_fd=parent)
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        os.fchown(descriptor, options.uid or 0, options.gid or 0)
        os.fchmod(descriptor, _DEFAULT_DIRMODE if options.dirmode is None else options.dirmode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "does not exist; make it, or create the volume with create=true"
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is a symbolic link or a file; it must be a folder (to keep it on another disk, mount the disk there)"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "can't be made: the disk is full; free some space on the host"
    return f"can't be opened: {error.strerror}"


class FlockStore:
    """A share's fence in one folder of the host: `<key>.json` records and `<key>.lock` flocks."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when the first claim needs it."""
        self._folder = folder

    @contextlib.contextmanager
    def mutex(self) -> Iterator[None]:
        """Hold the share's mutex; claims last milliseconds, so waiting is bounded by a second."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._wait(".mutex", time.monotonic() + _MUTEX_SECONDS)
        try:
            yield
        finally:
            lock.close()

    def owners(self) -> list[Owner]:
        """Every record; one that a power cut tore is of an earlier boot and holds nothing.

        One that can't be read although its plugin runs is of another version, and is in the way.
        """
        found = []
        try:
            names = sorted(os.listdir(self._folder))
        except FileNotFoundError:
            return []
        for name in names:
            if name.startswith(".") or not name.endswith(".json"):
                continue
            try:
                found.append(Owner.from_json(files.read_json(self._folder / name)))
            except (OSError, ValueError, TypeError, KeyError) as error:
                if self.locked(name.removesuffix(".json")):
                    raise ShareError(
                        f'share "{self._folder.name}": the owner record {name} of a plugin that '
                        "runs can't be read; use the same version of the plugin for both"
                    ) from error
                log.warning("owner record not readable", extra={"file": name, "error": error})
        return found

    def write(self, owner: Owner) -> None:
        """Replace one record."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_json(self._folder / f"{owner.key}.json", owner.to_json(), durable=False)

    def lock(self, key: str) -> "FlockLock | None":
        """Take the flock beside a record."""
        return self._try(f"{key}.lock")

    def locked(self, key: str) -> bool:
        """Whether a process has that flock."""
        lock = self._try(f"{key}.lock")
        if lock is None:
            return True
        lock.close()
        return False

    def delete(self, key: str) -> None:
        """Remove a record and its lock file."""
        for suffix in ("json", "lock"):
            files.remove(self._folder / f"{key}.{suffix}")

    def _wait(self, name: str, deadline: float) -> "FlockLock":
        while True:
            lock = self._try(name)
            if lock is not None:
                return lock
            if time.monotonic() > deadline:
                raise ShareError(
                    f'share "{self._folder.name}": another volume plugin keeps its fence busy; '
                    "try again, and look for a plugin process that is stopped"
                )
            time.sleep(0.002)

    def _try(self, name: str) -> "FlockLock | None":
        path = self._folder / name
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        while True:
            descriptor = os.open(path, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            # The file may have been deleted between the two calls: a lock on it excludes nobody.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    return FlockLock(descriptor)
            os.close(descriptor)


class FlockLock:
    """An flock that ends when it is closed or its process dies."""

    def __init__(self, descriptor: int) -> None:
        """Own an open, locked file."""
        self._descriptor = descriptor

    def close(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
