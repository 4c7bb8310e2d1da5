"""A cache keyed by versions, outside the checkout. All of it can be deleted while nothing runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from toolchain.progress import FREE_SOME, ToolchainError, say


def root() -> Path:
    """Returns the cache's folder: `datadocker` in XDG_CACHE_HOME, which counts if it is absolute, or ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # specifications.freedesktop.org/basedir: a relative one is to be ignored
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "datadocker"


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Lets one wrapper at a time do what `name` names; says so when it has to wait."""
    folder = root() / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / f"{name}.lock").open("a")
    except OSError as error:
        raise ToolchainError(
            f"the cache {root()} can't be written: {error.strerror}; set XDG_CACHE_HOME to a folder that can"
        ) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another pulumiw that makes the same ({name})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """Returns the folder `name` of the cache; if it is missing, `make` fills it aside, then it is renamed."""
    final = root() / name
    if final.exists():
        return final
    with lock(name):
        if final.exists():
            return final
        # what interrupted runs left; no other wrapper is at it, since the lock is ours
        for left in root().glob(f"{name}.part*"):
            shutil.rmtree(left, ignore_errors=True)
        # a program that one of them had started may go on, and write where it was told to
        aside = root() / f"{name}.part-{os.getpid()}"
        aside.mkdir(parents=True)
        try:
            make(aside)
        except OSError as error:
            remedy = f": {FREE_SOME}" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise ToolchainError(f"making {name} in {root()} failed: {error.strerror}{remedy}") from error
        sync(aside)
        aside.rename(final)
    return final


def beside(file: Path, text: str) -> Path:
    """Returns a new file beside `file`, closed to others, that has `text` on its disk and may take the name of `file`.

    Raises:
        ToolchainError: if the disk did not take it.
    """
    aside = file.with_name(f"{file.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(text)
    sync(aside)
    return aside


def sync(path: Path) -> None:
    """Returns once all that was written to the file system of `path` is on its disk.

    A name that is given to it later is then no name of something empty, whenever the power is cut.

    Raises:
        ToolchainError: if the disk did not take it.
    """
    # os.sync() would wait for all disks, also for a share whose server is gone
    done = subprocess.run(["sync", "-f", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolchainError(f"{path} is not on its disk: {done.stderr.strip()}: look at the disk, then run this again")


def link(path: Path, target: Path) -> None:
    """Makes `path` a symbolic link to `target`, in one step also where it is one to something else."""
    if path.is_symlink() and Path(os.readlink(path)) == target:
        return
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.rename(path)
