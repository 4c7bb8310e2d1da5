"""What a test needs of a machine that runs Docker, whatever kind of machine it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class CommandError(Exception):
    """A command on a machine failed; its text has the command, the exit code and what was printed."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Host(Protocol):
    """A machine with a Docker engine and a kernel that can mount shares.

    `Machine` is one under QEMU. A machine whose own kernel has CIFS and NFS could be another.
    """

    name: str
    """Its hostname."""
    docker_socket: Path
    """A unix socket on this side that is the engine's."""
    share_address: str
    """The address under which the machine reaches servers that listen on this machine's 127.0.0.1."""

    def run(
        self,
        command: str | Sequence[str],
        *,
        input: bytes | None = None,
        check: bool = True,
        timeout: float = 60,
    ) -> Ran:
        """Runs a shell line, or a list of arguments, as root.

        Raises:
            CommandError: if `check` and the exit code is not 0.
            subprocess.TimeoutExpired: after `timeout` seconds.
        """

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        """Writes a file, in one step; its folders are made."""

    def copy(self, tree: Path, path: str) -> None:
        """Copies what is in the folder `tree` into the folder `path`, modes and times as they are."""
