"""QEMU's control socket (qemu.org/docs: QEMU Machine Protocol)."""

import json
import socket
import time
from pathlib import Path
from typing import Any


class QmpError(Exception):
    """What QEMU refused, in its own words."""


class Qmp:
    """One connection to a QEMU process."""

    def __init__(self, path: Path, seconds: float = 20) -> None:
        """Connects as soon as QEMU listens.

        Raises:
            TimeoutError: if it does not within `seconds`.
        """
        self._socket = _connected(path, seconds)
        self._socket.settimeout(seconds)
        self._stream = self._socket.makefile("rb")
        self._read()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """Runs a command and returns what it answers; events in between are dropped."""
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = self._read()
            if "error" in answer:
                raise QmpError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def monitor(self, line: str) -> str:
        """Runs a command of QEMU's human monitor."""
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def wait_for_migration(self, seconds: float) -> None:
        """Waits until the state is written out or read in.

        Raises:
            QmpError: if that failed.
            TimeoutError: if it is not done within `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.execute("query-migrate")
            if found.get("status") == "completed":
                return
            if found.get("status") == "failed":
                raise QmpError(f"migration: {found.get('error-desc', 'failed')}")
            # its event comes too early: QEMU takes no command for some milliseconds after it
            time.sleep(0.01)
        raise TimeoutError(f"no migration within {seconds} s")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _read(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise QmpError("QEMU hung up")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _connected(path: Path, seconds: float) -> socket.socket:
    end = time.monotonic() + seconds
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            if time.monotonic() > end:
                raise TimeoutError(f"QEMU does not listen at {path}") from None
            # QEMU tells nobody when it has made its socket
            time.sleep(0.01)
        else:
            return connection
