"""The fence: an exclusive volume's folder has one writing container, whoever asks.

Every mounted volume keeps an owner record where all plugins that can reach the share see it, and
beside it a lock that lives exactly as long as the plugin process that wrote it. To claim a folder,
a plugin takes the share's mutex, reads the records, and refuses if one that overlaps is in the way
and its holder may still write:

- the folders overlap if they are equal or one contains the other;
- two claims exclude each other if they overlap and either is exclusive;
- a holder is alive while its container's first process is. Until that is known, a holder whose
  plugin still runs is alive, and one whose plugin restarted is looked up in the engine's list.

A plugin that dies loses its lock but not its record, so its containers stay protected.
What a lock and a record are made of is the share's business: see `LockStore`.
"""

import dataclasses
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from azurefile import liveness
from azurefile.errors import PluginError
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

# A container needs this long at most from its Mount until the engine can name it.
_STARTING_SECONDS = 10.0
# A refusal waits this long for the holder's name, or for a passing mount (copy-up) to end.
NAMING_SECONDS = 1.0


@dataclass
class Container:
    """A container that uses a held folder."""

    id: str
    name: str
    database: str = ""
    stack: str = ""
    pid: int | None = None
    ticks: int | None = None


@dataclass
class Owner:
    """The owner record: who holds a folder. Written for people as much as for plugins."""

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

    @property
    def key(self) -> str:
        """The record's name in its share's lock store."""
        return f"{self.plugin}.{self.volume}"

    def to_json(self) -> dict[str, Any]:
        """As written; times in UTC that a person can read."""
        data = dataclasses.asdict(self)
        for name in ("since", "renewed", "released"):
            data[name] = None if data[name] is None else iso_time(data[name])
        return data

    @classmethod
    def from_json(cls, data: Any) -> "Owner":
        """Raises ValueError, TypeError or KeyError on anything that `to_json` did not write."""
        times = {
            name: None if data[name] is None else datetime.fromisoformat(data[name]).timestamp()
            for name in ("since", "renewed", "released")
        }
        containers = [Container(**container) for container in data["containers"]]
        return cls(**{**data, **times, "containers": containers})


class LockStore(Protocol):
    """Where one share keeps its fence. Each protocol has its own; keys are `Owner.key`."""

    def mutex(self) -> AbstractContextManager[None]:
        """Exclude every other plugin that can reach the share, for the length of one claim."""

    def owners(self) -> list[Owner]:
        """Every record that can be read."""

    def write(self, owner: Owner) -> None:
        """Write or replace one record."""

    def lock(self, key: str) -> "Lock | None":
        """Take the lock beside a record, or None while another process has it."""

    def locked(self, key: str) -> bool:
        """Whether some process has that lock."""

    def delete(self, key: str) -> None:
        """Remove a record and its lock."""


class Lock(Protocol):
    """A lock that ends with `close` or with this process."""

    def close(self) -> None:
        """Give it back."""


class Held(PluginError):
    """Another container holds the folder."""

    def __init__(self, volume: Volume, owner: Owner, *, passing: bool) -> None:
        """`passing`: the holder has no name yet and may be a mount that ends by itself."""
        self.owner = owner
        self.passing = passing
        super().__init__(_refusal(volume, owner))


@dataclass
class Lease:
    """One volume's hold on its folder, in the memory of the plugin that has it."""

    owner: Owner
    store: LockStore
    lock: Lock | None
    granted_ns: int
    # True once the process that saw the Mount, or the engine that sent it, may be a former one.
    restored: bool = False
    guard: threading.Lock = field(default_factory=threading.Lock)

    def save(self) -> None:
        """Write the record, unless it was given back meanwhile."""
        with self.guard:
            if self.owner.released is None:
                self.store.write(self.owner)


