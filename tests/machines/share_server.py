"""A server of shares that runs for a test: started, stopped, and made to hang."""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.machines.ports import free_port
from tests.machines.process import Supervised, scratch

START_SECONDS = 30


class ShareServer:
    """One server on a free port of 127.0.0.1, and a folder for its files, which ends with it."""

    def __init__(self, prefix: str) -> None:
        """Makes the folder; `start` is the subclass's to call, once its settings are there."""
        self.folder = scratch(prefix)
        self.port = free_port()
        self._server: Supervised | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def command(self) -> tuple[Sequence[str | Path], Path]:
        """What runs the server in the foreground, and the file for what it prints."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts the server on the port that it has. Nothing happens if it runs."""
        if self._server is None:
            command, log = self.command()
            self._server = Supervised(command, log=log)
            self._server.wait_for_port(self.port, START_SECONDS)

    def stop(self) -> None:
        """Ends the server with all its connections; what it has in its shares, and who had locks, stays."""
        if self._server is not None:
            self._server.kill()
            self._server = None

    def pause(self) -> None:
        """Makes the server hang: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends it and removes its shares."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        # all of its processes: some servers have one for each connection
        assert self._server is not None
        os.killpg(self._server.pid, number)
