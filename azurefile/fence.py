"""The fence: an exclusive volume's folder has one writing container, whoever asks.

Every mounted volume keeps an owner record where all plugins that can reach the share see it, and
beside it a lock that lives as long as the plugin process that wrote it. To claim a folder, a
plugin takes the share's mutex, reads the records, and refuses if one that overlaps is in the way
and its holder may still write. On a share that other hosts reach it reads them again after it
wrote its own, and withdraws if another did the same meanwhile:

- the folders overlap if they are equal or one contains the other;
- two claims exclude each other if they overlap and either is exclusive;
- a holder on this host is alive while its container's first process is. Until that is known, a
  holder whose plugin still runs is alive, and one whose plugin restarted is looked up in the
  engine's list;
- where machines, or PID namespaces of one, share a local folder, a holder of another one is alive while its lock is
  held;
- a holder on another host is alive until its record has not been renewed for its takeover time,
  as the share's own clock tells. Half of that time after its last renewal it has stopped itself.
  That clock may jump, at a restart of the server above all: before that, its record is seen to stand
  still for longer than a renewal takes.

A plugin that dies loses its lock but not its record, so its containers stay protected.
"""

import logging
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from azurefile import liveness
from azurefile.errors import ShareError, ShareSilent
from azurefile.held import Held
from azurefile.lease import Lease
from azurefile.leases import RENEWALS, Leases, patience
from azurefile.liveness import Process
from azurefile.owner import Owner, conflict, facts
from azurefile.silence import Silence
from azurefile.store import LockStore, Record, is_locked, others
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

# A container needs this long at most from its Mount until the engine can name it.
_STARTING_SECONDS = 10.0
# A hold whose last writes are still on their way is looked at again after this.
_ENDING_SECONDS = 1.0
# Of claims that saw each other each waits some time between these, and then tries again.
_WITHDRAWN_SECONDS = (0.1, 1.0)
# A refusal waits this long for the holder's name, or for a passing mount (copy-up) to end.
NAMING_SECONDS = 1.0
# A holder that missed two and a half renewals has stopped.
_SILENT = 2.5 / RENEWALS
# One that lives renews within so many periods, however old the share's clock says that its record is.
_WATCHED = 1.5


@dataclass(frozen=True)
class _Dead:
    """A hold that is in the way and has no writer any more."""

    owner: Owner
    # The lease, if it is this process's own.
    own: Lease | None = None
    # Of another host, which may turn out to be alive.
    distant: bool = False
    # Seconds since it was written.
    age: float = 0.0
    # It came with the data from another share, whose it is.
    copied: bool = False


