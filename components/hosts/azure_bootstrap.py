"""What a new virtual machine is told to become, and how it is known that it has."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pulumi

from components.hosts.keys import Pair

# learn.microsoft.com: custom data, "limits": 64 KiB before it is encoded
CUSTOM_DATA_BYTES = 64 * 1024
# apt takes its time on a small machine
READY_SECONDS = 1800
KINDS = {"#cloud-config": "text/cloud-config", "#!": "text/x-shellscript"}

# waits by cloud-init's own event, and hands its log over where it failed
READY_SCRIPT = """\
set -u
fail() {
  echo "$1" >&2
  tail -n 40 /var/log/cloud-init-output.log >&2
  exit 1
}
cloud-init status --wait >/dev/null
# 2 means done, with something that it mended itself
[ $? -ne 1 ] || fail "cloud-init failed: $(cloud-init status --long | tail -n 1)"
docker version >/dev/null 2>&1 || fail "the Docker engine does not answer"
"""


def cloud_config(user: str, host_key: Pair, more: str = "") -> str:
    """Returns what cloud-init reads: the engine, the login for it, the machine's own SSH host key; and `more`.

    The key is handed in, not read back, so that no first connection has to trust what answers.
    """
    ours = {
        "package_update": True,
        "packages": ["docker.io", "cifs-utils", "nfs-common"],
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": host_key["private"], "ed25519_public": host_key["public"]},
        "runcmd": [["usermod", "--append", "--groups", "docker", user]],
    }
    if not more:
        return "#cloud-config\n" + json.dumps(ours, indent=1) + "\n"
    # lists of both count; where both name one value it is the user's
    ours["merge_how"] = "list(append)+dict(recurse_list)+str()"
    kind = next(kind for start, kind in KINDS.items() if more.startswith(start))
    parts = [{"type": kind, "content": more}, {"type": "text/cloud-config", "content": json.dumps(ours, indent=1)}]
    return "#cloud-config-archive\n" + json.dumps(parts, indent=1) + "\n"


def custom_data(user: str, host_key: Pair, more: str) -> str:
    """Returns it as Azure takes it."""
    return base64.b64encode(cloud_config(user, host_key, more).encode()).decode()


def read_custom_data(file: str) -> str:
    """Returns the user's part.

    Raises:
        pulumi.RunError: if it can't be read, is too long, or cloud-init would not know what it is.
    """
    setting = "datadocker:host.customData"
    try:
        text = Path(file).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise pulumi.RunError(f"{setting}: {file} can't be read: {error}") from None
    if not text.startswith(tuple(KINDS)):
        raise pulumi.RunError(f"{setting}: {file} should begin with {' or '.join(KINDS)}, by which cloud-init knows it")
    if len(text.encode()) > CUSTOM_DATA_BYTES // 2:
        raise pulumi.RunError(f"{setting}: {file} is longer than {CUSTOM_DATA_BYTES // 2048} KiB: Azure takes no more")
    return text
