"""The fence's folder on a share that the kernel has mounted: small files, and locks at the server."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from azurefile.errors import ShareSilent
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols.flock import FlockLock, lock_file


class Root(Protocol):
    """Where a share's root is mounted."""

    def path(self) -> Path:
        """The folder, mounted at the latest now. Raises ShareError."""

    def drop(self) -> None:
        """Forget a mount whose share the server no longer has, so that the next call mounts it anew."""


class MountedFolder:
    """Files in the fence's folder below a mount. Raises ShareError for a share that fails."""

    def __init__(self, root: Root, share: str) -> None:
        """Use the mount of `root`; `share` is named in errors."""
        self._root = root
        self._share = share

    def names(self) -> list[str]:
        """The files."""
        with self._failing():
            try:
                return os.listdir(self._folder())
            except FileNotFoundError:
                return []

    def read(self, name: str) -> tuple[bytes, float] | None:
        """A file and when it was written."""
        with self._failing():
            try:
                with (self._folder() / name).open("rb") as file:
                    return file.read(), os.fstat(file.fileno()).st_mtime
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> float:
        """Replace a file by renaming a new one over it."""
        with self._failing():
            temporary = self._made() / f".{name}.{os.getpid()}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                written = os.fstat(file.fileno()).st_mtime
            temporary.rename(self._folder() / name)
            return written

    def remove(self, name: str) -> None:
        """Delete a file."""
        with self._failing(), contextlib.suppress(FileNotFoundError):
            (self._folder() / name).unlink()

    def lock(self, name: str) -> "MountedLock | None":
        """Lock a file, which on NFS the server does for all its clients."""
        with self._failing():
            lock = lock_file(self._made() / name)
            return MountedLock(lock, self._share) if lock is not None else None

    def _folder(self) -> Path:
        return self._root.path() / RESERVED_FOLDER

    def _made(self) -> Path:
        folder = self._folder()
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        return folder

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno == errno.ESTALE:
                # The share was made anew on its server: this handle never comes back.
                self._root.drop()
            raise ShareSilent(f'share "{self._share}" fails: {error.strerror or error}') from error


class MountedLock:
    """An flock on a share's file, which its server forgets if it does not hear of this host for long."""

    def __init__(self, lock: FlockLock, share: str) -> None:
        """Own a lock that was just taken."""
        self._lock = lock
        self._share = share

    def close(self) -> None:
        """Give the lock back; on a share that fails its server finds out by itself."""
        with contextlib.suppress(OSError):
            self._lock.close()

    def confirm(self) -> bool:
        """Write through the lock's own descriptor: once the lock is lost, the kernel refuses that with EIO."""
        try:
            os.pwrite(self._lock.descriptor, b"\n", 0)
            os.fsync(self._lock.descriptor)
        except OSError as error:
            if error.errno in (errno.EIO, errno.ESTALE, errno.EBADF):
                return False
            raise ShareSilent(f'share "{self._share}" fails: {error.strerror}') from error
        return True
