"""Stops what still writes under a lost lease, and starts it again once the share is back.

A container is killed through the engine, which then leaves it down whatever its restart policy
says: it comes back by a start, whose Mount claims the folder like any other.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from azurefile import mounts
from azurefile.engine import Engine
from azurefile.errors import PluginError
from azurefile.lease import Lease
from azurefile.owner import facts
from azurefile.store import Record

log = logging.getLogger(__name__)

_DEATH_SECONDS = 5.0
_RETRY_SECONDS = 2.0


class Stopper:
    """Ends the containers of lost leases, one thread each."""

    def __init__(self, engine: Engine, target: Callable[[str], Path], forget: Callable[[Lease], None]) -> None:
        """Unmount what is on `target` of a volume, then `forget` its lease and mount IDs."""
        self._engine = engine
        self._target = target
        self._forget = forget

    def stop(self, lease: Lease) -> None:
        """Kill, unmount, forget; the caller's thread then waits for the share."""
        started = time.monotonic()
        owner = lease.owner
        killed = {c.id for c in owner.containers if not c.dead()} | set(self._engine.using(owner.volume))
        kills = [threading.Thread(target=self._engine.kill, args=(container,), daemon=True) for container in killed]
        for kill in kills:
            kill.start()
        # Calls in the dead share end with this, so that processes that wait for it can die.
        target = self._target(owner.volume)
        self._cut(target)
        for kill in kills:
            kill.join(_DEATH_SECONDS)
        for container in owner.containers:
            if container.pid is not None and not container.dead():
                os.kill(container.pid, signal.SIGKILL)
        self._forget(lease)
        log.error(
            "stopped",
            extra=facts(owner) | {"reason": lease.lost, "ms": round((time.monotonic() - started) * 1000)},
        )
        if killed and not lease.taken:
            self._start_again(lease, killed)

    def _cut(self, target: Path) -> None:
        try:
            mounts.cut(target)
        except OSError as error:
            log.error("not unmounted", extra={"target": target, "error": error})

    def _start_again(self, lease: Lease, containers: set[str]) -> None:
        """Wait for the share; whether the folder is still free is decided by the Mount."""
        while (record := self._record(lease)) is None:
            if all(self._engine.look(container) == {} for container in containers):
                # Removed meanwhile, as with a share that is gone for good.
                return
            time.sleep(_RETRY_SECONDS)
        if record.taken_by:
            log.warning("not started again, the folder was taken", extra=facts(lease.owner) | {"by": record.taken_by})
            return
        for container in containers:
            if not self._wants_to_run(container, lease):
                continue
            if self._engine.start(container):
                log.info("started again", extra=facts(lease.owner))
            else:
                log.warning("not started again; see the engine's log for its Mount", extra=facts(lease.owner))

    def _wants_to_run(self, container: str, lease: Lease) -> bool:
        """Whether a killed container, once it has ended, is to be started by its restart policy's will.

        Its process ends only when the kernel has given the server up, and until then a start does nothing.
        """
        killed = [c.pid for c in lease.owner.containers if c.id == container]
        while (found := self._engine.look(container)) is None or (found and found["State"]["Pid"] in killed):
            time.sleep(_RETRY_SECONDS)
        if not found or found["State"]["Pid"]:
            return False
        return lease.restart or found["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")

    def _record(self, lease: Lease) -> Record | None:
        try:
            return lease.store.read(lease.owner.key) or Record(lease.owner)
        except PluginError:
            return None
