"""Stops what still writes under a lost lease, and starts it again once the share is back.

A container is killed through the engine, which then leaves it down whatever its restart policy
says: it comes back by a start, whose Mount claims the folder like any other. What is to be started
is noted on disk, since a container must not stay down if the plugin or the machine ends meanwhile.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from azurefile import files, mounts
from azurefile.engine import Engine
from azurefile.errors import PluginError
from azurefile.lease import Lease
from azurefile.owner import Owner, facts
from azurefile.store import LockStore, Record

log = logging.getLogger(__name__)

_DEATH_SECONDS = 5.0
_RETRY_SECONDS = 2.0


class Stopper:
    """Ends the containers of lost leases, one thread each."""

    def __init__(
        self, engine: Engine, target: Callable[[str], Path], forget: Callable[[Lease], None], notes: Path
    ) -> None:
        """Unmount what is on `target` of a volume, then `forget` its lease and mount IDs; `notes` is a folder."""
        notes.mkdir(mode=0o700, exist_ok=True)
        self._notes = notes
        self._engine = engine
        self._target = target
        self._forget = forget

    def stop(self, lease: Lease) -> None:
        """Kill, unmount, forget; the caller's thread then waits for the share."""
        started = time.monotonic()
        owner = lease.owner
        killed = {c.id for c in owner.containers if not c.dead()} | set(self._engine.using(owner.volume))
        again = killed if not lease.taken else set()
        self._note(lease, again)
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
        self._start_again(lease, again)

    def resume(self, store: Callable[[str], LockStore]) -> None:
        """Go on where the plugin's last life ended; `store` is a volume's."""
        for note in self._notes.glob("*.json"):
            try:
                data = files.read_json(note)
                owner, restart = Owner.from_json(data["owner"]), bool(data["restart"])
                lease = Lease(owner, store(owner.volume), None, 0, lost="stopped", restart=restart)
            except (PluginError, OSError, ValueError, TypeError, KeyError) as error:
                log.warning("not started again", extra={"volume": note.stem, "error": error})
                files.remove(note)
                continue
            arguments = (lease, set(data["containers"]))
            threading.Thread(target=self._start_again, args=arguments, name="start", daemon=True).start()

    def _note(self, lease: Lease, containers: set[str]) -> None:
        value = {"owner": lease.owner.to_json(), "restart": lease.restart, "containers": sorted(containers)}
        try:
            files.write_json(self._notes / f"{lease.owner.volume}.json", value, durable=True)
        except OSError as error:
            # A full disk is no reason to let them write on.
            log.error("not noted what to start again", extra=facts(lease.owner) | {"error": error})

    def _cut(self, target: Path) -> None:
        try:
            mounts.cut(target)
        except OSError as error:
            log.error("not unmounted", extra={"target": target, "error": error})

    def _start_again(self, lease: Lease, containers: set[str]) -> None:
        if containers:
            self._start(lease, containers)
        files.remove(self._notes / f"{lease.owner.volume}.json")

    def _start(self, lease: Lease, containers: set[str]) -> None:
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
