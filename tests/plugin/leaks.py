"""Looks for a secret everywhere on a machine where other programs, other people or the next reader could find it."""

import shlex

from tests.machines.machine import Machine

NEEDLE = "/dev/shm/needle"
# What each place has, as a shell line.
PLACES = {
    "inspect": "docker inspect $(docker ps -aq) $(docker volume ls -q); docker plugin inspect azurefile; docker info",
    "processes": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'",
    "mounts": "cat /proc/[0-9]*/mountinfo",
    "journal": "journalctl --merge --no-pager -o cat",
    "kernel's log": "dmesg",
    "plugin's folder": "grep -rh --exclude-dir=shares --exclude-dir=credentials '' /var/lib/datadocker",
    "engine's folder": "grep -rhI --exclude-dir=overlay2 --exclude-dir=image '' /var/lib/docker/[!o]*",
    "other files": "grep -rhI '' /etc /run /tmp /root /var/log --exclude=credentials --exclude-dir=udev",
}


def places_with(machine: Machine, text: str) -> set[str]:
    """Returns the places where a text is, and the files with it below the credentials' folder."""
    # Looked for by a file: as an argument of grep it would find itself.
    machine.put(text.encode(), NEEDLE, 0o600)
    found = set()
    for place, line in PLACES.items():
        if machine.run(f"{{ {line}; }} 2>/dev/null | grep -aFf {NEEDLE} | head -c 1", timeout=180).out:
            found.add(place)
    listed = machine.run(f"cd /var/lib/datadocker/credentials && grep -rlFf {NEEDLE} .; rm {NEEDLE}")
    return found | set(listed.out.split())


def plant(machine: Machine, text: str) -> None:
    """Puts a text into every place."""
    word = shlex.quote(text)
    machine.run(
        f"docker volume create --label canary={word} canary; "
        f"mkdir -p /mnt/canary && mount -t tmpfs {word} /mnt/canary; "
        f"(canary={word} exec sleep 600 >/dev/null 2>&1 &) ; "
        f"logger {word}; journalctl --sync; echo {word} >/dev/kmsg; "
        f"echo {word} >/var/lib/datadocker/azurefile/canary; echo {word} >/var/lib/docker/plugins/canary; "
        f"echo {word} >/run/canary; echo {word} >/var/lib/datadocker/credentials/canary"
    )