class Fence:
    """All leases of this plugin process."""

    def __init__(
        self,
        plugin: str,
        host: str,
        running: Callable[[str], bool | None],
        naming: Callable[[], bool],
    ) -> None:
        """Set up an empty fence.

        `running` says whether a container with a volume runs (None: the engine does not answer),
        `naming` whether the engine's events are being read, so that names can be expected.
        """
        self._plugin = plugin
        self._host = host
        self._boot = liveness.boot_id()
        self._running = running
        self._naming = naming
        self._leases: dict[str, Lease] = {}

    def lease(self, volume: str) -> Lease | None:
        """The volume's lease, if it has one."""
        return self._leases.get(volume)

    def alive(self, volume: str) -> bool:
        """Whether the volume is held by something that may still write."""
        lease = self._leases.get(volume)
        return lease is not None and self._alive(lease.owner, restored=lease.restored)

    def claim(self, volume: Volume, store: LockStore, *, rejoin: bool) -> bool:
        """Hold the volume's folder for one more mount, or raise `Held`.

        `rejoin`: the mount ID is one of this volume's own, so it is the same container again.
        Returns False if an earlier hold of this volume was void, and so are its mount IDs.
        """
        options = volume.options
        with store.mutex():
            lease = self._leases.get(volume.name)
            joins = lease is not None and (rejoin or not options.exclusive)
            if lease is not None and joins and self._alive(lease.owner, restored=lease.restored):
                if not rejoin:
                    lease.owner.mounts += 1
                    lease.save()
                return True
            for owner in store.owners():
                if owner.released is None and _conflict(owner, volume):
                    self._refuse_or_evict(volume, owner, store)
            if self._leases.get(volume.name) is not None:
                self._drop(self._leases[volume.name])
            self._grant(volume, store)
            return False

    def release(self, volume: str) -> None:
        """Give the volume's folder back at once."""
        lease = self._leases.get(volume)
        if lease is not None:
            self._drop(lease)

    def unmounted(self, volume: str, mounts: int) -> None:
        """Note that one of several mounts of a volume has ended."""
        lease = self._leases.get(volume)
        if lease is not None:
            owner = lease.owner
            owner.mounts = mounts
            owner.containers = [c for c in owner.containers if not _dead(c)]
            lease.save()

    def forget(self, volume: Volume, store: LockStore) -> None:
        """Remove the record of a volume that no longer exists."""
        self.release(volume.name)
        store.delete(f"{self._plugin}.{volume.name}")

    def restore(self, volume: Volume, store: LockStore, mounts: int) -> bool:
        """Take a lock back after a restart of the plugin; `mounts` IDs are known to be out.

        Returns whether the volume is held; if not, its mount IDs are void: another plugin found
        its holder dead meanwhile.
        """
        key = f"{self._plugin}.{volume.name}"
        record = next((o for o in store.owners() if o.key == key), None)
        if record is None and mounts:
            record = self._owner(volume)
        if record is None or record.released is not None:
            return False
        lease = Lease(record, store, store.lock(key), time.time_ns(), restored=True)
        if mounts == 0 or record.boot != self._boot:
            self._drop(lease)
            return False
        record.mounts = mounts
        record.plugin_pid = os.getpid()
        self._leases[volume.name] = lease
        lease.save()
        log.info("lease restored", extra=_facts(record))
        return True

    def identify(self, volume: str, container: Container, at_ns: int) -> None:
        """Note which container a mount was for, as the engine told it at `at_ns`."""
        lease = self._leases.get(volume)
        # An event older than the grant speaks of an earlier holder.
        if lease is None or at_ns < lease.granted_ns:
            return
        owner = lease.owner
        known = {c.id: c for c in owner.containers} if not owner.exclusive else {}
        before = next((c for c in owner.containers if c.id == container.id), None)
        if before is not None and container.pid is None:
            container = dataclasses.replace(container, pid=before.pid, ticks=before.ticks)
        if before == container:
            return
        known[container.id] = container
        owner.containers = list(known.values())
        lease.save()
        if container.pid is not None:
            log.info("holder", extra=_facts(owner))

    def engine_reconnected(self) -> None:
        """Trust only what is known by process: another engine may have started meanwhile."""
        for lease in list(self._leases.values()):
            lease.restored = True

    def renew(self) -> None:
        """Say in every record that its holder's plugin is still here."""
        for lease in list(self._leases.values()):
            lease.owner.renewed = time.time()
            lease.save()

    def held(self) -> list[str]:
        """The volumes with a lease."""
        return list(self._leases)

    def _refuse_or_evict(self, volume: Volume, owner: Owner, store: LockStore) -> None:
        own = self._leases.get(owner.volume) if owner.plugin == self._plugin else None
        if own is not None:
            # Memory knows a container a moment before the record does.
            owner = own.owner
        restored = own.restored if own is not None else not store.locked(owner.key)
        if self._alive(owner, restored=restored):
            young = time.time() - owner.since < NAMING_SECONDS
            passing = not owner.containers and young and self._naming()
            raise Held(volume, owner, passing=passing)
        log.warning("dead holder's folder given", extra=_facts(owner) | {"to": volume.name})
        if own is not None:
            self._drop(own)
        else:
            owner.released = time.time()
            store.write(owner)

    def _alive(self, owner: Owner, *, restored: bool) -> bool:
        if owner.boot != self._boot:
            return False
        starting = not restored or time.time() - owner.since < _STARTING_SECONDS
        if any(_alive(container, starting=starting) for container in owner.containers):
            return True
        if owner.mounts <= len(owner.containers):
            return False
        # Some mount has no container yet, or never got one.
        return starting or self._running(owner.volume) is not False

    def _grant(self, volume: Volume, store: LockStore) -> None:
        owner = self._owner(volume)
        lease = Lease(owner, store, store.lock(owner.key), time.time_ns())
        lease.save()
        self._leases[volume.name] = lease

    def _owner(self, volume: Volume) -> Owner:
        now = time.time()
        return Owner(
            volume=volume.name,
            share=volume.options.share,
            folder=volume.options.folder,
            exclusive=volume.options.exclusive,
            plugin=self._plugin,
            plugin_pid=os.getpid(),
            host=self._host,
            boot=self._boot,
            since=now,
            renewed=now,
        )

    def _drop(self, lease: Lease) -> None:
        with lease.guard:
            lease.owner.released = time.time()
            lease.store.write(lease.owner)
            if lease.lock is not None:
                lease.lock.close()
        if self._leases.get(lease.owner.volume) is lease:
            del self._leases[lease.owner.volume]


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


