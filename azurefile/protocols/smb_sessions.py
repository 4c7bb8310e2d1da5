"""Which session of its server each mount has, as this kernel tells.

A mount gets a number of its own for `cruid`: only Kerberos asks for that, and the kernel tells it beside the
session's id, which is another one after each connection that broke. A record has both, `ID@NUMBER`, so that the
plugin's next life knows the mount again.
"""

import math
import re
import secrets
import threading
import time
from pathlib import Path

_TOLD = Path("/proc/fs/cifs/DebugData")
# Volumes are asked about one after the other.
_FRESH_SECONDS = 1.0
_NUMBERS = 2**31 - 2
_SESSION = re.compile(r"SessionId: (0x[0-9a-f]+)(?:(?!SessionId).)*?\sCred User: (\d+)", re.DOTALL | re.IGNORECASE)


class KernelSessions:
    """The sessions of mounts that share theirs with no other."""

    def __init__(self, told: Path = _TOLD) -> None:
        """Read `told`, which a kernel without such mounts does not have."""
        self._file = told
        self._numbers: dict[str, str] = {}
        self._guard = threading.Lock()
        self._known: dict[str, str] = {}
        self._read_at = -math.inf

    def number(self, volume: str) -> str:
        """A number for option `cruid` of a volume's next mount."""
        self._numbers[volume] = str(1 + secrets.randbelow(_NUMBERS))
        return self._numbers[volume]

    def of(self, volume: str, known: str) -> str:
        """A volume's session as a record has it; `known` is what it was, also to the plugin's last life."""
        before, _, number = known.partition("@")
        number = self._numbers.setdefault(volume, number)
        if not number:
            return known
        return f"{self._told(number) or before}@{number}"

    def forget(self, volume: str) -> None:
        """Drop what is known of a volume."""
        self._numbers.pop(volume, None)

    def _told(self, number: str) -> str:
        """The id of the session of that number, a moment old unless it was not there then."""
        with self._guard:
            now = time.monotonic()
            if now - self._read_at > _FRESH_SECONDS or number not in self._known:
                try:
                    text = self._file.read_text(encoding="ascii", errors="replace")
                except OSError:
                    text = ""
                self._known = {told: session for session, told in _SESSION.findall(text)}
                self._read_at = now
            return self._known.get(number, "")


def session_id(recorded: object) -> int:
    """The id in what a record has, 0 where none is known. Raises ValueError for what nobody here wrote."""
    told = str(recorded).partition("@")[0] or "0"
    number = int(told, 16)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{told} is no session's id")
    return number
