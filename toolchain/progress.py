"""What the wrapper tells its user: on standard error, so that pulumi's own output stays as it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class ToolchainError(Exception):
    """Something that the user has to know or to do. Its text is what is shown."""


def say(text: str) -> None:
    """Prints one line of progress."""
    print(f"pulumiw: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], what: str, env: Mapping[str, str] | None = None) -> None:
    """Runs `command` silently, with a sign of life every 20 seconds.

    Raises:
        ToolchainError: if it fails, with the end of what it printed.
    """
    started = time.monotonic()
    say(f"{what} …")
    process = subprocess.Popen(
        [str(c) for c in command],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        while True:
            try:
                output, _ = process.communicate(timeout=20)
                break
            except subprocess.TimeoutExpired:
                say(f"{what}: {time.monotonic() - started:.0f} s so far")
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if process.returncode:
        tail = "\n  ".join(output.strip().splitlines()[-8:])
        raise ToolchainError(f"{what} failed (exit code {process.returncode}):\n  {tail}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")