def _parts(folder: str) -> list[str]:
    return folder.split("/") if folder else []


def _conflict(owner: Owner, volume: Volume) -> bool:
    options = volume.options
    return (
        owner.share == options.share
        and overlap(owner.folder, options.folder)
        and (owner.exclusive or options.exclusive)
    )


def _dead(container: Container) -> bool:
    if container.pid is None or container.ticks is None:
        return False
    return not liveness.process_alive(container.pid, container.ticks)


def _alive(container: Container, *, starting: bool) -> bool:
    if container.pid is None:
        return starting or liveness.container_alive(container.id)
    return not _dead(container)


def _refusal(volume: Volume, owner: Owner) -> str:
    place = f'share "{owner.share}"' + (f' folder "{owner.folder}"' if owner.folder else "")
    named = [container for container in owner.containers if not _dead(container)]
    holder = holder_names(named) or "a container that the engine has not named yet"
    about = [f"database {c.database}" for c in named if c.database][:1]
    about += [f"stack {c.stack}" for c in named if c.stack][:1]
    about += [f'volume "{owner.volume}"', f"host {owner.host}"]
    reason = "is exclusive" if owner.exclusive else "would become exclusive"
    stop = f"docker stop {named[0].name}" if named and named[0].name else "see docker ps"
    return (
        f'volume "{volume.name}": {place} {reason} and is held by {holder} ({", ".join(about)}) '
        f"since {iso_time(owner.since)[:19]}Z. Two servers on the same files would corrupt them: "
        f"stop the holder first ({stop}), or use another share or folder"
    )


def _facts(owner: Owner) -> dict[str, Any]:
    return {
        "volume": owner.volume,
        "share": owner.share,
        "folder": owner.folder,
        "container": ",".join(c.name or c.id[:12] for c in owner.containers),
    }
