"""Keeps the leases on shared stores: renews them, and tells when one can't be held any longer.

Each store is renewed by a thread of its own, so that a share that hangs delays no other. The
watch over the time since the last renewal asks no share at all.
"""

import logging
import math
import threading
import time
from collections.abc import Callable

from azurefile import liveness
from azurefile.errors import PluginError
from azurefile.lease import Lease, TakenOver
from azurefile.leases import RENEWALS, Leases
from azurefile.owner import facts
from azurefile.store import LockStore

log = logging.getLogger(__name__)

# A share that does not answer keeps nobody waiting for longer than this.
_SETTLE_SECONDS = 2.0
# More between two looks than a busy host takes: this process was frozen, or its machine.
_FROZEN_SECONDS = 2.0
# The part of a takeover time for which a renewal is tried first then, and how long a stop may take.
_GRACE = 1 / 20
_STOP_SECONDS = 10.0


class Keeper:
    """The threads that keep this plugin's leases on shared stores."""

    def __init__(
        self,
        leases: Leases,
        takeover: float,
        lost: Callable[[Lease], None],
        clock: Callable[[], float] = liveness.clock,
    ) -> None:
        """Renew `leases`; `lost` is called in a thread for each that must stop."""
        self._leases = leases
        self._period = takeover / RENEWALS
        self._retry = min(1.0, self._period / 4)
        self._grace = takeover * _GRACE
        self._lost = lost
        self._clock = clock
        # When it looked last, and until when a renewal is tried first.
        self._looked, self._patient = math.inf, -math.inf
        self._stores: dict[int, LockStore] = {}
        self._guard = threading.Lock()

    def start(self) -> None:
        """Begin to watch; the threads end with the process."""
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    def keep(self, store: LockStore) -> None:
        """Renew what this store holds from now on."""
        if not store.shared:
            return
        with self._guard:
            if id(store) not in self._stores:
                self._stores[id(store)] = store
                try:
                    threading.Thread(target=self._renew, args=(store,), name="renew", daemon=True).start()
                except RuntimeError:
                    # This host has no thread left: the next mount tries again.
                    del self._stores[id(store)]
                    raise

    def drop(self, store: LockStore) -> None:
        """Let go of a store that no volume uses any more."""
        with self._guard:
            self._stores.pop(id(store), None)
        with self._leases.changes:
            self._leases.changes.notify_all()

    def settle(self) -> None:
        """Wait a moment until the leases of the plugin's last life have their locks again."""
        with self._leases.changes:
            self._leases.changes.wait_for(lambda: not any(x.changed for x in self._leases.all()), _SETTLE_SECONDS)

    def look(self) -> None:
        """Give up every lease that was not confirmed in time; after a freeze, once a renewal was tried."""
        now = self._clock()
        if now - self._looked > self._retry + _FROZEN_SECONDS:
            self._patient = now + self._grace
            for lease in self._leases.all():
                if lease.store.shared:
                    lease.save()
        self._looked = now
        for lease in self._leases.all():
            if self._leases.overdue(lease) and not (now < self._patient and self._in_time(lease)):
                self.give_up(lease, f"no renewal for {lease.owner.takeover / 2:.0f} s")

    def renew(self, store: LockStore, *, all_of_it: bool = True) -> bool:
        """Renew the leases on one store, or only write the records that changed; says whether all were confirmed."""
        confirmed = True
        for lease in self._leases.all():
            if lease.store is not store or lease.lost or not (all_of_it or lease.changed):
                continue
            try:
                self._leases.renew(lease)
                lease.failing = False
            except TakenOver as taken:
                lease.taken = taken.final
                self.give_up(lease, str(taken))
            except PluginError as error:
                # Tried again soon, whatever became of the change.
                lease.changed = confirmed = False
                level = logging.DEBUG if lease.failing else logging.WARNING
                log.log(level, "lease not renewed", extra=facts(lease.owner) | {"error": error})
                lease.failing = True
            except Exception:
                # The others' leases run on.
                lease.changed = confirmed = False
                if not lease.failing:
                    log.exception("lease not renewed", extra=facts(lease.owner))
                lease.failing = True
        return confirmed

    def give_up(self, lease: Lease, reason: str, *, restart: bool = False) -> None:
        """Stop what holds a lease; with `restart` it starts again at once, whatever its restart policy."""
        with self._guard:
            if lease.lost or lease.owner.released is not None:
                # One that is given back has no mount any more, and its volume may be another's a moment later.
                return
            lease.restart = restart
            lease.lost = reason
        try:
            threading.Thread(target=self._lost, args=(lease,), name="stop", daemon=True).start()
        except RuntimeError:
            # This host has no thread left: nobody stops them, so the next look does.
            lease.lost = ""
            raise
        # Only now: an engine that hangs does not read what is logged, and would be waited for.
        log.error("lease lost, its containers are stopped", extra=facts(lease.owner) | {"reason": reason})

    def _in_time(self, lease: Lease) -> bool:
        """Whether a stop that begins now is over long before another host takes the folder."""
        takeover = lease.owner.takeover
        return self._leases.silence(lease) < min(takeover * 2 / 3, takeover - _STOP_SECONDS)

    def _watch(self) -> None:
        # What was silent for long while the plugin was away is being renewed.
        self.settle()
        while True:
            time.sleep(self._retry)
            try:
                self.look()
            except Exception:
                log.exception("watch failed")

    def _renew(self, store: LockStore) -> None:
        due = time.monotonic() + self._pace(store)
        while id(store) in self._stores:
            with self._leases.changes:
                changed = self._leases.changes.wait_for(lambda: self._changed(store), max(0.0, due - time.monotonic()))
            # A round may take seconds, which must not be added to each period.
            began = time.monotonic()
            # Whatever changes meanwhile, and however often: what is due is renewed.
            whole = not changed or began >= due
            try:
                confirmed = self.renew(store, all_of_it=whole)
            except Exception:
                log.exception("renewal failed")
                confirmed = False
            if not confirmed:
                # Half of the takeover time is what an outage may last, not what is left of it after a period.
                due = began + self._retry
            elif whole:
                due = began + self._pace(store)
            else:
                due = min(due, began + self._pace(store))

    def _pace(self, store: LockStore) -> float:
        """How often to renew; a hold of the plugin's last life may have a shorter takeover time than is set now."""
        holds = (lease.owner.takeover / RENEWALS for lease in self._leases.all() if lease.store is store)
        return min([self._period, *holds])

    def _changed(self, store: LockStore) -> bool:
        """Whether there is something to write, or nothing ever again."""
        dropped = id(store) not in self._stores
        return dropped or any(x.changed and x.store is store and not x.lost for x in self._leases.all())
