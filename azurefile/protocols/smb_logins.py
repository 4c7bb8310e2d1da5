"""Logins to one share's server, of which those that it refused are tried again less and less often."""

# mypy: disable-error-code="import-untyped"
import time
from dataclasses import dataclass
from typing import Any

from smbprotocol.exceptions import LogonFailure

from azurefile.credentials import Credentials
from azurefile.errors import ShareError
from azurefile.protocols.smb_connection import is_locked_out, login

# Until a refused login is tried again: soon at first, since the server may only be starting, and later each time.
_REFUSED_SECONDS, _LONGEST_SECONDS = 1.0, 30.0


@dataclass(frozen=True)
class _Refusal:
    """What a server refused last, in which words, until when that stands, and for how many seconds in all."""

    credentials: Credentials
    said: str
    until: float
    pause: float


class SmbLogins:
    """Every lease of a share asks each second: too many tries with a wrong key may lock the account."""

    def __init__(self, share: str, port: int) -> None:
        """Log in to the server of `share`."""
        self._share = share
        self._port = port
        self._refusal: _Refusal | None = None

    def begin(self, credentials: Credentials, previous: int) -> Any:
        """Begin a session, which ends the `previous` one (0: none).

        Raises ShareError, also without asking if the server refused the same credentials a moment ago.
        """
        # Another thread may log in meanwhile.
        before = self._refusal
        if before is not None and before.credentials != credentials:
            before = None
        if before is not None and time.monotonic() < before.until:
            raise ShareError(before.said)
        try:
            session = login(self._share, self._port, credentials, previous)
        except ShareError as error:
            if isinstance(error.__cause__, LogonFailure) or is_locked_out(error.__cause__):
                pause = min(before.pause * 2, _LONGEST_SECONDS) if before else _REFUSED_SECONDS
                self._refusal = _Refusal(credentials, str(error), time.monotonic() + pause, pause)
            raise
        self._refusal = None
        return session
