"""TCP ports on the loopback."""

import socket


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
