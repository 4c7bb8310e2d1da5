"""Debian packages that the wrapper needs and may install, as root."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from toolchain.cache import lock
from toolchain.progress import ToolchainError, run, say

# a shell by su has the user's PATH, without what only root needs
SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")
LOCK_SECONDS = 300
AGAIN_SECONDS = 5


def require(programs: Sequence[str], packages: Sequence[str], why: str, optional: Sequence[str] = ()) -> None:
    """Installs `packages`, and those of `optional` that this release has, unless all of `programs` are there.

    Raises:
        ToolchainError: if they are missing and can't be installed, with the command to type.
    """
    if not all(shutil.which(p) for p in programs):
        install(packages, why, optional)


def install(packages: Sequence[str], why: str, optional: Sequence[str] = ()) -> None:
    """Installs `packages` with apt-get, and those of `optional` that this release has, in one go.

    Raises:
        ToolchainError: if that can't be done here.
    """
    names = " ".join([*packages, *optional])
    # apt-patterns(7): unlike a name, one that nothing matches is no error
    wanted = [*packages, *(f"?exact-name({name})" for name in optional)]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ToolchainError(f"{why} needs the packages {names}: sudo apt-get install {names}")
    # dpkg by itself does nothing without them
    path = os.pathsep.join(dict.fromkeys([*os.get_exec_path(), *SYSTEM_PATH]))
    env = {**os.environ, "PATH": path, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]
    with lock("apt"):
        # apt goes on after an installation that was killed only once this was said; else it does nothing
        # (without an answer to what it may ask, it keeps a file that somebody changed)
        keep = ["--force-confdef", "--force-confold"]
        half_done = ["dpkg", *keep, "--configure", "-a"]
        subprocess.run(half_done, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        _run([*apt, "update"], "reading the package lists", env)
        _run(
            [*apt, "install", "-y", "--fix-broken", "--no-remove", "--no-install-recommends", *wanted],
            f"installing {names} for {why}",
            env,
        )


def mirror() -> str | None:
    """The URL of the mirror that this machine's apt uses for Debian itself, if it is reached by HTTP.

    Raises:
        ToolchainError: if it has a password in it, which would be in every image that is made from it.
    """
    wanted = ["--format", "$(REPO_URI) $(SUITE) $(CODENAME)", "Created-By: Packages"]
    # others call their suites by Debian's names; a mirror of Debian's packages may call itself something else
    for origin in (["Origin: Debian"], []):
        listed = subprocess.run(
            ["apt-get", "indextargets", *wanted, *origin],
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            check=False,
        )
        lines = [line.split() for line in listed.stdout.splitlines()]
        found = [uri for uri, *names in lines if {"stable", "oldstable", "bookworm", "sid"}.intersection(names)]
        if not found:
            continue
        url = next(filter(None, map(_by_http, found)), None)
        if url and urlsplit(url).username:
            raise ToolchainError(
                "apt's sources name Debian's mirror with a password, which everybody could read in the images that are "
                "made from it: name a mirror there that needs none"
            )
        return url
    return None


def _by_http(uri: str) -> str:
    """The URL that one of apt's leads to: itself, or the first in a list of mirrors, as Debian's cloud images have."""
    # apt-transport-mirror(1)
    if listed := re.fullmatch(r"mirror\+file:(?://)?(/.*?)/?", uri):
        with contextlib.suppress(OSError):
            uri = next(iter(re.findall(r"^https?://\S+", Path(listed[1]).read_text(), re.MULTILINE)), "")
    return uri if uri.startswith(("http://", "https://")) else ""


def _run(command: Sequence[str], what: str, env: Mapping[str, str]) -> None:
    """Runs apt, again while another one has what it needs: by itself it waits for dpkg's lock only."""
    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            run(command, what, {**env, "LC_ALL": "C"})
        except ToolchainError as error:
            if "Could not get lock" not in str(error) or time.monotonic() > end:
                raise
        else:
            return
        say(f"another apt is at work: waiting for it, {LOCK_SECONDS} s at most")
        time.sleep(AGAIN_SECONDS)
