"""The Pulumi CLI, as the wrapper itself runs it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from toolchain.commandline import OPTION
from toolchain.progress import ToolchainError

# by a run that goes on although the wrapper was killed the next one would find the stack locked
ENDS_WITH_US = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []


class Cli:
    """The program `program`, run in `env` from the folder `here`."""

    def __init__(self, program: Path, env: dict[str, str], here: Path) -> None:
        self.program = program
        self.env = env
        self.here = here

    def run(self, *args: str) -> None:
        """Runs the CLI.

        Raises:
            ToolchainError: if it fails, with the end of what it printed.
        """
        self._run(args, errors=subprocess.STDOUT)

    def output(self, *args: str) -> str:
        """Runs the CLI and returns what it wrote to its standard output.

        Raises:
            ToolchainError: if it fails, with the end of what it printed, or with --json the error that it reports, in
                one line.
        """
        return self._run(args, errors=subprocess.PIPE)

    def export(self, stack: str) -> str:
        """Returns the state of `stack` as the CLI exports it, JSON.

        Raises:
            ToolchainError: as `output` does.
        """
        return self.output("stack", "export", "--stack", stack)

    def _own_env(self) -> dict[str, str]:
        """Without the options that the user's command has by the environment."""
        return {k: v for k, v in self.env.items() if not k.startswith(OPTION)}

    def _run(self, args: Sequence[str], *, errors: int) -> str:
        if not os.access(self.program, os.X_OK):
            # not left to setpriv, which names no remedy
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.program))
        done = subprocess.run(
            [*ENDS_WITH_US, self.program, *args, "--non-interactive"],
            env=self._own_env(),
            cwd=self.here,
            stdout=subprocess.PIPE,
            stderr=errors,
            # whatever the locale
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            if reported := _reported_error(done.stdout):
                raise ToolchainError(reported)
            tail = "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-12:])
            raise ToolchainError(f"pulumi {' '.join(args)} failed:\n  {tail}")
        return done.stdout


def _reported_error(printed: str) -> str:
    """The first error of what was printed with --json; nothing where there is none."""
    try:
        diagnostics = json.loads(printed).get("diagnostics") or []
    except (ValueError, AttributeError):
        return ""
    found = next((str(d["message"]) for d in diagnostics if d.get("severity") == "error"), "")
    return " ".join(found.split()).removeprefix("error: ").removeprefix("Preview failed: ")
