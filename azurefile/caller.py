"""Who asks for a mount: whether it still waits for the answer, and whether it still lives."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from azurefile.liveness import Process

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Caller:
    """An engine that asked, in most cases."""

    process: Process | None = None
    # Set once it has hung up.
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def stays(self, seconds: float) -> None:
        """Wait, but not longer than it does."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)


class CallerProtocol(H11Protocol):
    """HTTP over a unix socket; a request's client is the caller's pid, 0 for one in a namespace that can't be seen.

    Its state has the transport, to hang up by.
    """

    def __init__(self, connected: Callable[[int], None], **given: Any) -> None:
        """Tell `connected` the pid of each one that connects, whether or not it asks anything."""
        super().__init__(**given)
        self._connected = connected

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Read who is at the other end, as the kernel noted it when it connected."""
        super().connection_made(transport)
        found: socket.socket = transport.get_extra_info("socket")
        pid, _, _ = _CREDENTIALS.unpack(found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        self.client = ("pid", pid)
        self.app_state = self.app_state | {"transport": transport}
        self._connected(pid)
