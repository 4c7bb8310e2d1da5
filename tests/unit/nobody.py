"""What a user sees who may not use a socket."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def closed_socket() -> Iterator[str]:
    """A socket in a folder that all may enter, and that only its owner may use."""
    folder = Path(tempfile.mkdtemp(prefix="ddtest-"))
    folder.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "docker.sock"))
        (folder / "docker.sock").chmod(0o600)
        listening.listen()
        yield str(folder / "docker.sock")
    shutil.rmtree(folder)


def told_as_nobody(call: Callable[[], object]) -> str:
    """The error of `call` in a process of a user without rights."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            call()
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said