class Fence:
    """Judges every claim by the records on the share and by what still runs."""

    def __init__(
        self,
        leases: Leases,
        running: Callable[[str], bool | None],
        naming: Callable[[], bool],
        volumes: Callable[[], list[Volume]],
        clock: Callable[[], float] = liveness.clock,
    ) -> None:
        """Grant to `leases`.

        `running` says whether a container with a volume runs (None: the engine does not answer),
        `naming` whether the engine's events are being read, so that names can be expected, `volumes` which there are.
        """
        self._leases = leases
        self._running = running
        self._naming = naming
        self._volumes = volumes
        self._silence = Silence(clock)

    def alive(self, volume: str) -> bool:
        """Whether the volume is held by something that may still write."""
        lease = self._leases.of(volume)
        return lease is not None and self._alive(lease.owner, restored=lease.restored)

    def runs(self, volume: str) -> bool:
        """Whether the engine says that a container with the volume runs; not while it starts or ends them."""
        return self._running(volume) is True

    def claim(self, volume: Volume, store: LockStore, *, rejoin: bool, engine: Process | None = None) -> bool:
        """Hold the volume's folder for one more mount that `engine` asks for, or raise `Held`.

        `rejoin`: the mount ID is one of this volume's own, so it is the same container again.
        Returns False if an earlier hold of this volume was void, and so are its mount IDs.
        """
        options = volume.options
        self._refuse_from_memory(volume, store, rejoin=rejoin)
        with store.mutex():
            lease = self._leases.of(volume.name)
            if lease is not None and lease.lost:
                raise ShareSilent(f'share "{options.share}": what used the volume is being stopped ({lease.lost})')
            joins = lease is not None and (rejoin or not options.exclusive)
            if lease is not None and joins and self._alive(lease.owner, restored=lease.restored):
                if not rejoin or lease.owner.engine != engine:
                    lease.owner.mounts += not rejoin
                    lease.owner.engine = engine
                    lease.save()
                return True
            records = (r for r in store.records(but=self._harmless(volume, store)) if conflict(r.owner, options))
            # All are judged before one is voided: who is refused by a living holder has taken nothing from a dead one.
            dead = [self._judge(volume, r, store) for r in records if r.in_force or _marked_too_early(r, store)]
            for holder in dead:
                self._evict(volume, holder, store)
            self._leases.release(volume.name)
            lease = self._leases.grant(volume, store, engine)
            if store.shared:
                try:
                    self._withdraw_if_raced(volume, store, lease)
                except BaseException:
                    self._leases.drop(lease)
                    raise
            return False

    def _refuse_from_memory(self, volume: Volume, store: LockStore, *, rejoin: bool) -> None:
        """Refuse what a living container of this host stands against, without asking the share."""
        for lease in self._leases.all():
            owner = lease.owner
            joins = owner.volume == volume.name and (rejoin or not volume.options.exclusive)
            against = lease.store is store and not joins and conflict(owner, volume.options)
            if against and owner.containers and self._alive(owner, restored=lease.restored):
                raise self._held(volume, owner, restored=lease.restored)

    def _held(self, volume: Volume, owner: Owner, *, restored: bool, passing: bool = False) -> Held:
        """The refusal of a holder on this host, for as long as one without a known process still counts."""
        age = time.time() - owner.since
        # A grant of the future is one of before the clock was set back, which is not waited for.
        left = _STARTING_SECONDS - age if age >= 0 else 0
        known = any(container.pid is not None and not container.dead() for container in owner.containers)
        wait = left if restored and not known and left > 0 else 0
        if restored and not known and not wait:
            running = self._running(owner.volume)
            if running is None:
                # An engine that starts answers once its containers' mounts have been: it is not waited for.
                wait = math.inf
            elif not running and not self._alive(owner, restored=restored):
                # It said nothing a moment ago.
                wait = _ENDING_SECONDS
        return Held(volume, owner, passing=passing, wait=wait)

    def _judge(self, volume: Volume, record: Record, store: LockStore) -> "_Dead":
        """Refuse what a holder stands against that may still write; what is returned is to be evicted."""
        owner = record.owner
        own = self._leases.own(owner)
        if own is not None and own.lost:
            raise Held(volume, owner, passing=True)
        if own is not None and _is_copy(volume, record, own, store):
            return _Dead(owner, copied=True)
        if own is not None:
            # Memory knows a container a moment before the record does.
            owner = own.owner
        distant = store.shared and own is None and owner.host_id != self._leases.host.identity
        locked = own is None and not distant and is_locked(store, owner.key)
        restored = own.restored if own is not None else not locked
        if own is not None and own.ending and owner.volume != volume.name:
            raise Held(volume, owner, wait=_ENDING_SECONDS)
        if not distant and not self._void(owner, locked=locked) and self._alive(owner, restored=restored):
            young = time.time() - owner.since < NAMING_SECONDS
            passing = not owner.containers and young and self._naming()
            raise self._held(volume, owner, restored=restored, passing=passing)
        seen = owner.boot == self._leases.boot and owner.pid_namespace in (0, self._leases.pid_namespace)
        if locked and not store.shared and not seen:
            # A plugin whose processes aren't seen here holds it: of another machine or PID namespace.
            raise self._held(volume, owner, restored=False)
        age = store.now() - record.written
        if distant or (store.shared and locked):
            # Beyond this host's sight: a lock that no process here should have is a copy of this machine's.
            self._refuse_unless_silent(volume, owner, store, age, distant=distant)
        return _Dead(owner, own=own, distant=distant, age=age)

    def _evict(self, volume: Volume, dead: "_Dead", store: LockStore) -> None:
        """Void a dead holder's hold. Raises `Held` if it turns out to be alive."""
        owner, own = dead.owner, dead.own
        if dead.copied:
            log.info("copied record is of another share", extra=facts(owner) | {"to": volume.name})
            store.take(owner, self._leases.host.name)
            return
        ending = own is not None and own.ending and owner.volume != volume.name
        if own is not None and (own.lost or ending or self._leases.own(owner) is not own):
            # What was judged before it may have taken a while.
            raise Held(volume, owner, wait=_ENDING_SECONDS)
        log.warning("dead holder's folder given", extra=facts(owner) | {"host": owner.host, "to": volume.name})
        if own is not None:
            self._leases.drop(own)
        elif owner.key != self._leases.key(volume.name, store):
            # Its own record is written anew, and a share that is full takes no new file.
            store.take(owner, self._leases.host.name)
            again = store.read(owner.key) if dead.distant else None
            if again is not None and (again.owner.lease, again.owner.renewed) != (owner.lease, owner.renewed):
                # It came back before the mark was there, and may not have seen it: it goes on, and keeps the folder.
                store.spare(again.owner, self._leases.host.name)
                raise Held(volume, again.owner, silent=0)
        if own is None:
            store.end_session(owner, dead.age)

    def _refuse_unless_silent(
        self, volume: Volume, owner: Owner, store: LockStore, age: float, *, distant: bool
    ) -> None:
        takeover = owner.takeover or self._leases.host.takeover
        watched = self._silence.of(owner, store.answering_since)
        enough = _WATCHED * takeover / RENEWALS / patience(exclusive=owner.exclusive)
        # A record of the future tells nothing: the share's clock was set back.
        silent = max(age, watched)
        if silent >= takeover and watched >= enough:
            return
        # This host's own is most likely dead, and the engine mounts a database only once after a crash.
        waits = not distant or max(abs(age), watched) >= takeover * _SILENT
        wait = max(takeover - silent, enough - watched) if waits else 0
        raise Held(volume, owner, silent=silent, wait=wait)

    def _withdraw_if_raced(self, volume: Volume, store: LockStore, lease: Lease) -> None:
        """Look again after writing: of two claims that the mutex did not keep apart at least one sees the other."""
        for record in others(store, lease.owner, but=self._harmless(volume, store)):
            owner = record.owner
            # A sibling that was being granted while it was judged is held, marked or not.
            own = self._leases.own(owner)
            held = record.in_force or (own is not None and own.store is store)
            if held and conflict(owner, volume.options):
                # The other may have withdrawn, too: both look again, and hardly at the same moment.
                raise Held(volume, owner, wait=random.uniform(*_WITHDRAWN_SECONDS))  # noqa: S311 - no secret

    def _harmless(self, volume: Volume, store: LockStore) -> set[str]:
        """Records that need not be read: they are of this plugin's own volumes, and in nobody's way.

        A host with many databases on one share would else read all of them for each.
        """
        held = {lease.owner.volume: lease for lease in self._leases.all()}
        owners = [lease.owner for lease in held.values() if lease.store is store]
        if store.shared:
            # Not on a folder of the host: on one that machines share another's volume may have the name.
            share = volume.options.share
            free = (kept for kept in self._volumes() if kept.name not in held and kept.options.share == share)
            owners += [self._leases.owner(kept, store) for kept in free]
        return {o.key for o in owners if o.volume != volume.name and not conflict(o, volume.options)}

    def _void(self, owner: Owner, *, locked: bool) -> bool:
        """Whether this process let the hold go, and the share could not be told."""
        mine = (self._leases.host.identity, self._leases.boot, self._leases.plugin, os.getpid())
        theirs = (owner.host_id, owner.boot, owner.plugin, owner.plugin_pid)
        return mine == theirs and not locked and self._leases.own(owner) is None

    def _alive(self, owner: Owner, *, restored: bool) -> bool:
        if owner.boot != self._leases.boot:
            return False
        # A grant of the future is one of before the clock was set back.
        starting = not restored or 0 <= time.time() - owner.since < _STARTING_SECONDS
        # A copy into a container that does not run has no process, and ends with the engine at the latest.
        copying = owner.engine is not None and owner.engine.alive()
        if any(container.alive(starting=starting or copying) for container in owner.containers):
            return True
        if owner.mounts <= len(owner.containers):
            return False
        # Some mount has no container yet, or never got one.
        return starting or self._running(owner.volume) is not False


def _is_copy(volume: Volume, record: Record, lease: Lease, store: LockStore) -> bool:
    """Whether the record of a lease on another share was copied to this one, with the data, and nobody renews it here.

    One share may have two names.
    """
    if lease.store is store or not store.shared:
        return False
    try:
        there = lease.store.read(lease.owner.key)
    except ShareError as error:
        # What that share says is nothing to who claims this one.
        raise Held(volume, lease.owner, wait=_ENDING_SECONDS) from error
    here = store.read(record.owner.key)
    return there is not None and here is not None and here.owner.renewed < there.owner.renewed


def _marked_too_early(record: Record, store: LockStore) -> bool:
    """Whether another host voided a hold that was renewed, and then failed before it could see that."""
    by_another = record.taken_by not in ("", record.owner.host)
    return by_another and record.owner.released is None and store.now() - record.written < record.owner.takeover
