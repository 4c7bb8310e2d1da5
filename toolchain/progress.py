"""What the wrapper tells its user: on standard error, so that pulumi's own output stays as it is."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

FREE_SOME = "free some, or set XDG_CACHE_HOME and TMPDIR to folders on another disk; the next run goes on from here"
# Go says it in small letters
FULL = re.compile("no space left on device|disk quota exceeded", re.IGNORECASE)


class ToolchainError(Exception):
    """Something that the user has to know or to do. Its text is what is shown."""


def say(text: str) -> None:
    """Prints one line of progress."""
    print(f"pulumiw: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], what: str, env: Mapping[str, str] | None = None) -> None:
    """Runs `command` silently, with a sign of life every 20 seconds.

    Raises:
        ToolchainError: if it fails, as `failed` says it.
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
        raise failed(what, process.returncode, output.strip().splitlines(), tail=8)
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


def failed(what: str, code: int, printed: Sequence[str], *, tail: int) -> ToolchainError:
    """The error of a program that failed: the end of what it printed, or one line where its disk is full."""
    if full := FULL.search("\n".join(printed)):
        return ToolchainError(f"{what} failed: {full[0]}: {FREE_SOME}")
    return ToolchainError("\n  ".join([f"{what} failed (exit code {code}):", *printed[-tail:]]))
