"""How a command ended, on a machine or on this one."""

from dataclasses import dataclass


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
