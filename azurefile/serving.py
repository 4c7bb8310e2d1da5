"""The HTTP server, on a socket that the plugin's first process has open as well."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial

import uvicorn
from starlette.applications import Starlette

from azurefile.caller import CallerProtocol

# A call that meets the end of an idle connection is lost. Newer engines end theirs after 30 s, older ones never.
_IDLE_SECONDS = 3600
_QUEUE_SECONDS = 0.05


class Server(uvicorn.Server):
    """Answers by an application until a signal ends the process."""

    def __init__(self, application: Starlette, connected: Callable[[int], object], ends: Callable[[], object]) -> None:
        """Tell `connected` the pid of each one that connects; `ends` is called when nobody is to connect any more."""
        self._ends = ends
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            log_level="warning",
            http=partial(CallerProtocol, connected),  # type: ignore[arg-type] # made by a call, no more is asked of it
            ws="none",
            lifespan="off",
            loop="asyncio",
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=5,
        )
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what comes now, which the engine repeats whole, and answer what came before."""
        self._ends()
        for listener in sockets or []:
            # only closed, it would take calls as long as another process has it open
            listener.shutdown(socket.SHUT_RDWR)
        # what is in its queue is taken, and read
        await asyncio.sleep(_QUEUE_SECONDS)
        await super().shutdown(sockets)
