"""What is mounted where, and for which of the engine's mount IDs."""

import contextlib
import ctypes
import logging
import os
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from azurefile import files

log = logging.getLogger(__name__)

_MS_BIND = 4096
_MNT_FORCE = 1
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_OCTAL = re.compile(r"\\([0-7]{3})")

_libc = ctypes.CDLL(None, use_errno=True)


def bind(source: str, target: Path) -> None:
    """Bind-mount `source` on `target`."""
    if _libc.mount(os.fsencode(source), os.fsencode(target), None, _MS_BIND, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def detach(target: Path) -> None:
    """Unmount everything from `target` and remove the empty mount point; never what is in it.

    Lazy, so that it neither waits for a share that hangs nor fails while a file is open.
    """
    while is_mounted(target):
        if _libc.umount2(os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(target))
    with contextlib.suppress(FileNotFoundError):
        target.rmdir()


def cut(target: Path) -> None:
    """Unmount a network share so that the kernel drops what it has not written, and never writes it later."""
    # The force ends what waits for the server; only then the mount is taken from sight.
    _libc.umount2(os.fsencode(target), _MNT_FORCE | _UMOUNT_NOFOLLOW)
    detach(target)


def answers(target: Path, seconds: float) -> bool:
    """Whether a mounted share's server answers the kernel within `seconds`."""
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(OSError):
            os.statvfs(target)
            answered.set()

    threading.Thread(target=ask, name="ask", daemon=True).start()
    return answered.wait(seconds)


def settled(target: Path, seconds: float) -> bool:
    """Wait until a mounted file system has written everything; False if it can't within `seconds`."""
    problems: list[OSError] = []

    def flush() -> None:
        try:
            descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            problems.append(error)
            return
        if _libc.syncfs(descriptor) != 0:
            problems.append(OSError(ctypes.get_errno(), "syncfs"))
        os.close(descriptor)

    if not is_mounted(target):
        return True
    thread = threading.Thread(target=flush, name="flush", daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive() and not problems


@dataclass(frozen=True)
class MountEntry:
    """One line of a mountinfo file."""

    device: str
    root: str
    target: str


def read_mountinfo(path: Path = Path("/proc/self/mountinfo")) -> list[MountEntry]:
    """The mounts that one process sees."""
    entries = []
    # Only newlines end a line: the kernel leaves carriage returns and the like in a path as they are.
    for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]:
        fields = line.split(" ")
        entries.append(MountEntry(fields[2], _unescape(fields[3]), _unescape(fields[4])))
    return entries


def is_mounted(target: Path) -> bool:
    """Whether something is mounted on exactly this path; asks the table, never the share."""
    wanted = str(target)
    return any(entry.target == wanted for entry in read_mountinfo())


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


@dataclass
class Attachment:
    """The engine's mount IDs on one volume, as a multiset.

    `docker cp` to a running container mounts again under that container's own ID, so an ID
    has a count. An ID that was never seen here is no error: the engine may have restarted.
    """

    path: Path
    boot: str
    since: float = 0.0
    ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, boot: str) -> "Attachment":
        """Read the IDs back; a file of an earlier boot, or one a power cut tore, counts nothing."""
        attachment = cls(path, boot)
        try:
            data = files.read_json(path)
            if data["boot"] == boot:
                attachment.since = float(data["since"])
                attachment.ids = {str(i): int(n) for i, n in data["ids"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("mount file not readable", extra={"file": path.name, "error": error})
        return attachment

    def add(self, mount_id: str, now: float) -> None:
        """Count one Mount."""
        if not self.ids:
            self.since = now
        self.ids[mount_id] = self.ids.get(mount_id, 0) + 1
        self._save()

    def remove(self, mount_id: str) -> bool:
        """Count one Unmount; says whether the ID was known."""
        if mount_id not in self.ids:
            return False
        self.ids[mount_id] -= 1
        if self.ids[mount_id] <= 0:
            del self.ids[mount_id]
        self._save()
        return True

    def clear(self) -> None:
        """Forget every ID."""
        self.ids = {}
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def _save(self) -> None:
        if not self.ids:
            self.clear()
            return
        state = {"boot": self.boot, "since": self.since, "ids": self.ids}
        files.write_json(self.path, state, durable=False)
