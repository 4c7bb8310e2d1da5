"""The ssh on this machine, by which hosts are reached."""

from __future__ import annotations

import re
import subprocess
from functools import cache

import pulumi

# the first with KnownHostsCommand, by which a host's key is pinned without a file (openssh.com/txt/release-8.5)
OLDEST = (8, 5)


@cache
def check_ssh() -> None:
    """Checks that ssh is there and can pin a host's key.

    Raises:
        pulumi.RunError: if not.
    """
    try:
        shown = subprocess.run(["ssh", "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise pulumi.RunError("the host is reached by ssh, and there is none here: install openssh-client") from None
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", shown.stderr)
    if found and (int(found[1]), int(found[2])) < OLDEST:
        raise pulumi.RunError(
            f"the host's key is pinned by KnownHostsCommand, which {found[0]} here does not have: install OpenSSH "
            "8.5 or newer"
        )
