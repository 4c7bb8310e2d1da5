"""Parts of the tests, one after the other or beside each other."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

from toolchain.progress import say


class Command(NamedTuple):
    """One command of a part."""

    name: str
    arguments: list[str]
    env: Mapping[str, str]
    """All of its environment."""


Lane = Sequence[Command]


class Lanes:
    """Lanes run beside each other, the commands of one lane one after the other."""

    def __init__(self, folder: Path) -> None:
        """Run in `folder`."""
        self._folder = folder
        self._printing = threading.Lock()
        self._ended = threading.Event()

    def run(self, lanes: Sequence[Lane]) -> list[str]:
        """Runs everything, whatever fails; returns the names of what failed.

        The output of a lane that runs alone is shown as it comes, that of several when its command is over.
        """
        if len(lanes) == 1:
            return self._lane(lanes[0], alone=True)
        with ThreadPoolExecutor(len(lanes)) as pool:
            try:
                running = [pool.submit(self._lane, lane, alone=False) for lane in lanes]
                return [name for lane in running for name in lane.result()]
            except BaseException:
                # what runs got the terminal's interrupt, too, and cleans up
                self._ended.set()
                raise

    def _lane(self, lane: Lane, *, alone: bool) -> list[str]:
        return [command.name for command in lane if not self._ended.is_set() and not self._passes(command, alone=alone)]

    def _passes(self, command: Command, *, alone: bool) -> bool:
        started = time.monotonic()
        say(f"— {command.name}")
        if alone:
            code = self._call(command, None)
        else:
            with tempfile.TemporaryFile() as said:
                code = self._call(command, said)
                said.seek(0)
                with self._printing:
                    shutil.copyfileobj(said, sys.stdout.buffer)
                    sys.stdout.flush()
        if code and not alone:
            # an interrupt may end the command before it is heeded here
            self._ended.wait(1)
        say(f"— {command.name}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s")
        return code == 0

    def _call(self, command: Command, said: IO[bytes] | None) -> int:
        errors = None if said is None else subprocess.STDOUT
        done = subprocess.run(
            command.arguments, cwd=self._folder, env=command.env, stdout=said, stderr=errors, check=False
        )
        return done.returncode
