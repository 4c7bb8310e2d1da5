"""Stops what still writes under a lost lease, and hands it to who starts it again."""

import contextlib
import dataclasses
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from azurefile import mounts
from azurefile.engine import Engine
from azurefile.flush import Flush
from azurefile.lease import Lease
from azurefile.owner import Owner, facts
from azurefile.restarter import Restarter, insist, started_at
from azurefile.stoppedmemory import Stopped, StoppedMemory

log = logging.getLogger(__name__)

_DEATH_SECONDS = 5.0
_ASK_SECONDS = 0.5


class Stopper:
    """Ends the containers of lost leases, one thread each."""

    def __init__(
        self,
        engine: Engine,
        target: Callable[[str], Path],
        forget: Callable[[Lease], None],
        memory: StoppedMemory,
        restarter: Restarter,
    ) -> None:
        """Unmount what is on `target` of a volume, then `forget` its lease and mount IDs.

        `memory` keeps what is stopped until `restarter` is done with it, in whichever life of the plugin.
        """
        self._engine = engine
        self._target = target
        self._forget = forget
        self._memory = memory
        self._restarter = restarter

    def stop(self, lease: Lease) -> None:
        """Kill, unmount, forget; the caller's thread then waits for the share."""
        started = time.monotonic()
        owner = lease.owner
        stopped = insist("not stopped, it is tried again", owner, lambda: self._end(lease))
        log.error(
            "stopped",
            extra=facts(owner) | {"reason": lease.lost, "ms": round((time.monotonic() - started) * 1000)},
        )
        if lease.taken:
            self._restarter.see_out(stopped)
        else:
            self._restarter.start(stopped, lease.store)

    def _end(self, lease: Lease) -> Stopped:
        """Kill, unmount, forget; returns what is remembered of it."""
        owner = lease.owner
        killed = {c.id for c in owner.containers if not c.dead()}
        before, earlier = self._memory.load(owner.volume), None
        if before is not None and owner.exclusive and before.owner.lease != owner.lease:
            earlier = before
        elif before is not None:
            # Killed by the plugin's last life, which ended before it was done.
            killed |= set(before.containers)
            earlier = before.earlier
        self._memory.save(lease, killed, earlier)
        kills = self._kill(killed)
        over = threading.Event()
        asking = threading.Thread(
            target=self._kill_others, args=(lease, killed, earlier, over), name="others", daemon=True
        )
        asking.start()
        self._cut(owner, kills, asking)
        if asking.is_alive():
            log.error("engine does not answer, what it has not named goes on", extra=facts(owner))
        over.set()
        stopped = self._memory.save(lease, killed, earlier)
        # Until it is forgotten no other Mount of it is granted.
        stopped = dataclasses.replace(stopped, started=self._starts(stopped.containers))
        self._forget(lease)
        return stopped

    def _starts(self, containers: Iterable[str]) -> dict[str, str]:
        """When each was started, as far as the engine says: one that is silent is not waited for again."""
        started = {}
        for container in containers:
            found = self._engine.look(container)
            if found is None:
                break
            if found:
                started[container] = started_at(found)
        return started

    def _kill(self, containers: Iterable[str]) -> list[threading.Thread]:
        kills = [threading.Thread(target=self._engine.kill, args=(container,), daemon=True) for container in containers]
        for kill in kills:
            kill.start()
        return kills

    def _kill_others(self, lease: Lease, killed: set[str], earlier: Stopped | None, over: threading.Event) -> None:
        """Kill what has no name here yet: the engine is asked until it answers, or is not waited for any more."""
        owner = lease.owner
        while (using := self._engine.using(owner.volume)) is None:
            if over.wait(_ASK_SECONDS):
                return
        if over.is_set():
            # By now another hold may be theirs.
            return
        # Listed until it is unmounted, which waits for the share: what was stopped meanwhile is not to come back.
        ended = {c.id for c in owner.containers if c.dead()} if owner.exclusive else set()
        others = set(using) - killed - ended
        killed |= others
        self._memory.save(lease, killed, earlier)
        for kill in self._kill(others):
            kill.join()

    def _cut(self, owner: Owner, kills: list[threading.Thread], asking: threading.Thread) -> None:
        """Unmount once all is dead; an engine that has not killed after some seconds is not waited for.

        Nor is one that has not said what else to kill, once the mount goes all the same.
        """
        target = self._target(owner.volume)
        patience = time.monotonic() + _DEATH_SECONDS

        def dead() -> bool:
            late = time.monotonic() > patience
            if late:
                _kill(owner)
            known = (container for container in owner.containers if container.pid is not None)
            killed = late or not any(kill.is_alive() for kill in kills)
            return killed and not asking.is_alive() and all(c.dead() for c in known)

        # The force reaches only what is on its way to the server. Processes that wait for it can die then.
        Flush(target)
        try:
            mounts.cut(target, dead)
        except OSError as error:
            log.error("not unmounted", extra={"target": target, "error": error})


def _kill(owner: Owner) -> None:
    for container in owner.containers:
        if container.pid is not None and not container.dead():
            with contextlib.suppress(ProcessLookupError):
                os.kill(container.pid, signal.SIGKILL)
