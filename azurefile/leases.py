"""The leases of this plugin process."""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable

from azurefile import liveness
from azurefile.errors import PluginError, ShareError
from azurefile.identity import Host
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.liveness import Process
from azurefile.owner import Owner, facts, record_key
from azurefile.store import LockStore, is_locked
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

# What is renewed this many times in a takeover time has stopped after two and a half are missed.
RENEWALS = 6
# A hold that excludes nobody is given up later, so that a short outage stops no log writer.
_SHARED_PATIENCE = 10


def patience(*, exclusive: bool) -> int:
    """How many takeover times a hold may be silent for."""
    return 1 if exclusive else _SHARED_PATIENCE


class Leases:
    """At most one lease a volume."""

    def __init__(
        self,
        plugin: str,
        host: Host,
        memory: LeaseMemory,
        clock: Callable[[], float] = liveness.clock,
    ) -> None:
        """Begin with none. `memory` keeps those on shared stores for the plugin's next life."""
        self.plugin = plugin
        self.host = host
        self.boot = liveness.boot_id()
        self.pid_namespace = liveness.pid_namespace()
        self._memory = memory
        self._clock = clock
        self._leases: dict[str, Lease] = {}
        # The volumes whose share was full: a database that ends of it and starts again is not told of twice.
        self._full: set[str] = set()
        self._dropping = threading.Lock()
        # Notified when a record on a shared store has to be written anew.
        self.changes = threading.Condition()

    def of(self, volume: str) -> Lease | None:
        """The volume's lease, if it has one."""
        return self._leases.get(volume)

    def all(self) -> list[Lease]:
        """All of them."""
        return list(self._leases.values())

    def held(self) -> list[str]:
        """The volumes with a lease."""
        return list(self._leases)

    def own(self, owner: Owner) -> Lease | None:
        """The lease of this very process that a record tells of."""
        lease = self._leases.get(owner.volume)
        ours = lease is not None and (lease.owner.key, lease.owner.lease) == (owner.key, owner.lease)
        return lease if ours else None

    def grant(self, volume: Volume, store: LockStore, engine: Process | None = None) -> Lease:
        """Write the volume's record and take its lock; who calls has looked at what is in the way.

        Raises ShareError where another plugin of this folder has the record's name.
        """
        started = self._clock()
        owner = self.owner(volume, store)
        owner.engine = engine
        lock = store.lock(owner.key)
        if lock is None and not store.shared:
            # On a shared store the server may still keep it for a former life, and each renewal asks for it again.
            raise ShareError(
                f'share "{owner.share}": another plugin holds "{owner.key}" in its fence; '
                "give each plugin of one root a STATE of its own"
            )
        lease = Lease(owner, store, lock, confirmed=started, changes=self.changes)
        try:
            store.write(owner)
            # Not before: its keeper would find the record of the hold before, and take it for another's.
            self._leases[volume.name] = lease
            self._remember(lease)
        except BaseException:
            # With its lock, a record that was written after all would look like a living holder's.
            self.drop(lease)
            raise
        return lease

    def adopt(self, lease: Lease) -> None:
        """Go on with a lease of the plugin's last life."""
        with self.changes:
            self._leases[lease.owner.volume] = lease
            self.changes.notify_all()

    def release(self, volume: str) -> None:
        """Give the volume's folder back at once."""
        lease = self._leases.get(volume)
        if lease is not None:
            self.drop(lease)

    def forget(self, volume: Volume, store: LockStore) -> None:
        """Remove the record of a volume that no longer exists. Raises ShareError if the share can't be asked."""
        self.release(volume.name)
        self._full.discard(volume.name)
        key = self.key(volume.name, store)
        if not store.shared or store.read(key) is None:
            store.delete(key)
            return
        with store.mutex():
            record = store.read(key)
            if record is not None and record.in_force and is_locked(store, key):
                log.warning("record left on the share, a copy of this machine has it", extra=facts(record.owner))
            else:
                if record is not None and record.in_force:
                    store.end_session(record.owner, record.owner.age())
                store.delete(key)

    def overdue(self, lease: Lease) -> bool:
        """Whether a holder on a shared store must stop, since another host may soon take over."""
        return lease.store.shared and self.silence(lease) > lease.owner.takeover / 2

    def silence(self, lease: Lease) -> float:
        """Seconds since the share last confirmed a lease."""
        return lease.silence(self._clock())

    def over(self, lease: Lease, seconds: float) -> bool:
        """Wait until a lease is dropped; says whether it was in time."""
        with self.changes:
            return self.changes.wait_for(lambda: self._leases.get(lease.owner.volume) is not lease, seconds)

    def renew(self, lease: Lease) -> None:
        """Confirm one lease with its share. Raises ShareError or TakenOver."""
        if lease.store.shared:
            lease.renew(self._clock)
            volume = lease.owner.volume
            if lease.full and volume not in self._full:
                self._full.add(volume)
                log.warning("share is full, raise its quota or make room", extra=facts(lease.owner))
            elif volume in self._full and lease.full is False:
                self._full.discard(volume)
                log.info("share has room again", extra=facts(lease.owner))
            try:
                self._remember(lease)
            except OSError as error:
                # What is remembered is only older than it could be.
                if not lease.unremembered:
                    log.warning("renewal not remembered", extra=facts(lease.owner) | {"error": error})
                lease.unremembered = True
            else:
                if lease.unremembered:
                    log.info("renewal remembered again", extra=facts(lease.owner))
                lease.unremembered = False
        else:
            lease.owner.renewed = time.time()
            lease.save()

    def note(self, lease: Lease) -> None:
        """Write what memory knows better; on a full disk the record is only older than it could be."""
        try:
            lease.save()
        except OSError as error:
            log.warning("record not written", extra=facts(lease.owner) | {"error": error})

    def drop(self, lease: Lease) -> None:
        """Give a lease back; one that is lost is only forgotten, once nothing writes under it any more."""
        granted = self._leases.get(lease.owner.volume) is lease
        try:
            lease.release()
        except (PluginError, OSError) as error:
            # The record runs out by itself; this host's own claims look at its processes.
            # Who asked for one that was not granted is told why.
            level = logging.WARNING if granted else logging.DEBUG
            log.log(level, "release not told to the share", extra=facts(lease.owner) | {"error": error})
        # Another thread may have dropped it while the share was told.
        with self._dropping:
            dropped = self._leases.get(lease.owner.volume) is lease
            if dropped:
                del self._leases[lease.owner.volume]
        with self.changes:
            self.changes.notify_all()
        if dropped and lease.store.shared:
            self._memory.forget(lease.owner.volume)

    def owner(self, volume: Volume, store: LockStore) -> Owner:
        """A new record of the volume's hold."""
        now = time.time()
        return Owner(
            volume=volume.name,
            share=volume.options.share,
            folder=volume.options.folder,
            exclusive=volume.options.exclusive,
            plugin=self.plugin,
            plugin_pid=os.getpid(),
            host=self.host.name,
            boot=self.boot,
            since=now,
            renewed=now,
            host_id=self.host.identity if store.shared else "",
            lease=uuid.uuid4().hex if store.shared else "",
            takeover=self.host.takeover * patience(exclusive=volume.options.exclusive) if store.shared else 0.0,
            pid_namespace=self.pid_namespace,
            protocol=volume.options.protocol,
        )

    def key(self, volume: str, store: LockStore) -> str:
        """The name of a volume's record."""
        return record_key(self.plugin, volume, self.host.identity if store.shared else "")

    def _remember(self, lease: Lease) -> None:
        if lease.store.shared and lease.owner.released is None:
            self._memory.save(lease)
