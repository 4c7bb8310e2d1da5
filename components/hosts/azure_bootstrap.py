"""What a new virtual machine is told to become, and how it is known that it has."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pulumi

from components.hosts.keys import Pair

# learn.microsoft.com: osProfile.customData, before it is encoded; 87,380 letters of base64
CUSTOM_DATA_BYTES = 65535
# takes as much room as a pair that ssh-keygen makes, and some more
LARGE_PAIR = Pair(private="x" * 480, public="x" * 96)
# apt takes its time on a small machine
READY_SECONDS = 1800
KINDS = {"#cloud-config": "text/cloud-config", "#!": "text/x-shellscript"}
# Azure's agent waits half an hour for a host key, by default an RSA one, before it runs any command; of lines of one
# name it takes the last (azurelinuxagent/common/conf.py), and the file may end without a newline
AGENT_FILE = "/etc/waagent.conf"
AGENT_KEY = "\nProvisioning.SshHostKeyPairType=ed25519\n"
# what ends a line in YAML or may not stand there, and may be so in JSON
NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

# waits by cloud-init's own event, and hands its log over where it failed
READY_SCRIPT = """\
set -u
fail() {
  # Azure passes on the last 4096 bytes, of which the reason is not to be the first to go
  tail -c 3500 /var/log/cloud-init-output.log | tail -n 40 >&2
  echo "$1" >&2
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
        # as early in the boot as the keys, so before the agent starts
        "write_files": [{"path": AGENT_FILE, "content": AGENT_KEY, "append": True}],
        "runcmd": [["usermod", "--append", "--groups", "docker", user]],
    }
    if not more:
        return f"#cloud-config\n{_json(ours)}\n"
    # lists of both count; where both name one value it is the user's
    ours["merge_how"] = "list(append)+dict(recurse_list)+str()"
    parts = [{"type": _kind(more), "content": more}, {"type": "text/cloud-config", "content": _json(ours)}]
    return f"#cloud-config-archive\n{_json(parts)}\n"


def custom_data(user: str, host_key: Pair, more: str) -> str:
    """Returns it as Azure takes it."""
    return base64.b64encode(cloud_config(user, host_key, more).encode()).decode()


def read_custom_data(file: str, user: str) -> str:
    """Returns the user's part.

    Raises:
        pulumi.RunError: if it can't be read, is too long with ours, or cloud-init would not know what it is.
    """
    setting = "datadocker:host.customData"
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise pulumi.RunError(f"{setting}: {file} can't be read: {error}") from None
    if not _kind(text):
        raise pulumi.RunError(f"{setting}: {file} should begin with {' or '.join(KINDS)}, by which cloud-init knows it")
    if (size := len(cloud_config(user, LARGE_PAIR, text).encode())) > CUSTOM_DATA_BYTES:
        raise pulumi.RunError(
            f"{setting}: {file} makes custom data of {size} bytes with ours, and Azure takes {CUSTOM_DATA_BYTES}: "
            "shorten it, or let it fetch the rest"
        )
    return text


def _kind(text: str) -> str | None:
    """What cloud-init takes it for, by the first line."""
    first = text.partition("\n")[0].rstrip()
    # others begin so too, such as #cloud-config-archive
    return KINDS.get("#!" if first.startswith("#!") else first)


def _json(value: object) -> str:
    # cloud-init reads it as YAML, in which half of an escaped emoji is an error
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
