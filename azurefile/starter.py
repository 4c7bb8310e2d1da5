"""Starts containers that the engine left down because their volumes could not be had when it mounted for them.

The share was away or refused the key, the host's disk was full, or the plugin itself not there. The engine mounts once
for a container that it starts by its restart policy, and leaves it down after an error: for good, although all may be
well a minute later.
What is to be started stands in the engine itself, as the error of the container's last start, so nothing is kept here
for the plugin's next life.
"""

import asyncio
import logging
import math
import re
from collections.abc import Callable
from functools import partial

from azurefile import liveness
from azurefile.engine import Ended, Engine
from azurefile.errors import COMES_BACK
from azurefile.lanes import Lanes
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 5.0
# More between two turns than a busy host takes: this process was frozen, and no call had an answer.
_FROZEN_SECONDS = 15.0
# Between two starts of what fails although its share can be used, as with a kernel that can't mount it.
_LONGEST_SECONDS = 300.0
# An engine that enables the plugin calls it disabled for some seconds yet, and one that found no socket tries on.
_ENABLED_SECONDS = 40.0
_REFUSED = re.compile(rf'VolumeDriver\.Mount: volume "([^"]+)": .*{re.escape(COMES_BACK)}')
# The plugin is disabled, removed or without its socket; a volume that is not known fails in other words.
_AWAY = re.compile(r'error while checking if volume "([^"]+)" exists in driver "([^"]+)"')
# What was called did not answer, or not in time. Only some engines say here whose socket or volume it was.
_SILENT = re.compile(r'Post "?http\S+/VolumeDriver\.Mount"?: ')
_BUILT_IN = "local"


class Starter:
    """One task for each volume whose share is waited for. All calls are made on one event loop."""

    def __init__(self, engine: Engine, volumes: VolumeStore, lanes: Lanes, usable: Callable[[Volume], bool]) -> None:
        """Start through `engine` once the share is `usable`; to ask that may block."""
        self._engine = engine
        self._volumes = volumes
        self._lanes = lanes
        self._usable = usable
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # The volumes that were missed since the engine was last asked: it may not have noted the error yet.
        self._missed: set[str] = set()

    async def run(self) -> None:
        """Go on with what an earlier life of the plugin could not mount, and what failed while none could answer."""
        while True:
            try:
                await self._look()
                if not await self._frozen(_ENABLED_SECONDS):
                    await self._look()
                    await self._frozen(math.inf)
            except Exception:
                # Such as a host without a thread left, which passes.
                log.exception("what was left down could not be looked for")
                await asyncio.sleep(_PERIOD_SECONDS)

    def missed(self, volume: str) -> None:
        """The share of a volume could not be had for a Mount."""
        self._missed.add(volume)
        if volume not in self._tasks:
            self._tasks[volume] = asyncio.create_task(self._bring_back(volume))

    async def _bring_back(self, volume: str) -> None:
        tried: int | None = 0
        pause, level = _PERIOD_SECONDS, logging.ERROR
        try:
            while tried is not None:
                await asyncio.sleep(pause)
                fresh = volume in self._missed
                self._missed.discard(volume)
                try:
                    tried = await self._start_what_waits(volume, fresh=fresh)
                    pause = min(pause * 2, _LONGEST_SECONDS) if tried else _PERIOD_SECONDS
                except Exception:
                    # Whatever passes, such as a disk that fails for a moment, leaves no container down.
                    log.log(level, "not started again yet", extra={"volume": volume}, exc_info=True)
                    level = logging.DEBUG
        finally:
            del self._tasks[volume]

    async def _frozen(self, seconds: float) -> bool:
        """Wait so long, or until this process was frozen; says whether it was."""
        end = liveness.clock() + seconds
        while (before := liveness.clock()) < end:
            await asyncio.sleep(min(_PERIOD_SECONDS, end - before))
            if liveness.clock() - before > _FROZEN_SECONDS:
                return True
        return False

    async def _look(self) -> None:
        while (ended := await self._ended(self._names())) is None:
            await asyncio.sleep(_PERIOD_SECONDS)
        for volume in self._names():
            if any(self._waits_for(volume, container) for container in ended):
                self.missed(volume)

    async def _start_what_waits(self, volume: str, *, fresh: bool) -> int | None:
        """How many starts were tried; None once nothing waits any more, and no miss is `fresh`.

        A start that fails in the same way is found again, one that fails in another way is not. A share for which
        nothing waits is not asked: too many logins with a wrong key may lock an account.
        """
        # Only its own are inspected: with many volumes away, each one's round would else look at all of them.
        ended = await self._ended(self._names() & {volume})
        if ended is None:
            return 0
        waiting = [container for container in ended if self._waits_for(volume, container)]
        if not waiting and not fresh and volume not in self._missed:
            return None
        if not waiting or not await self._back(volume):
            return 0
        startable = [container for container in waiting if await self._startable(volume, container)]
        for container in startable:
            await self._start(volume, container)
        return len(startable)

    def _waits_for(self, volume: str, container: Ended) -> bool:
        """Whether a container was left down for this volume, as far as the engine tells."""
        if volume not in container.volumes or container.error is None:
            return volume in container.volumes
        if named := _REFUSED.search(container.error) or _AWAY.search(container.error):
            return named[1] == volume
        plugins = {name for name, driver in container.volumes.items() if driver != _BUILT_IN}
        return plugins <= self._names() and bool(_SILENT.search(container.error))

    async def _startable(self, volume: str, container: Ended) -> bool:
        """Whether a start has a chance: each one that fails fills the engine's log."""
        if container.error is None:
            return False
        away = _AWAY.search(container.error)
        if away and not await self._lanes.in_thread(partial(self._engine.serves, away[2])):
            return False
        others = self._names() & container.volumes.keys() - {volume}
        return all([await self._back(other) for other in sorted(others)])

    async def _start(self, volume: str, container: Ended) -> None:
        started = await self._lanes.in_thread(partial(self._engine.start, container.id))
        facts = {"volume": volume, "container": container.id[:12]}
        if started:
            log.info("started, its share is back", extra=facts)
        else:
            log.warning("start failed; see the engine's log for its Mount", extra=facts)

    async def _ended(self, volumes: set[str]) -> list[Ended] | None:
        return await self._lanes.in_thread(partial(self._engine.ended, volumes))

    def _names(self) -> set[str]:
        return {volume.name for volume in self._volumes.all()}

    async def _back(self, name: str) -> bool:
        """Whether the share can be used; as good as that is that the volume is gone."""
        async with self._lanes.lock(name):
            volume = self._volumes.get(name)
            return volume is None or await self._lanes.in_thread(partial(self._usable, volume))
