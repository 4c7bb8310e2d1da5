"""Has the kernel write what a mounted file system has not written yet."""

import ctypes
import os
import threading
import time
from pathlib import Path

from azurefile import mounts

_ANSWER_SECONDS = 10.0

_libc = ctypes.CDLL(None, use_errno=True)


class Flush:
    """One flush, begun at once in a thread of its own, which a server that is away holds up."""

    def __init__(self, target: Path) -> None:
        """Flush the file system that is mounted on `target`; without one there is nothing to do."""
        self._target = target
        self._settled = False
        self._thread = threading.Thread(target=self._run, name="flush", daemon=True)
        self._thread.start()

    def over(self) -> bool:
        """Whether it has ended, with success or without."""
        return not self._thread.is_alive()

    def settled(self, seconds: float, longest: float) -> bool:
        """Wait `seconds`, and up to `longest` while the server answers; False if not everything is written then."""
        deadline = time.monotonic() + longest
        self._thread.join(seconds)
        while not self.over() and time.monotonic() < deadline and mounts.answers(self._target, _ANSWER_SECONDS):
            self._thread.join(min(seconds, max(0.0, deadline - time.monotonic())))
        return self._settled

    def _run(self) -> None:
        if not mounts.is_mounted(self._target):
            self._settled = True
            return
        try:
            descriptor = os.open(self._target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return
        self._settled = _libc.syncfs(descriptor) == 0
        os.close(descriptor)
