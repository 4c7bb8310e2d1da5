"""What is mounted where, as the kernel has it."""

import contextlib
import ctypes
import errno
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# What a mounted share says whose server does not answer.
AWAY = (errno.EIO, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED)

_MS_BIND = 4096
_MNT_FORCE = 1
_MNT_DETACH = 2
_UMOUNT_NOFOLLOW = 8
_CUT_SECONDS = 10.0
_FORCE_SECONDS = 0.5
_ADDRESS = re.compile(r"(?:^|,)addr=([0-9a-fA-F.:]+)")
_OCTAL = re.compile(r"\\([0-7]{3})")

# What still asks a server that does not answer, by target and device: no more of them for the same one.
_asking: dict[tuple[str, ...], threading.Event] = {}
_guard = threading.Lock()

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
    try:
        target.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        # Somebody put a file there: it stays, and is in nobody's way.
        log.warning("mount point left", extra={"target": target, "error": error})


def cut(target: Path, ended: Callable[[], bool]) -> None:
    """Unmount a network share whose server may not answer, with no call left that waits for it.

    NFS drops what it has not written; SMB keeps what is in a cache, which an exclusive volume has only if it says so.

    The force ends only the calls that wait for the server just then, so it is repeated until `ended` says that there
    will be no more, for some seconds at most. Raises OSError.
    """
    deadline = time.monotonic() + _CUT_SECONDS
    pin = -1
    with contextlib.suppress(OSError):
        # The force takes away a mount that nothing uses, and then there is none to force again.
        pin = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while True:
            over = ended()
            if not _with_others(target):
                _libc.umount2(os.fsencode(target), _MNT_FORCE | _UMOUNT_NOFOLLOW)
            if over or time.monotonic() > deadline:
                break
            time.sleep(_FORCE_SECONDS)
        detach(target)
    finally:
        if pin >= 0:
            # Whoever closes a file system last may have to wait for its server.
            threading.Thread(target=os.close, args=(pin,), name="close", daemon=True).start()


def _with_others(target: Path) -> bool:
    """Whether another volume's mount is the same file system to the kernel: a force would hit its writes too."""
    entries = read_mountinfo()
    devices = {entry.device for entry in entries if entry.target == str(target)}
    beside = (Path(entry.target) for entry in entries if entry.device in devices)
    return any(path.parent == target.parent and path != target for path in beside)


def answers(target: Path, seconds: float) -> bool:
    """Whether a mounted share's server answers the kernel within `seconds`."""
    asked = str(target), *(entry.device for entry in read_mountinfo() if entry.target == str(target))
    with _guard:
        answered = _asking.get(asked)
        if answered is None:
            answered = threading.Event()
            threading.Thread(target=_ask, args=(target, asked, answered), name="ask", daemon=True).start()
            _asking[asked] = answered
    return answered.wait(seconds)


def _ask(target: Path, asked: tuple[str, ...], answered: threading.Event) -> None:
    try:
        os.statvfs(target)
        answered.set()
    except OSError:
        pass
    finally:
        with _guard:
            _asking.pop(asked, None)


@dataclass(frozen=True)
class MountEntry:
    """One line of a mountinfo file."""

    device: str
    root: str
    target: str
    options: str = ""
    """What the file system itself says of how it is mounted, separated by commas."""
    shared: str = ""
    """The number of its peer group, whose members have the same mounts on them."""
    master: str = ""
    """The number of the peer group whose mounts it gets."""


def read_mountinfo(path: Path = Path("/proc/self/mountinfo")) -> list[MountEntry]:
    """The mounts that one process sees."""
    entries = []
    # Only newlines end a line: the kernel leaves carriage returns and the like in a path as they are.
    for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]:
        fields = line.split(" ")
        # As many as there are, up to a hyphen.
        told = dict(field.partition(":")[::2] for field in fields[6 : fields.index("-", 6)])
        groups = told.get("shared", ""), told.get("master", "")
        entries.append(MountEntry(fields[2], _unescape(fields[3]), _unescape(fields[4]), fields[-1], *groups))
    return entries


def any_below(folder: Path) -> bool:
    """Whether anything is mounted in a folder."""
    return any(folder in Path(entry.target).parents for entry in read_mountinfo())


def server_address(target: Path) -> str:
    """The IP address that the share mounted on this path is reached at; empty if none is or the kernel does not say."""
    options = [entry.options for entry in read_mountinfo() if entry.target == str(target)]
    found = _ADDRESS.search(options[-1]) if options else None
    return found[1] if found else ""


def is_mounted(target: Path) -> bool:
    """Whether something is mounted on exactly this path; asks the table, never the share."""
    # Before Linux 5.8 a table that is longer than one read may lack a line if another goes meanwhile.
    return _is_listed(target) or _is_listed(target)


def _is_listed(target: Path) -> bool:
    wanted = str(target)
    return any(entry.target == wanted for entry in read_mountinfo())


def reaches(target: Path, pid: int) -> bool:
    """Whether another process has what is mounted on `target`, too; yes where nobody can say, as of a private mount."""
    own = next((entry for entry in reversed(read_mountinfo()) if entry.target == str(target)), None)
    if own is None or not own.shared:
        return True
    try:
        theirs = read_mountinfo(Path("/proc", str(pid), "mountinfo"))
    except OSError:
        return True
    return any(own.shared in (entry.shared, entry.master) for entry in theirs)


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
