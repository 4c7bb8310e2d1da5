"""TCP ports on the loopback."""

import contextlib
import random
import socket


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now, and which the kernel gives to no connection.

    Nor does the engine's suite draw it, which may run beside this one.
    """
    while True:
        port = random.randrange(10000, 20000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
