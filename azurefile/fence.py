"""The fence: an exclusive volume's folder has one writing container, whoever asks.

Every mounted volume keeps an owner record where all plugins that can reach the share see it, and
beside it a lock that lives as long as the plugin process that wrote it. To claim a folder, a
plugin takes the share's mutex, reads the records, and refuses if one that overlaps is in the way
and its holder may still write:

- the folders overlap if they are equal or one contains the other;
- two claims exclude each other if they overlap and either is exclusive;
- a holder on this host is alive while its container's first process is. Until that is known, a
  holder whose plugin still runs is alive, and one whose plugin restarted is looked up in the
  engine's list;
- a holder on another host is alive until its record has not been renewed for its takeover time,
  as the share's own clock tells. Half of that time after its last renewal it has stopped itself.

A plugin that dies loses its lock but not its record, so its containers stay protected.
"""

import dataclasses
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from azurefile import liveness
from azurefile.errors import PluginError
from azurefile.held import Held
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.owner import Container, Owner, conflict, facts, record_key
from azurefile.store import LockStore, Record
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

# A container needs this long at most from its Mount until the engine can name it.
_STARTING_SECONDS = 10.0
# A refusal waits this long for the holder's name, or for a passing mount (copy-up) to end.
NAMING_SECONDS = 1.0
# What is renewed this many times in a takeover time has stopped after two and a half are missed.
RENEWALS = 6
_SILENT = 2.5 / RENEWALS
# A hold that excludes nobody is given up later, so that a short outage stops no log writer.
_SHARED_PATIENCE = 10


@dataclass(frozen=True)
class Host:
    """This machine, as owner records tell of it."""

    name: str
    identity: str
    takeover: float


