"""One volume's work after the other, in threads, so that a share that hangs costs its own callers only."""

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

# One thread for each volume that waits for its share; idle threads are reused.
_THREADS = 256


class Lanes:
    """A lock for each volume, and the threads that they share."""

    def __init__(self) -> None:
        """Threads are made when they are needed."""
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._pool = ThreadPoolExecutor(_THREADS, "volume")

    @asynccontextmanager
    async def lock(self, name: str) -> AsyncIterator[None]:
        """Hold a volume's lock."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        async with lock:
            yield

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what may block."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def bounded(
        self,
        name: str,
        deadline: float,
        gone: asyncio.Event,
        work: Callable[[], T],
        undo: Callable[[], object],
        late: Callable[[], Exception],
    ) -> T:
        """Do a volume's work under its lock; what hangs keeps the lock, but not the caller, who gets `late`'s error.

        Work that succeeds after `deadline`, or after the caller has `gone`, is undone before anybody else has the lock.
        """
        given_up = False

        async def locked() -> T:
            async with self.lock(name):
                result = await self.in_thread(work)
                if given_up:
                    await self.in_thread(undo)
                return result

        task, leaving = asyncio.ensure_future(locked()), asyncio.ensure_future(gone.wait())
        timeout = max(0.0, deadline - time.monotonic())
        await asyncio.wait({task, leaving}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not task.done():
            given_up = True
            task.add_done_callback(lambda late: late.cancelled() or late.exception())
            raise late()
        return task.result()
