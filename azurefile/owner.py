"""The owner record: who holds a folder of a share. Written for people as much as for plugins."""

import dataclasses
import re
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from azurefile import liveness
from azurefile.liveness import Process
from azurefile.options import LOCAL, NFS, Options

R = TypeVar("R", bound="Container | Owner | Process")

# Ten times the highest TAKEOVER_SECONDS, for a hold that excludes nobody: nobody waits longer for one that is dead.
_LONGEST_TAKEOVER = 900
# What a server that folds names may leave out of them (Unicode's Default_Ignorable_Code_Point, of what is printable).
_IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


@dataclass
class Container:
    """A container that uses a held folder."""

    id: str
    name: str
    database: str = ""
    stack: str = ""
    pid: int | None = None
    ticks: int | None = None

    def dead(self) -> bool:
        """Whether its first process is known and gone."""
        if self.pid is None or self.ticks is None:
            return False
        return not liveness.process_alive(self.pid, self.ticks)

    def alive(self, *, starting: bool) -> bool:
        """Whether it may still write; while it is `starting`, one without a process may."""
        if self.pid is None:
            return starting or liveness.container_alive(self.id)
        return not self.dead()


@dataclass
class Owner:
    """One volume's hold on a folder. Times are seconds since the epoch, by the holder's clock."""

    volume: str
    share: str
    folder: str
    exclusive: bool
    plugin: str
    plugin_pid: int
    host: str
    boot: str
    since: float
    renewed: float
    mounts: int = 1
    released: float | None = None
    containers: list[Container] = field(default_factory=list)
    # On shares that other hosts reach: the machine, this one hold, and the seconds without a
    # renewal after which another host may take the folder over.
    host_id: str = ""
    lease: str = ""
    takeover: float = 0.0
    # The id that the share's server has for that by which only this hold's data is reached: whoever takes over ends it.
    session: str = ""
    # Where the pids here are known, 0 in a record of a version before.
    pid_namespace: int = 0
    # The engine that asked for the last mount: one without a container's process, as `docker cp` makes, is its own.
    engine: Process | None = None
    # By which the folder is reached, empty in a record of a version before.
    protocol: str = ""

    @property
    def key(self) -> str:
        """The record's name in its share's lock store."""
        return record_key(self.plugin, self.volume, self.host_id)

    def age(self) -> float:
        """Seconds since its last renewal, by the clock of the host that made it: for who is on that host."""
        return time.time() - self.renewed

    def to_json(self) -> dict[str, Any]:
        """As written; times in UTC that a person can read."""
        data = dataclasses.asdict(self)
        for name in ("since", "renewed", "released"):
            data[name] = None if data[name] is None else iso_time(data[name])
        return data

    @classmethod
    def from_json(cls, data: Any) -> "Owner":
        """Raises ValueError, TypeError or KeyError on what `to_json` did not write; further fields are left out."""
        times = {
            name: None if data[name] is None else datetime.fromisoformat(data[name]).timestamp()
            for name in ("since", "renewed", "released")
        }
        containers = [_built(Container, container) for container in data["containers"]]
        engine = data.get("engine")
        asked = _built(Process, engine) if engine else None
        owner = _built(cls, {**data, **times, "containers": containers, "engine": asked})
        if not 0 <= owner.takeover <= _LONGEST_TAKEOVER:
            raise ValueError(f"takeover is not from 0 to {_LONGEST_TAKEOVER}")
        return owner


# What JSON makes of a field, where that is not what the field is declared as.
_JSON: dict[Any, Any] = {float: int | float, list[Container]: list}


def record_key(plugin: str, volume: str, host_id: str) -> str:
    """The name of a record; `host_id` is empty on shares that only this host reaches."""
    return f"{host_id}.{plugin}.{volume}" if host_id else f"{plugin}.{volume}"


def conflict(owner: Owner, other: Owner | Options) -> bool:
    """Whether a hold and another, or a volume, of one store exclude each other; the share may have two names."""
    # A server may give one folder over SMB and NFS.
    if other.protocol == LOCAL or owner.protocol == other.protocol == NFS:
        overlapping = overlap(owner.folder, other.folder)
    else:
        overlapping = overlap(_folded(owner.folder), _folded(other.folder))
    return overlapping and (owner.exclusive or other.exclusive)


def overlap(one: str, other: str) -> bool:
    """Whether two folders of a share are equal or one contains the other."""
    first, second = _parts(one), _parts(other)
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def iso_time(seconds: float) -> str:
    """A moment as people and Docker read it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def holder_names(containers: Iterable[Container]) -> str:
    """The containers, for a sentence."""
    return ", ".join(f'container "{c.name or c.id[:12]}"' for c in containers)


def facts(owner: Owner) -> dict[str, Any]:
    """A hold, for a line of the log."""
    return {
        "volume": owner.volume,
        "share": owner.share,
        "folder": owner.folder,
        "container": ",".join(c.name or c.id[:12] for c in owner.containers),
    }


def _built(record: type[R], data: Any) -> R:
    """Raises ValueError where a field is not of its declared type: whoever can write to a share can write a record."""
    declared = {known.name: known.type for known in dataclasses.fields(record) if known.name in data}
    for name, kind in declared.items():
        value, types = data[name], _JSON.get(kind, kind)
        # To Python a bool is an int.
        if not isinstance(value, types) or isinstance(value, bool) is not (types is bool):
            raise ValueError(f"{name} is of the type {type(value).__name__}")
    return record(**{name: data[name] for name in declared})


def _folded(folder: str) -> str:
    """What folders have in common that a server may take for one: by case, or by how an accent is written."""
    # In another case a letter may be written with its accent apart.
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", folder).upper().casefold())
    # To a server that folds by upper or by lower case alone, the i without a dot or the one with two is an i.
    return _IGNORED.sub("", folded).replace("i\u0307", "i")


def _parts(folder: str) -> list[str]:
    return folder.split("/") if folder else []
