"""Whether the engine sees what is mounted here, before it asks for a mount.

An engine that starts, or enables the plugin again, may still unmount after the plugin's last process while it starts
this one: then nothing that is mounted here reaches it any more, and only another life of the plugin helps. While
nothing is mounted that life costs nothing; a Mount would be refused.
"""

import contextlib
import logging
import signal
import time
from pathlib import Path

from azurefile import mounts
from azurefile.liveness import Process

log = logging.getLogger(__name__)

# Where even a new life is not seen, it is no reason to begin one after the other for the same engine.
_PAUSE_SECONDS = 60.0


class Sight:
    """Ends the plugin, which the engine starts anew, if its mounts would not be seen and there are none."""

    def __init__(self, folder: Path, noted: Path) -> None:
        """`folder`: below it volumes are mounted; `noted`: a file that says for which engine a life last ended so."""
        self._folder = folder
        self._noted = noted
        self._engine: Process | None = None

    def connected(self, pid: int) -> None:
        """A process has connected: an engine does so once when it has the plugin running, before it asks anything.

        Later there may be a call on its way, which the end would lose.
        """
        engine = Process.of(pid)
        if engine is None or engine == self._engine:
            return
        self._engine = engine
        if mounts.reaches(self._folder, pid) or mounts.any_below(self._folder) or not self._due(engine):
            return
        log.warning("ends, to be started anew: the engine would not see what is mounted here")
        with contextlib.suppress(OSError):
            self._noted.write_text(str(engine))
        signal.raise_signal(signal.SIGTERM)

    def _due(self, engine: Process) -> bool:
        try:
            age = time.time() - self._noted.stat().st_mtime
            return self._noted.read_text() != str(engine) or abs(age) > _PAUSE_SECONDS
        except FileNotFoundError:
            return True
