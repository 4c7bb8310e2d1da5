"""What samba's own log says about who used a share: vfs_full_audit(8) for the files, auth_audit for the clients."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

CHANGES = ("pwrite", "pwrite_send", "ftruncate")
SETTINGS = f"""
vfs objects = full_audit
full_audit:syslog = false
full_audit:prefix = AUDIT|%S
full_audit:success = connect disconnect create_file openat close renameat unlinkat {" ".join(CHANGES)}
full_audit:failure = connect create_file openat
log level = 0 full_audit:1 auth_audit:3
"""
_LINE = re.compile(r"(?P<time>\S+) \S+ smbd\[(?P<pid>\d+)\]:\s+(?P<text>.*)")
_LOGIN = re.compile(r"Auth: .* status \[(?P<status>\w+)\] workstation \[(?P<client>[^]]*)\]")


@dataclass(frozen=True)
class Event:
    """One line of the log."""

    time: float
    """Unix time, in seconds."""
    client: str
    """The client's hostname, as it logged in."""
    connection: int
    """The process that serves the client's connection."""
    share: str
    action: str
    """`login`, or a call of samba's file system layer, such as `openat`, `pwrite_send` or `create_file`."""
    ok: bool
    detail: str
    """The call's arguments, separated by `|`; the last is mostly the file's path."""


@dataclass
class Use:
    """One client had one file open once, over one connection."""

    client: str
    connection: int
    path: str
    """Relative to the share."""
    opened: float
    closed: float | None = None
    """None while it is open."""
    first_write: float | None = None
    last_write: float | None = None
    writes: int = 0


@dataclass
class Turn:
    """Consecutive changes by one client."""

    client: str
    first: float
    last: float
    writes: int = 1


def events(log: str) -> Iterator[Event]:
    """Yields what the log holds, oldest first. Logins that failed are there too."""
    clients: dict[int, str] = {}
    for line in log.splitlines():
        if not (found := _LINE.match(line)):
            continue
        time, pid = datetime.fromisoformat(found["time"]).timestamp(), int(found["pid"])
        if login := _LOGIN.match(found["text"]):
            clients[pid] = login["client"]
            ok = login["status"] == "NT_STATUS_OK"
            yield Event(time, clients[pid], pid, "", "login", ok, login["status"])
        elif found["text"].startswith("AUDIT|"):
            _, share, action, result, *detail = found["text"].split("|", 4)
            yield Event(time, clients.get(pid, ""), pid, share, action, result == "ok", "".join(detail))


def uses(log: Iterable[Event], share: str, folder: str) -> list[Use]:
    """Returns every use of the files of a share whose folder on the server is `folder`, in the order of opening."""
    found: list[Use] = []
    # samba opens a file more than once for one client: the use ends with the last
    opened: dict[tuple[int, str], tuple[Use, int]] = {}
    for event in log:
        path = event.detail.rsplit("|", 1)[-1].removeprefix(f"{folder}/")
        key = (event.connection, path)
        use, count = opened.get(key, (None, 0))
        if event.share != share or not event.ok:
            continue
        if event.action == "openat":
            if use is None:
                use = Use(event.client, event.connection, path, event.time)
                found.append(use)
            opened[key] = (use, count + 1)
        elif event.action == "disconnect":
            for other in [k for k in opened if k[0] == event.connection]:
                opened.pop(other)[0].closed = event.time
        elif use is None:
            continue
        elif event.action == "close":
            opened[key] = (use, count - 1)
            if count == 1:
                del opened[key]
                use.closed = event.time
        elif event.action in CHANGES:
            use.first_write = use.first_write or event.time
            use.last_write = event.time
            use.writes += 1
    return found


def turns(log: Iterable[Event], share: str, folder: str) -> list[Turn]:
    """Returns who changed files below `folder` (as the server sees it), one after the other."""
    wanted = (e for e in log if e.share == share and e.action in CHANGES and f"{folder}/" in f"{e.detail}/")
    return in_turn((e.time, e.client) for e in wanted)


def in_turn(changes: Iterable[tuple[float, str]]) -> list[Turn]:
    """Returns the turns that changes make, each a time and a client.

    Two writers overlapped if a client has a turn again after another had one.
    """
    found: list[Turn] = []
    for time, client in changes:
        if found and found[-1].client == client:
            found[-1].last = time
            found[-1].writes += 1
        else:
            found.append(Turn(client, time, time))
    return found
