"""Starts what the plugin itself stopped again, once the share is back.

A container that was killed through the engine stays down whatever its restart policy says: it
comes back by a start, whose Mount claims the folder like any other. What is to be started is noted
on disk, since a container must not stay down if the plugin or the machine ends meanwhile.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from azurefile import liveness
from azurefile.engine import Engine, has_restart_policy
from azurefile.errors import PluginError
from azurefile.owner import Owner, facts
from azurefile.stoppedmemory import Stopped, StoppedMemory
from azurefile.store import LockStore, Record

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_SECONDS = 2.0
# Between two starts of a container, and until one that can't be started is left down.
_RESTART_SECONDS = 10.0
_START_SECONDS = 600.0


class Restarter:
    """Goes on with each lost hold until it is settled what becomes of its containers."""

    def __init__(
        self,
        engine: Engine,
        held: Callable[[str], bool],
        chosen: Callable[[str], LockStore | None],
        memory: StoppedMemory,
    ) -> None:
        """Start what `memory` has of whichever life of the plugin, and forget it there.

        `held` tells whether a volume has a lease again; the share can't, which may not have heard that one ended.
        `chosen` is a volume's store by now: the hold's is closed where another account reaches the share since, and
        none at all where the volume could not be restored.
        """
        self._engine = engine
        self._held = held
        self._chosen = chosen
        self._memory = memory
        # The lost holds whose containers a thread waits to start.
        self._starting: set[str] = set()
        self._guard = threading.Lock()

    def interrupted(self, volume: str) -> Stopped | None:
        """What the plugin was about to stop, or had not started again, when its last life ended."""
        return self._memory.load(volume)

    def resume(self, stopped: Stopped, store: LockStore) -> None:
        """Start again what the plugin's last life stopped."""
        log.info("stopped by the plugin's last life", extra=facts(stopped.owner))
        threading.Thread(target=self.start, args=(stopped, store), name="start", daemon=True).start()

    def start(self, stopped: Stopped, store: LockStore) -> None:
        """Start what was stopped for a hold once its share is back; the caller's thread waits for that."""
        decided = insist("not started again yet", stopped.owner, lambda: self._decided(stopped))
        self._start_again(decided, store)

    def see_out(self, stopped: Stopped) -> None:
        """Wait until all that was killed has ended: what another host has now is written by nobody here."""
        self._memory.forget(stopped.owner.volume)
        insist("not seen to its end yet", stopped.owner, lambda: self._all_ended(stopped))

    def _all_ended(self, stopped: Stopped) -> None:
        while any(self._ended(container, stopped) is None for container in stopped.containers):
            time.sleep(_RETRY_SECONDS)

    def _decided(self, stopped: Stopped) -> Stopped:
        """What is to be started again; what only helped for a moment takes no database's place."""
        decided = stopped
        while decided.earlier and not self._comes_back(decided):
            decided = decided.earlier
        decided = dataclasses.replace(decided, earlier=None)
        if decided.containers:
            self._memory.keep(decided)
        else:
            self._memory.forget(decided.owner.volume)
        return decided

    def _comes_back(self, stopped: Stopped) -> bool:
        """Whether any of it is to be started again; waits until the engine says so, and until what is not has ended."""
        for container in stopped.containers:
            while (found := self._ended(container, stopped)) is None:
                time.sleep(_RETRY_SECONDS)
            if found and (stopped.restart or has_restart_policy(found)):
                return True
        return False

    def _start_again(self, stopped: Stopped, store: LockStore) -> None:
        """Go on until it is settled what becomes of the containers, unless another thread does for this hold."""
        hold = stopped.owner.lease
        with self._guard:
            if hold in self._starting:
                return
            self._starting.add(hold)
        insist("not started again yet", stopped.owner, lambda: self._start_once_back(stopped, store))
        self._starting.discard(hold)

    def _start_once_back(self, stopped: Stopped, store: LockStore) -> None:
        """Wait for the share; whether the folder is still free is decided by the Mount.

        A start may fail although the share is back, since that may be going up and down still.
        """
        owner = stopped.owner
        waiting = list(stopped.containers)
        # Less what is spent while the share answers.
        left, given_up = _START_SECONDS, False
        while waiting:
            record = self._share_back(stopped, store)
            if record is None:
                break
            wishes = {container: self._wants_to_run(container, stopped) for container in waiting}
            if record.taken_by and None in wishes.values():
                time.sleep(_RETRY_SECONDS)
                continue
            if record.taken_by:
                log.warning("not started again, the folder was taken", extra=facts(owner) | {"by": record.taken_by})
                break
            remembered = self._memory.load(owner.volume)
            another = owner.exclusive and remembered is not None and remembered.owner.lease != owner.lease
            undecided = another and remembered is not None and remembered.earlier is not None
            if another and not undecided:
                log.warning("not started again, what had the folder since comes back", extra=facts(owner))
                break
            # Perhaps for a moment, as a copy out of the container has it.
            passed_on = owner.exclusive and (undecided or self._held(owner.volume))
            answered = time.monotonic()
            failed = [c for c in waiting if wishes[c] and (passed_on or not self._started(c, owner))]
            waiting = [c for c in waiting if wishes[c] is None or c in failed]
            if failed and left <= 0:
                if passed_on:
                    log.warning("not started again, another container has the folder", extra=facts(owner))
                    break
                log.error("not started again, start it by hand; see the engine's log for its Mount", extra=facts(owner))
                given_up = True
                waiting = [c for c in waiting if c not in failed]
            if waiting:
                time.sleep(_RESTART_SECONDS if failed and not passed_on else _RETRY_SECONDS)
                left -= time.monotonic() - answered if failed and not undecided else 0
        # What was given up stays remembered: the plugin's next life tries again.
        if not given_up:
            self._settled(owner)

    def _settled(self, owner: Owner) -> None:
        """Forget what was stopped for a hold; what a later one of the volume lost stays remembered."""
        remembered = self._memory.load(owner.volume)
        if remembered is not None and remembered.owner.lease == owner.lease:
            self._memory.forget(owner.volume)

    def _share_back(self, stopped: Stopped, store: LockStore) -> Record | None:
        """What the share says of the hold once it answers; None if the containers were removed meanwhile."""
        while (record := self._record(stopped.owner, store)) is None:
            # What outlived its kill must not write again as soon as the share is back.
            ended = [self._ended(container, stopped) for container in stopped.containers]
            if all(found == {} for found in ended):
                # As with a share that is gone for good.
                return None
            time.sleep(_RETRY_SECONDS)
        return record

    def _record(self, owner: Owner, store: LockStore) -> Record | None:
        try:
            return (self._chosen(owner.volume) or store).read(owner.key) or Record(owner)
        except PluginError:
            return None

    def _started(self, container: str, owner: Owner) -> bool:
        started = self._engine.start(container)
        if started:
            log.info("started again", extra=facts(owner))
        else:
            log.warning("start failed, it is tried again; see the engine's log for its Mount", extra=facts(owner))
        return started

    def _wants_to_run(self, container: str, stopped: Stopped) -> bool | None:
        """Whether a killed container is to be started again; None until it has ended."""
        found = self._ended(container, stopped)
        if found is None:
            return None
        if not found or found["State"]["Pid"]:
            return False
        if started_at(found) != stopped.started.get(container, started_at(found)):
            # It ran since, and somebody stopped it.
            return False
        return stopped.restart or has_restart_policy(found)

    def _ended(self, container: str, stopped: Stopped) -> dict[str, Any] | None:
        """What the engine says of a killed container that has ended, and may run anew; None until it has.

        Its process ends only when the kernel has given the server up, and until then a start does nothing.
        """
        found = self._engine.look(container)
        if not found:
            return found
        if _dying(found, container, stopped.owner):
            return None
        known = stopped.started.get(container)
        anew = started_at(found) != known and (known or self._held(stopped.owner.volume))
        if found["State"]["Pid"] and not anew:
            # It was killed, and goes on without a mount: an engine may answer late or not at all.
            self._engine.kill(container)
            return None
        return found


def started_at(found: dict[str, Any]) -> str:
    """When a container was last started, in the engine's words; one whose start failed was not."""
    return str(found["State"].get("StartedAt", ""))


def _dying(found: dict[str, Any], container: str, owner: Owner) -> bool:
    """Whether it is still the process that was killed. A pid says that only within one boot."""
    pids = [c.pid for c in owner.containers if c.id == container]
    return owner.boot == liveness.boot_id() and found["State"]["Pid"] in pids


def insist(said: str, owner: Owner, work: Callable[[], T]) -> T:
    """Go on until it is done: nobody else stops what writes under a lost lease, or starts it again."""
    level = logging.ERROR
    while True:
        try:
            return work()
        except Exception:
            # Such as a host without a thread left.
            log.log(level, said, extra=facts(owner), exc_info=True)
            level = logging.DEBUG
            time.sleep(_RETRY_SECONDS)
