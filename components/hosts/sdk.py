"""Docker's own Python SDK on the engine of a host, for providers of our own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.hosts.connection import connect
from components.hosts.host import Engine

if TYPE_CHECKING:
    from docker import DockerClient


@contextlib.contextmanager
def engine_client(engine: Engine) -> Iterator[DockerClient]:
    """Yields a client of `engine`; over ssh through a forwarded socket.

    Raises:
        EngineError: if the engine can't be reached.
    """
    from docker import DockerClient  # a tenth of a second, and no unchanged resource needs it

    with connect(engine["url"], engine["ssh_opts"]) as connection:
        client = DockerClient(f"unix://{connection.path}", version="1.41", timeout=600)
        try:
            yield client
        finally:
            client.close()
