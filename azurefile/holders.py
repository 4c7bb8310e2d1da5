"""What becomes known of the containers that hold the volumes."""

import dataclasses
import logging
import math
import threading
import time

from azurefile.leases import Leases
from azurefile.owner import Container, Owner, facts

log = logging.getLogger(__name__)


class Holders:
    """The containers in the owner records of this plugin's leases."""

    def __init__(self, leases: Leases) -> None:
        """Know the holders of `leases`."""
        self._leases = leases
        # The engine's events and its mounts tell of one holder at once.
        self._telling = threading.Lock()
        # When an engine was last seen to end.
        self._left = -math.inf

    def identify(self, volume: str, container: Container, at: float) -> None:
        """Note which container a mount was for, as the engine told it at `at` (seconds of `liveness.clock`)."""
        lease = self._leases.of(volume)
        # An event older than the grant speaks of an earlier holder.
        if lease is None or at < lease.granted:
            return
        owner = lease.owner
        with self._telling:
            known = {c.id: c for c in owner.containers} if not owner.exclusive else {}
            before = next((c for c in owner.containers if c.id == container.id), None)
            if before is not None and container.pid is None:
                container = dataclasses.replace(container, pid=before.pid, ticks=before.ticks)
            if before == container or (owner.exclusive and container.pid is None and _another_runs(owner, container)):
                return
            known[container.id] = container
            owner.containers = list(known.values())
        self._leases.note(lease)
        if container.pid is not None:
            log.info("holder", extra=facts(owner))

    def rename(self, container: str, name: str) -> None:
        """Know a holder by its new name."""
        for lease in self._leases.all():
            with self._telling:
                known = [c for c in lease.owner.containers if c.id == container]
                renamed = [dataclasses.replace(c, name=name) if c in known else c for c in lease.owner.containers]
                lease.owner.containers = renamed
            if known:
                self._leases.note(lease)

    def unseen(self) -> list[str]:
        """The holders, by id, of which no process is known."""
        return [c.id for lease in self._leases.all() for c in lease.owner.containers if c.pid is None]

    def forget(self, container: str) -> None:
        """Know a container no more that was removed and never ran: no Unmount may ever tell of it.

        Of a process that is known the kernel tells, and not the engine.
        """
        for lease in self._leases.all():
            with self._telling:
                left = [c for c in lease.owner.containers if c.id != container or c.pid is not None]
                known, lease.owner.containers = left != lease.owner.containers, left
            if known:
                self._leases.note(lease)

    def unmounted(self, volume: str, mounts: int) -> None:
        """Note that one of several mounts of a volume has ended."""
        lease = self._leases.of(volume)
        if lease is not None:
            with self._telling:
                lease.owner.mounts = mounts
                lease.owner.containers = _living(lease.owner.containers, mounts)
            self._leases.note(lease)

    def engine_left(self) -> None:
        """Trust only what is known by process: what an engine was starting when it ended never starts."""
        self._left = time.monotonic()
        for lease in self._leases.all():
            lease.restored = True

    def doubt(self, volume: str, asked: float) -> None:
        """Trust a hold by process alone if the engine that asked for it, at `asked` (monotonic), has ended since."""
        lease = self._leases.of(volume)
        if lease is not None and asked < self._left:
            lease.restored = True


def _another_runs(owner: Owner, container: Container) -> bool:
    """Whether another container's process lives, which one without a process must not hide."""
    return any(c.pid is not None and c.id != container.id and not c.dead() for c in owner.containers)


def _living(containers: list[Container], mounts: int) -> list[Container]:
    """Those that `mounts` mounts may be for: of the ones that no process is known of, the newest."""
    living = [c for c in containers if not c.dead()]
    unknown = [c for c in living if c.pid is None]
    surplus = unknown[: max(0, len(living) - mounts)]
    return [c for c in living if c not in surplus]
