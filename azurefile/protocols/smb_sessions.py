"""Which session of its server each mount has, as this kernel tells.

A mount gets a number of its own for `cruid`: only Kerberos asks for that, and the kernel tells it beside the
session's id, which is another one after each connection that broke.
"""

import math
import re
import secrets
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
        self._numbers: dict[str, int] = {}
        self._known: dict[int, str] = {}
        self._read_at = -math.inf

    def number(self, volume: str) -> str:
        """A number for option `cruid` of a volume's next mount."""
        self._numbers[volume] = 1 + secrets.randbelow(_NUMBERS)
        return str(self._numbers[volume])

    def of(self, volume: str, known: str) -> str:
        """The id of a volume's session; `known` is what it was, also to the plugin's last life."""
        number = self._numbers.get(volume)
        told = self._told(number)
        if number is None:
            numbers = [number for number, session in told.items() if session == known]
            if len(numbers) == 1:
                self._numbers[volume] = numbers[0]
            return known
        return told.get(number, known)

    def forget(self, volume: str) -> None:
        """Drop what is known of a volume."""
        self._numbers.pop(volume, None)

    def _told(self, wanted: int | None) -> dict[int, str]:
        """The sessions by number, a moment old unless that makes no difference to `wanted`."""
        now = time.monotonic()
        if now - self._read_at > _FRESH_SECONDS or (wanted is not None and wanted not in self._known):
            try:
                text = self._file.read_text(encoding="ascii", errors="replace")
            except OSError:
                text = ""
            self._known = {int(number): session for session, number in _SESSION.findall(text)}
            self._read_at = now
        return self._known
