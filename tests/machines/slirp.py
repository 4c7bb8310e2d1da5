"""The user network of slirp4netns(1) in a network namespace: the addresses are those of QEMU's."""

import json
import socket
import time
from pathlib import Path
from typing import Any

from tests.machines import ports
from tests.machines.process import Supervised

GUEST_ADDRESS = "10.0.2.15"
START_SECONDS = 30


class Slirp:
    """One network; its device in the namespace is `eth0`."""

    def __init__(self, pid: int, folder: Path) -> None:
        """Starts it in the namespace of the process `pid`.

        Raises:
            OSError: if it does not start, with what it said.
        """
        self._api = folder / "slirp"
        self._api.unlink(missing_ok=True)
        log = folder / "slirp.log"
        self._process = Supervised(["slirp4netns", "--api-socket", self._api, str(pid), "eth0"], log=log)
        end = time.monotonic() + START_SECONDS
        while not self._api.exists():
            if not self._process.running or time.monotonic() > end:
                self._process.kill()
                raise OSError(f"slirp4netns: {log.read_text(errors='replace').strip()}")
            # it tells nobody when it has made its socket
            time.sleep(0.01)

    def forward(self, port: int) -> int:
        """Returns a port of 127.0.0.1 that leads to one in the namespace."""
        ours = ports.free_port()
        here, there = {"host_addr": "127.0.0.1", "host_port": ours}, {"guest_addr": GUEST_ADDRESS, "guest_port": port}
        self._ask("add_hostfwd", proto="tcp", **here, **there)
        return ours

    def host_ports(self) -> set[int]:
        """Ports of 127.0.0.1 from which connections out of the namespace come to servers on this machine."""
        return ports.used_by(self._process.pid)

    def close(self) -> None:
        """Ends it with all its connections."""
        self._process.kill()

    def _ask(self, command: str, **arguments: Any) -> None:
        """Sends a command as the manual's section "API socket" has it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._api))
            connection.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
            connection.shutdown(socket.SHUT_WR)
            answer = json.loads(connection.makefile("rb").read())
        if "error" in answer:
            raise OSError(f"slirp4netns: {command}: {answer['error']['desc']}")
