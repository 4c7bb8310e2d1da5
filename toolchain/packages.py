"""Debian packages that the wrapper needs and may install, as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence

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
