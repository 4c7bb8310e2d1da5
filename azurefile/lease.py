"""One volume's hold on its folder, in the memory of the plugin that has it."""

import dataclasses
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from azurefile import liveness
from azurefile.errors import PluginError, ShareError, ShareSilent
from azurefile.owner import Owner, conflict
from azurefile.store import Lock, LockStore, others

# A server may refuse a whole write that it has only some room for.
_LEAST_ROOM = 1 << 20


class TakenOver(PluginError):
    """Another plugin voided this hold while it could not be renewed."""

    def __init__(self, reason: str, *, final: bool) -> None:
        """`final`: the other has the folder since; else it may give way, too."""
        super().__init__(reason)
        self.final = final


@dataclass
class Lease:
    """A hold, its record and its lock."""

    owner: Owner
    store: LockStore
    lock: Lock | None
    # True once the process that saw the Mount, or the engine that sent it, may be a former one.
    restored: bool = False
    # When this process took it, by a clock that nobody sets.
    granted: float = field(default_factory=liveness.clock)
    # When the last renewal that the share confirmed was begun, by a clock that never jumps.
    confirmed: float = 0.0
    # The newest renewal that this plugin wrote, or found from its last life; nobody else renews this very hold.
    newest: float = 0.0
    # Whether this life wrote one: until then one of the last life's may still be on its way.
    wrote: bool = False
    # The last renewal failed, which is logged once an outage.
    failing: bool = False
    # What the plugin's next life needs could not be written at the last renewal, which is logged once, too.
    unremembered: bool = False
    # Its share had no room at the last renewal, None until it has said so.
    full: bool | None = None
    # Why the hold ended without being given back, and whether another has the folder since.
    lost: str = ""
    taken: bool = False
    # Nothing uses it any more, but what was written under it may still be on its way to the share.
    ending: bool = False
    # What is stopped for it starts again whatever its restart policy: the share itself is well.
    restart: bool = False
    # Its record was not on the share once, or given back there, and who was let in meanwhile is still to be looked for.
    deleted: bool = False
    # The record in memory is newer than the one on the share; `changes` wakes who writes it.
    changed: bool = False
    changes: threading.Condition = field(default_factory=threading.Condition)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def save(self) -> None:
        """Write the record, unless it was given back meanwhile; a shared one is written by its keeper."""
        if self.store.shared:
            with self.changes:
                self.changed = True
                self.changes.notify_all()
            return
        with self.guard:
            if self.owner.released is None:
                self.store.write(self.owner)

    def renew(self, clock: Callable[[], float]) -> None:
        """Confirm the hold with the share. Raises ShareError without an answer, TakenOver if it is void."""
        with self.guard:
            if self.owner.released is not None or self.lost:
                return
            started = clock()
            self.deleted |= not self._check()
            if self.lock is None or not self.lock.confirm():
                self._close()
                self.lock = self.store.lock(self.owner.key)
            self.changed = False
            # To the microsecond, as the record tells it.
            self.owner.renewed = round(time.time(), 6)
            # Before it is written, since a write that fails may have arrived.
            self.newest, self.wrote = max(self.newest, self.owner.renewed), True
            self._write()
            # Who takes the folder marks it before looking at the record again: one of the two sees the other.
            self._check()
            if self.deleted:
                self._look_around()
                self.deleted = False
            self.confirmed = started
            left = self.lock.room() if self.lock is not None else None
            if left is not None:
                self.full = left < _LEAST_ROOM
        with self.changes:
            self.changes.notify_all()

    def release(self) -> None:
        """Give the folder back, unless it is lost already. Raises ShareError if nobody can be told."""
        with self.guard:
            self.owner.released = time.time()
            try:
                if not self.lost:
                    self._write()
            finally:
                self._close()

    def silence(self, now: float) -> float:
        """Seconds since the share last confirmed the hold."""
        return now - self.confirmed

    def _write(self) -> None:
        """Write the record; one that a full share has no room for with fewer containers, since its age matters more."""
        record = self.owner
        while True:
            try:
                self.store.write(record)
            except ShareSilent:
                raise
            except ShareError:
                if not record.containers:
                    raise
                record = dataclasses.replace(record, containers=record.containers[: len(record.containers) // 2])
            else:
                return

    def _check(self) -> bool:
        """Say whether the share has the record in force. Raises TakenOver if it is another's, or void."""
        record = self.store.read(self.owner.key)
        if record is None:
            return False
        if record.taken_by:
            raise TakenOver(f"taken over by {record.taken_by}", final=False)
        if record.owner.lease != self.owner.lease:
            raise TakenOver(f"taken over by {record.owner.host}, a copy of this machine", final=True)
        if not self.wrote:
            self.newest = max(self.newest, record.owner.renewed)
        # An older one is no copy's: a server that crashed may have lost the last, and a share may be restored.
        if record.owner.renewed > self.newest:
            raise TakenOver("renewed by a copy of this machine, which was made with its memory", final=True)
        # Given back by such a copy, it excluded nobody for a moment.
        return record.owner.released is None

    def _look_around(self) -> None:
        """Give way to who was let in while the record was not there: somebody deleted it."""
        for record in others(self.store, self.owner):
            if record.in_force and conflict(self.owner, record.owner):
                said = f"its record was deleted from the share, and {record.owner.host} was let in"
                raise TakenOver(said, final=False)

    def _close(self) -> None:
        if self.lock is not None:
            self.lock.close()
            self.lock = None
