"""The engine's CLI, child processes that end with us, and what is left to remove."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

PREFIX = "ddbench-"
ROOT = Path("/var/lib/ddbench")
DRIVER = f"{PREFIX}azurefile"


class BenchError(Exception):
    """A measurement can't be taken. Its text says why."""


def say(text: str) -> None:
    """Prints one line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def call(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 300,
    check: bool = True,
) -> str:
    """Runs `command` and returns what it printed; Ctrl-C lets it end in its own way first.

    Raises:
        BenchError: if it fails or takes longer than `timeout` seconds.
    """
    # a group of its own: the terminal's Ctrl-C reaches it through us, once
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=timeout)
    except BaseException as error:
        _end(child)
        if isinstance(error, subprocess.TimeoutExpired):
            raise BenchError(f"{' '.join(command[:4])} took longer than {timeout:.0f} s") from None
        raise
    if check and child.returncode:
        said = (output + errors).strip().splitlines()[-12:]
        raise BenchError(f"{' '.join(command[:4])} failed ({child.returncode}):\n  " + "\n  ".join(said))
    return output.strip()


def _end(child: subprocess.Popen[str]) -> None:
    for number, seconds in ((signal.SIGINT, 30), (signal.SIGKILL, 5)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
            return


def docker(*arguments: str, check: bool = True, timeout: float = 120) -> str:
    """Runs the docker CLI and returns what it printed."""
    return call(["docker", *arguments], check=check, timeout=timeout)


def load() -> float:
    """Load of the machine, averaged over a minute."""
    return os.getloadavg()[0]


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        """Starts."""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._started


def empty_shares() -> None:
    """Deletes what containers wrote, so that the next start finds empty volumes. None may be mounted."""
    for share in (ROOT / "shares").glob(f"{PREFIX}*"):
        shutil.rmtree(share)


def remove_everything() -> None:
    """Removes whatever a measurement made, by its prefix and labels only, also what a killed run left."""
    if containers := _named("ps", "-a", "--format", "{{.Names}}"):
        docker("rm", "-f", *containers, check=False)
    if volumes := _named("volume", "ls", "-q"):
        docker("volume", "rm", *volumes, check=False)
    if f"{DRIVER}:latest" in docker("plugin", "ls", "--format", "{{.Name}}").split():
        docker("plugin", "disable", "-f", DRIVER, check=False)
        docker("plugin", "rm", "-f", DRIVER, check=False)
    if images := _images():
        docker("rmi", "-f", *images, check=False)
    shutil.rmtree(ROOT, ignore_errors=True)


def _images() -> list[str]:
    """Images with our stacks' labels, and before them the stages of builds that stand on those without a name."""
    labelled: set[str] = set()
    for stack in ("keep", "demo"):
        label = f"label=io.datadocker.stack=datadocker/{PREFIX}{stack}"
        labelled |= set(docker("image", "ls", "-q", "--no-trunc", "--filter", label).split())
    unnamed = set(docker("image", "ls", "-q", "--no-trunc", "--filter", "dangling=true").split()) - labelled
    return [image for image in unnamed if labelled & set(_ancestors(image))] + list(labelled)


def _ancestors(image: str) -> Iterator[str]:
    while image:
        image = docker("image", "inspect", "--format", "{{.Parent}}", image, check=False)
        yield image


def _named(*listing: str) -> list[str]:
    return [name for name in docker(*listing).split() if name.startswith(PREFIX)]


@contextlib.contextmanager
def volume(name: str, *options: str) -> Iterator[str]:
    """A volume that is removed again."""
    docker("volume", "create", *options, name)
    try:
        yield name
    finally:
        docker("volume", "rm", name)
