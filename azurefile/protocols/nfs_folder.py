"""The fence's folder on a share that the kernel has mounted: small files, and locks at the server."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from azurefile import files
from azurefile.errors import ShareError, ShareSilent
from azurefile.mounts import AWAY
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols.flock import FlockLock, lock_file
from azurefile.room import FULL

T = TypeVar("T")

_FILE_BYTES = 256 * 1024
# Two replacements of a file are seconds apart.
_LOOKS = 5
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# How an open or a rename ends that met a link, a pipe, a socket, a device or a folder.
_NOT_OPENED = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EACCES, errno.EISDIR, errno.ENODEV)


class Root(Protocol):
    """Where a share's root is mounted."""

    def opened(self) -> int:
        """A descriptor of it, mounted at the latest now, to be closed by who asked. Raises ShareError or OSError.

        It stays what it is when another thread has the share mounted anew: a path would then be the host's own folder.
        """

    def moved(self) -> bool:
        """Whether the server is not any more where it was mounted from."""

    def drop(self) -> None:
        """Unmount it: the server no longer has that share, or nobody needs it. The next call mounts it anew."""


class MountedFolder:
    """Files in the fence's folder below a mount. Raises ShareError for a share that fails.

    Whoever can write to the share's root can put anything in their place: so no link is followed,
    and nothing but a folder and plain files is opened.
    """

    def __init__(self, root: Root, share: str, flags: int = 0) -> None:
        """Use the mount of `root`; `share` is named in errors, and files are opened with `flags`, too."""
        self._root = root
        self._share = share
        self._flags = flags

    def names(self) -> list[str]:
        """The files."""
        with self._failing():
            return _not_stale(self._names)

    def _names(self) -> list[str]:
        try:
            with self._opened() as folder:
                return os.listdir(folder)
        except FileNotFoundError:
            return []

    def read(self, name: str) -> tuple[bytes, float] | None:
        """A file and when it was written."""
        with self._failing(name):
            return _not_stale(lambda: self._read(name))

    def _read(self, name: str) -> tuple[bytes, float] | None:
        try:
            with self._opened() as folder, _file(folder, name, os.O_RDONLY | self._flags) as descriptor:
                return os.read(descriptor, _FILE_BYTES), os.fstat(descriptor).st_mtime
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> float:
        """Replace a file by renaming a new one over it, or on a full share by the same room."""
        with self._failing(name):
            return _not_stale(lambda: self._write(name, data))

    def _write(self, name: str, data: bytes) -> float:
        # Neither another thread nor another host takes the same name.
        temporary = f".{name}.{secrets.token_hex(8)}"
        with self._opened(make=True) as folder:
            try:
                return _replace(folder, name, temporary, data, self._flags)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                with contextlib.suppress(FileNotFoundError):
                    return _overwrite(folder, name, data, self._flags)
                raise

    def remove(self, name: str) -> None:
        """Delete a file."""
        with self._failing(name):
            _not_stale(lambda: self._remove(name))

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._opened() as folder:
            os.unlink(name, dir_fd=folder)

    def end_session(self, session: str) -> None:
        """An NFS server does so by itself."""

    def lock(self, name: str) -> "MountedLock | None":
        """Lock a file, which on NFS the server does for all its clients."""
        with self._failing(name):
            lock = _not_stale(lambda: self._lock(name))
        return MountedLock(lock, self._share) if lock else None

    def _lock(self, name: str) -> FlockLock | None:
        with self._opened(make=True) as folder:
            lock = lock_file(name, folder, self._flags)
            if lock is None:
                return None
            try:
                _refuse_special(lock.descriptor)
            except OSError:
                lock.close()
                raise
            return lock

    def close(self) -> None:
        """Unmount the share."""
        self._root.drop()

    @contextlib.contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[int]:
        root = self._root.opened()
        try:
            folder = _fence(root, make=make)
        finally:
            os.close(root)
        try:
            yield folder
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _failing(self, *names: str) -> Iterator[None]:
        # Only of a path's last part does the kernel refuse to follow a link.
        if any("/" in name for name in names):
            raise ShareError(f'share "{self._share}": {names[0]} is no name of a file of the fence')
        try:
            yield
        except OSError as error:
            if error.errno == errno.ESTALE or (error.errno in AWAY and self._root.moved()):
                # The share was made anew on its server, or the server elsewhere: this handle never comes back.
                self._root.drop()
            elif error.errno in FULL:
                raise ShareError(f'share "{self._share}" is full; raise its quota or make room') from error
            elif error.errno in _NOT_OPENED and (found := self._strange(names)):
                raise ShareError(
                    f'share "{self._share}": {found} is a link or something else that the fence did not make; '
                    "remove it from the share"
                ) from error
            elif error.errno in _REFUSED:
                raise ShareError(
                    f'share "{self._share}": the server does not let root of this host write {RESERVED_FOLDER} in the '
                    f"share's root, where the fence is ({error.strerror}); allow it there (no root squash, not "
                    "read-only)"
                ) from error
            raise ShareSilent(f'share "{self._share}" fails: {error.strerror or error}; check its server') from error

    def _strange(self, names: tuple[str, ...]) -> str:
        """What is in the place of the fence's folder or of one of its files, if something is."""
        root = self._root.opened()
        try:
            with contextlib.suppress(OSError):
                if not stat.S_ISDIR(os.lstat(RESERVED_FOLDER, dir_fd=root).st_mode):
                    return RESERVED_FOLDER
            for name in names:
                with contextlib.suppress(OSError):
                    place = f"{RESERVED_FOLDER}/{name}"
                    if not stat.S_ISREG(os.lstat(place, dir_fd=root).st_mode):
                        return place
        finally:
            os.close(root)
        return ""


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
            if error.errno in FULL:
                # The server says so to who has the lock.
                return True
            raise ShareSilent(f'share "{self._share}" fails: {error.strerror}; check its server') from error
        return True

    def room(self) -> int | None:
        """As the server counts it for who is no root there."""
        try:
            told = os.fstatvfs(self._lock.descriptor)
        except OSError:
            return None
        return told.f_bavail * told.f_frsize if told.f_blocks else None


def _fence(root: int, *, make: bool) -> int:
    try:
        return os.open(RESERVED_FOLDER, _FOLDER, dir_fd=root)
    except FileNotFoundError:
        if not make:
            raise
    with contextlib.suppress(FileExistsError):
        os.mkdir(RESERVED_FOLDER, 0o700, dir_fd=root)
    return os.open(RESERVED_FOLDER, _FOLDER, dir_fd=root)


def _not_stale(look: Callable[[], T]) -> T:
    """Look again: another host may have replaced the file meanwhile. Of a share that is gone all files stay stale."""
    for _ in range(_LOOKS - 1):
        try:
            return look()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return look()


@contextlib.contextmanager
def _file(folder: int, name: str, flags: int) -> Iterator[int]:
    """Open a plain file. A pipe is neither waited for nor read."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=folder)
    try:
        _refuse_special(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(folder: int, name: str, temporary: str, data: bytes, flags: int) -> float:
    try:
        with _file(folder, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | flags) as descriptor:
            files.write_all(descriptor, data, 0)
            written = os.fstat(descriptor).st_mtime
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        raise
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise
    return written


def _overwrite(folder: int, name: str, data: bytes, flags: int) -> float:
    with _file(folder, name, os.O_WRONLY | flags) as descriptor:
        files.write_over(descriptor, data)
        return os.fstat(descriptor).st_mtime


def _refuse_special(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.ENXIO, "not a plain file")
