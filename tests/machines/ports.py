"""TCP ports on the loopback."""

import contextlib
import os
import random
import socket
from pathlib import Path


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now, and which the kernel gives to no connection.

    Nor does the engine's suite draw it, which may run beside this one.
    """
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def used_by(pid: int) -> set[int]:
    """Ports of 127.0.0.1 that the process's own sockets have."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(descriptor)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    ports = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes:
            ports.add(int(fields[1].split(":")[1], 16))
    return ports
