"""Which machine this is, for records on shares that several machines reach."""

import hashlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from azurefile import files

_MACHINE = (Path("/sys/class/dmi/id/product_uuid"), Path("/etc/machine-id"))


@dataclass(frozen=True)
class Host:
    """This machine, as owner records tell of it."""

    name: str
    identity: str
    takeover: float


def host_id(state: Path) -> str:
    """Twelve hex digits, kept in the plugin's state and bound to the machine where it tells its own id.

    A copy of a whole machine may share them, so they are never the only proof of who holds a folder.
    """
    file = state / "host-id"
    try:
        own = str(files.read_json(file))
    except (OSError, ValueError):
        own = uuid.uuid4().hex
        files.write_json(file, own, durable=True)
    return hashlib.sha256(f"{own}{_machine()}".encode()).hexdigest()[:12]


def _machine() -> str:
    for path in _MACHINE:
        try:
            if text := path.read_text(encoding="ascii", errors="replace").strip():
                return text
        except OSError:
            continue
    return os.uname().nodename
