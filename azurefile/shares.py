"""A local share is deleted for good, unless anything may still use it."""

import contextlib
import json
import os
import shutil
import stat
import time
from pathlib import Path

from azurefile import mounts, options
from azurefile.errors import InUse
from azurefile.liveness import boot_id
from azurefile.owner import holder_names, iso_time
from azurefile.protocols.flock import FlockStore

_TRASH = ".trash-"
# The root's folders that are no plugin's.
_NO_PLUGINS = ("credentials", "fence", "shares")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_share(root: Path, share: str) -> bool:
    """Delete a local share's data and fence, unless anything may still use it; says whether there was any.

    The data is renamed first, so that a share is there or gone but never half deleted.
    """
    options.check_share_name(share)
    # As the kernel tells of its mounts.
    root = root.resolve()
    shares = (root / "shares").resolve()
    folder = shares / share
    fence = root / "fence" / share
    store = FlockStore(fence)
    had_trash = _empty_trash(shares, share)
    if not os.path.lexists(folder) and not fence.exists():
        return had_trash
    with store.mutex():
        boot = boot_id()
        for record in store.records():
            owner = record.owner
            if owner.released is None and owner.boot == boot:
                holder = holder_names(owner.containers) or "a container"
                raise InUse(
                    f'share "{share}" is held by {holder} through volume "{owner.volume}" since '
                    f"{iso_time(owner.since)[:19]}Z; remove that container and volume first"
                )
        if not os.path.lexists(folder):
            shutil.rmtree(fence, ignore_errors=True)
            return had_trash
        _refuse_declared(root, share)
        _refuse_mounted(folder)
        _refuse_other_disks(folder, share)
        folder.rename(_new_trash(shares, share))
        shutil.rmtree(fence, ignore_errors=True)
    _empty_trash(shares, share)
    return True


def _refuse_declared(root: Path, share: str) -> None:
    """A volume that nothing has mounted just now is somebody's way to the data all the same."""
    for file in sorted(root.glob("*/volumes/[!.]*.json")):
        if file.parts[-3] in _NO_PLUGINS:
            continue
        try:
            volume = json.loads(file.read_text())
            declared = volume["options"]["protocol"], volume["options"]["share"]
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InUse(
                f'share "{share}" may be mapped by the volume of {file.relative_to(root)} in the plugin\'s folder, '
                f"which can't be read ({type(error).__name__}); remove that volume with the version of the plugin that "
                "made it, or delete the file"
            ) from error
        if declared == (options.LOCAL, share):
            raise InUse(f'share "{share}" is mapped by volume "{file.stem}"; remove that volume first')


def _empty_trash(shares: Path, share: str) -> bool:
    """Delete this share's trash, also what an interrupted removal left; says whether there was any."""
    found = list(shares.glob(f"{_TRASH}{share}-[0-9]*"))
    for trash in found:
        if trash.is_symlink() or not trash.is_dir():
            trash.unlink()
            continue
        _refuse_other_disks(trash, share)
        _delete(trash, share)
    return bool(found)


def _delete(trash: Path, share: str) -> None:
    """Delete a folder; those in it become trash of their own first, so that no path gets long however deep they are."""
    left = [trash]
    while left:
        folder = left.pop()
        # The files first: on a full disk a folder may find no room beside it before.
        for entry in sorted(os.scandir(folder), key=_is_folder):
            if _is_folder(entry):
                left.append(_new_trash(trash.parent, share))
                os.rename(entry.path, left[-1])
            else:
                os.unlink(entry.path)
        folder.rmdir()


def _new_trash(shares: Path, share: str) -> Path:
    return shares / f"{_TRASH}{share}-{time.time_ns()}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _refuse_mounted(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir():
        return
    try:
        device, root = _place(folder)
    except LookupError:
        return
    inside = root.rstrip("/") + "/"
    for entry in _all_mounts():
        if entry.device == device and (entry.root == root or entry.root.startswith(inside)):
            raise InUse(f'share "{folder.name}" is mounted on {entry.target}; stop what uses it first')
        if entry.target.startswith(f"{folder}/") or entry.target == str(folder):
            raise InUse(f'share "{folder.name}": {entry.target} is a mount of its own; unmount it first')


def _refuse_other_disks(folder: Path, share: str) -> None:
    """Refuse what no table of mounts that can be read here tells of.

    One descriptor goes down and up again: a container's folders are deeper than the stack, the open files, or a path.
    """
    if not stat.S_ISDIR(folder.lstat().st_mode):
        return
    # The way to `here`: of each folder the name, and those beside it that are left.
    way: list[tuple[str, list[str]]] = []
    here = os.open(folder, _FOLDER)
    try:
        device = os.fstat(here).st_dev
        left = _folders(here)
        while left or way:
            if left:
                way.append((left.pop(), left))
                here = _moved(here, way[-1][0])
                if os.fstat(here).st_dev != device:
                    inside = folder.joinpath(*(name for name, _ in way))
                    raise InUse(f'share "{share}": {inside} is on a disk of its own; unmount it first')
                left = _folders(here)
            else:
                here = _moved(here, "..")
                left = way.pop()[1]
    finally:
        os.close(here)


def _moved(here: int, name: str) -> int:
    there = os.open(name, _FOLDER, dir_fd=here)
    os.close(here)
    return there


def _folders(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]


def _place(folder: Path) -> tuple[str, str]:
    """The folder's device and its path within that file system, as mountinfo tells them."""
    path = str(folder.resolve())
    best: mounts.MountEntry | None = None
    for entry in mounts.read_mountinfo():
        covers = (path + "/").startswith(entry.target.rstrip("/") + "/")
        if covers and (best is None or len(entry.target) >= len(best.target)):
            best = entry
    if best is None:
        raise LookupError(path)
    rest = path[len(best.target.rstrip("/")) :]
    return best.device, best.root.rstrip("/") + rest


def _all_mounts() -> list[mounts.MountEntry]:
    """The mounts of every process that may be looked at; with the host's pids, all of them."""
    found: set[mounts.MountEntry] = set(mounts.read_mountinfo())
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.update(mounts.read_mountinfo(process / "mountinfo"))
    return sorted(found, key=lambda entry: entry.target)
