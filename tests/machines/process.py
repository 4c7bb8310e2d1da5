"""Child processes and scratch folders that never outlive the test process, not even if that is killed."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

SUPERVISOR = Path(__file__).with_name("supervisor.py")


class Supervised:
    """A command in a process group of its own, killed with this object or with this process."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
    ) -> None:
        """Starts `command`; its standard error, and its output unless `stdout` is given, are appended to `log`."""
        ours, theirs = socket.socketpair()
        output: int | IO[bytes] = log.open("ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(
            [sys.executable, "-ISu", str(SUPERVISOR), str(theirs.fileno()), *map(str, command)],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=output if stdout is None else stdout,
            stderr=output,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        )
        theirs.close()
        if not isinstance(output, int):
            output.close()
        self._socket = ours
        self._log = log
        said = ours.recv(32)
        if not said:
            raise FileNotFoundError(f"{command[0]} can't be started; its log: {log}")
        self.pid = int(said)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait(self, seconds: float) -> int:
        """Waits for its end, and returns the exit code."""
        return self.process.wait(seconds)

    def wait_for_port(self, port: int, seconds: float) -> None:
        """Waits until somebody listens at `port` of 127.0.0.1. If nobody will, the command is killed.

        Raises:
            RuntimeError: if the command ends instead, with the end of its log.
            TimeoutError: if nobody does within `seconds`, likewise.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                # a server tells nobody when it listens
                time.sleep(0.02)
            said = self._log.read_text(errors="replace")[-1000:] if self._log else ""
            if not self.running:
                raise RuntimeError(f"the server ended: {said}")
            if time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"nobody listens at 127.0.0.1:{port}: {said}")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the command itself, if it still runs."""
        if self.running:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the whole process group and waits for the end. Does nothing if it has ended."""
        self._socket.close()
        self.process.wait(20)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


_making = Lock()


@cache
def _root() -> Path:
    # short, since it holds unix sockets, whose paths are limited to 107 bytes
    root = Path(tempfile.mkdtemp(prefix="ddtest-"))
    keeper = Supervised(["--remove", root])
    atexit.register(keeper.kill)
    return root


def scratch(prefix: str) -> Path:
    """Makes a new folder, removed with everything mounted below it when this process ends."""
    with _making:
        root = _root()
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=root))