class Fence:
    """All leases of this plugin process."""

    def __init__(
        self,
        plugin: str,
        host: Host,
        running: Callable[[str], bool | None],
        naming: Callable[[], bool],
        memory: LeaseMemory | None = None,
        clock: Callable[[], float] = liveness.clock,
    ) -> None:
        """Set up an empty fence.

        `running` says whether a container with a volume runs (None: the engine does not answer),
        `naming` whether the engine's events are being read, so that names can be expected.
        `memory` keeps the leases on shared stores for the plugin's next life.
        """
        self._plugin = plugin
        self._host = host
        self._boot = liveness.boot_id()
        self._running = running
        self._naming = naming
        self._memory = memory
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        # Notified when a record on a shared store has to be written anew.
        self.changes = threading.Condition()

    def lease(self, volume: str) -> Lease | None:
        """The volume's lease, if it has one."""
        return self._leases.get(volume)

    def leases(self) -> list[Lease]:
        """All of them."""
        return list(self._leases.values())

    def held(self) -> list[str]:
        """The volumes with a lease."""
        return list(self._leases)

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
        if store.shared:
            self._refuse_from_memory(volume, store, rejoin=rejoin)
        with store.mutex() as alone:
            lease = self._leases.get(volume.name)
            if lease is not None and lease.lost:
                raise Held(volume, lease.owner, passing=True)
            joins = lease is not None and (rejoin or not options.exclusive)
            if lease is not None and joins and self._alive(lease.owner, restored=lease.restored):
                if not rejoin:
                    lease.owner.mounts += 1
                    lease.save()
                return True
            for record in store.records():
                if record.in_force and conflict(record.owner, options):
                    self._refuse_or_evict(volume, record, store)
            if self._leases.get(volume.name) is not None:
                self._drop(self._leases[volume.name])
            self._grant(volume, store)
            if not alone:
                self._withdraw_if_raced(volume, store)
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
            owner.containers = [c for c in owner.containers if not c.dead()]
            lease.save()

    def forget(self, volume: Volume, store: LockStore) -> None:
        """Remove the record of a volume that no longer exists. Raises ShareError if the share can't be asked."""
        self.release(volume.name)
        store.delete(self._key(volume.name, store))

    def restore(self, volume: Volume, store: LockStore, mounts: int) -> bool:
        """Take a lock back after a restart of the plugin; `mounts` IDs are known to be out.

        Returns whether the volume is held; if not, its mount IDs are void: another plugin found
        its holder dead meanwhile.
        """
        found = store.read(self._key(volume.name, store))
        record = found.owner if found is not None else None
        if record is None and mounts:
            record = self._owner(volume, store)
        if record is None or record.released is not None:
            return False
        lease = Lease(record, store, store.lock(record.key), time.time_ns(), restored=True)
        if mounts == 0 or record.boot != self._boot:
            self._drop(lease)
            return False
        record.mounts = mounts
        record.plugin_pid = os.getpid()
        self._leases[volume.name] = lease
        lease.save()
        log.info("lease restored", extra=facts(record))
        return True

    def resume(self, owner: Owner, store: LockStore, mounts: int, confirmed: float) -> bool:
        """Go on with a lease on a shared store as this host remembers it; the share is not asked yet.

        Returns False if it is of an earlier boot, or nothing was mounted under it.
        """
        if mounts == 0 or owner.boot != self._boot:
            return False
        owner.mounts = mounts
        owner.plugin_pid = os.getpid()
        lease = Lease(
            owner, store, None, time.time_ns(), restored=True, confirmed=confirmed, changed=True, changes=self.changes
        )
        self._leases[owner.volume] = lease
        log.info("lease resumed", extra=facts(owner))
        return True

    def clear(self, owner: Owner, store: LockStore) -> None:
        """Give back what an earlier life of this plugin held, unless a copy of this machine holds it."""
        # Under the mutex: this host's first claim after a boot looks at the same record and lock.
        with store.mutex() as alone:
            if not alone or store.locked(owner.key):
                return
            record = store.read(owner.key)
            if record is not None and record.in_force and record.owner.lease == owner.lease:
                record.owner.released = time.time()
                store.write(record.owner)

    def abandon(self, lease: Lease) -> None:
        """Forget a lost lease once nothing writes under it any more."""
        self._drop(lease)

    def overdue(self, lease: Lease) -> bool:
        """Whether a holder on a shared store must stop, since another host may soon take over."""
        return lease.store.shared and lease.silence(self._clock()) > lease.owner.takeover / 2

    def renew(self, lease: Lease) -> None:
        """Confirm one lease with its share. Raises ShareError or TakenOver."""
        if lease.store.shared:
            lease.renew(self._clock)
            self._remember(lease)
        else:
            lease.owner.renewed = time.time()
            lease.save()

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
            log.info("holder", extra=facts(owner))

    def engine_reconnected(self) -> None:
        """Trust only what is known by process: another engine may have started meanwhile."""
        for lease in self.leases():
            lease.restored = True

    def _refuse_from_memory(self, volume: Volume, store: LockStore, *, rejoin: bool) -> None:
        """Refuse what a living container of this host stands against, without asking the share."""
        for lease in self.leases():
            owner = lease.owner
            joins = owner.volume == volume.name and (rejoin or not volume.options.exclusive)
            against = lease.store is store and not joins and conflict(owner, volume.options)
            if against and owner.containers and self._alive(owner, restored=lease.restored):
                raise Held(volume, owner)

    def _refuse_or_evict(self, volume: Volume, record: Record, store: LockStore) -> None:
        owner = record.owner
        own = self._own(owner)
        if own is not None:
            # Memory knows a container a moment before the record does.
            owner = own.owner
        distant = store.shared and own is None and owner.host_id != self._host.identity
        locked = own is None and not distant and store.locked(owner.key)
        restored = own.restored if own is not None else not locked
        if own is not None and own.lost:
            raise Held(volume, owner, passing=True)
        if not distant and not self._void(owner, locked=locked) and self._alive(owner, restored=restored):
            young = time.time() - owner.since < NAMING_SECONDS
            passing = not owner.containers and young and self._naming()
            raise Held(volume, owner, passing=passing)
        if distant or (store.shared and locked):
            # Beyond this host's sight: a lock that no process here should have is a copy of this machine's.
            self._refuse_unless_silent(volume, record)
        log.warning("dead holder's folder given", extra=facts(owner) | {"host": owner.host, "to": volume.name})
        if own is not None:
            self._drop(own)
        else:
            store.take(owner, self._host.name)

    def _refuse_unless_silent(self, volume: Volume, record: Record) -> None:
        takeover = record.owner.takeover or self._host.takeover
        if record.age < takeover:
            wait = takeover - record.age if record.age >= takeover * _SILENT else 0
            raise Held(volume, record.owner, silent=record.age, wait=wait)

    def _withdraw_if_raced(self, volume: Volume, store: LockStore) -> None:
        lease = self._leases[volume.name]
        for record in store.records():
            mine = record.owner.lease == lease.owner.lease
            if (
                not mine
                and record.in_force
                and self._own(record.owner) is None
                and conflict(record.owner, volume.options)
            ):
                self._drop(lease)
                raise Held(volume, record.owner, passing=True)

    def _own(self, owner: Owner) -> Lease | None:
        """The lease of this very process that a record tells of."""
        lease = self._leases.get(owner.volume)
        ours = lease is not None and (lease.owner.key, lease.owner.lease) == (owner.key, owner.lease)
        return lease if ours else None

    def _void(self, owner: Owner, *, locked: bool) -> bool:
        """Whether this process let the hold go, and the share could not be told."""
        mine = (self._host.identity, self._boot, self._plugin, os.getpid())
        theirs = (owner.host_id, owner.boot, owner.plugin, owner.plugin_pid)
        return mine == theirs and not locked and self._own(owner) is None

    def _alive(self, owner: Owner, *, restored: bool) -> bool:
        if owner.boot != self._boot:
            return False
        starting = not restored or time.time() - owner.since < _STARTING_SECONDS
        if any(container.alive(starting=starting) for container in owner.containers):
            return True
        if owner.mounts <= len(owner.containers):
            return False
        # Some mount has no container yet, or never got one.
        return starting or self._running(owner.volume) is not False

    def _grant(self, volume: Volume, store: LockStore) -> None:
        started = self._clock()
        owner = self._owner(volume, store)
        lock = store.lock(owner.key)
        lease = Lease(owner, store, lock, time.time_ns(), confirmed=started, changes=self.changes)
        store.write(owner)
        self._leases[volume.name] = lease
        self._remember(lease)

    def _owner(self, volume: Volume, store: LockStore) -> Owner:
        now = time.time()
        patience = 1 if volume.options.exclusive else _SHARED_PATIENCE
        return Owner(
            volume=volume.name,
            share=volume.options.share,
            folder=volume.options.folder,
            exclusive=volume.options.exclusive,
            plugin=self._plugin,
            plugin_pid=os.getpid(),
            host=self._host.name,
            boot=self._boot,
            since=now,
            renewed=now,
            host_id=self._host.identity if store.shared else "",
            lease=uuid.uuid4().hex if store.shared else "",
            takeover=self._host.takeover * patience if store.shared else 0.0,
        )

    def _key(self, volume: str, store: LockStore) -> str:
        return record_key(self._plugin, volume, self._host.identity if store.shared else "")

    def _remember(self, lease: Lease) -> None:
        if self._memory is not None and lease.store.shared and lease.owner.released is None:
            self._memory.save(lease)

    def _drop(self, lease: Lease) -> None:
        try:
            lease.release()
        except PluginError as error:
            # The record runs out by itself; this host's own claims look at its processes.
            log.warning("release not told to the share", extra=facts(lease.owner) | {"error": error})
        if self._leases.get(lease.owner.volume) is lease:
            del self._leases[lease.owner.volume]
            if self._memory is not None and lease.store.shared:
                self._memory.forget(lease.owner.volume)
