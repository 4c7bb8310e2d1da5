"""Starts containers whose share was away, or the host's disk full, when the engine mounted for them.

The engine mounts once for a container that it starts by its restart policy, and leaves it down after an error:
for good, although the share may be back a minute later. What is to be started stands in the engine itself, as the
error of the container's last start, so nothing is kept here for the plugin's next life.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from functools import partial

from azurefile.engine import Engine
from azurefile.errors import COMES_BACK
from azurefile.lanes import Lanes
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)

_PERIOD_SECONDS = 5.0
# Also that of an engine which did not wait for the answer.
_PASSING = re.compile(rf'{re.escape(COMES_BACK)}|VolumeDriver\.Mount": .*(deadline|Client\.Timeout) exceeded')


class Starter:
    """One task for each volume whose share is waited for. All calls are made on one event loop."""

    def __init__(self, engine: Engine, volumes: VolumeStore, lanes: Lanes, answers: Callable[[Volume], bool]) -> None:
        """Start through `engine` once the share `answers`, which may block."""
        self._engine = engine
        self._volumes = volumes
        self._lanes = lanes
        self._answers = answers
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # The volumes that were missed since the engine was last asked: it may not have noted the error yet.
        self._missed: set[str] = set()

    async def run(self) -> None:
        """Go on with what an earlier life of the plugin could not mount."""
        while (left := await self._left_down()) is None:
            await asyncio.sleep(_PERIOD_SECONDS)
        for volume in self._volumes.all():
            if any(volume.name in used for used in left.values()):
                self.missed(volume.name)

    def missed(self, volume: str) -> None:
        """The share of a volume was not there for a Mount."""
        self._missed.add(volume)
        if volume not in self._tasks:
            self._tasks[volume] = asyncio.create_task(self._bring_back(volume))

    async def _bring_back(self, volume: str) -> None:
        try:
            await self._wait_and_start(volume)
        except Exception:
            log.exception("not started again", extra={"volume": volume})
        finally:
            del self._tasks[volume]

    async def _wait_and_start(self, volume: str) -> None:
        """A start that fails in the same way is found again, one that fails in another way is not."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            self._missed.discard(volume)
            if not await self._back(volume):
                continue
            left = await self._left_down()
            if left is None:
                continue
            containers = [container for container, used in left.items() if volume in used]
            if not containers and volume not in self._missed:
                return
            for container in containers:
                started = await self._lanes.in_thread(partial(self._engine.start, container))
                facts = {"volume": volume, "container": container[:12]}
                if started:
                    log.info("started, its share is back", extra=facts)
                else:
                    log.warning("start failed; see the engine's log for its Mount", extra=facts)

    async def _left_down(self) -> dict[str, set[str]] | None:
        return await self._lanes.in_thread(partial(self._engine.left_down, _PASSING))

    async def _back(self, name: str) -> bool:
        """Whether the share answers; as good as that is that the volume is gone."""
        async with self._lanes.lock(name):
            volume = self._volumes.get(name)
            return volume is None or await self._lanes.in_thread(partial(self._answers, volume))
