"""What is looked at every now and then: local leases, dead containers' mounts, changed keys."""

import asyncio
import logging
from functools import partial

from azurefile.errors import PluginError
from azurefile.lanes import Lanes
from azurefile.lease import Lease
from azurefile.leases import Leases
from azurefile.mounter import Mounter
from azurefile.owner import facts
from azurefile.volumes import VolumeStore

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 20.0


class Sweeper:
    """Renews what no keeper renews, and lets go of what dead containers left: after a crash the engine may forget."""

    def __init__(self, volumes: VolumeStore, leases: Leases, mounter: Mounter, lanes: Lanes) -> None:
        """Work in the volumes' own lanes."""
        self._volumes = volumes
        self._leases = leases
        self._mounter = mounter
        self._lanes = lanes
        # What was last told of each volume whose sweep fails: it may go on doing so for days.
        self._failing: dict[str, str] = {}
        # What still waits in its lane or for its share, by volume.
        self._sweeps: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Go on for ever."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            try:
                await self.round()
            except Exception:
                log.exception("sweep failed")

    async def round(self) -> None:
        """Look at everything once; what hangs goes on beside the next round."""
        for lease in self._leases.all():
            if not lease.store.shared:
                await self._renew(lease)
        names = self._mounter.in_use()
        self._failing = {name: told for name, told in self._failing.items() if name in names}
        # One that hangs is not joined by another each round: the next Mount would wait for them all.
        sweeps = {name: asyncio.create_task(self._sweep(name)) for name in names - self._sweeps.keys()}
        self._sweeps |= sweeps
        if sweeps:
            await asyncio.wait(sweeps.values(), timeout=_PERIOD_SECONDS)

    async def _renew(self, lease: Lease) -> None:
        try:
            await self._lanes.in_thread(partial(self._leases.renew, lease))
        except (PluginError, OSError) as error:
            if not lease.failing:
                log.warning("lease not renewed", extra=facts(lease.owner) | {"error": error})
            lease.failing = True
        else:
            if lease.failing:
                log.info("lease renewed again", extra=facts(lease.owner))
            lease.failing = False

    async def _sweep(self, name: str) -> None:
        try:
            async with self._lanes.lock(name):
                volume = self._volumes.get(name)
                if volume is not None:
                    await self._lanes.in_thread(partial(self._mounter.sweep, volume))
        except (PluginError, OSError) as error:
            if self._failing.get(name) != str(error):
                log.warning("sweep failed", extra={"volume": name, "error": error})
            self._failing[name] = str(error)
        else:
            if self._failing.pop(name, None) is not None:
                log.info("sweep works again", extra={"volume": name})
        finally:
            del self._sweeps[name]
