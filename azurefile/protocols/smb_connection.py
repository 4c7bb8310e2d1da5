"""A login to one SMB server, as the fence needs it: bounded in time, and with an end for the session before it."""

# mypy: disable-error-code="import-untyped"
import contextlib
import uuid
from typing import Any

import smbprotocol.connection
from smbprotocol.connection import Connection
from smbprotocol.exceptions import (
    AccessDenied,
    BadNetworkName,
    LogonFailure,
    SMBAuthenticationError,
    SMBResponseException,
)
from smbprotocol.session import Session, SMB2SessionSetupRequest
from smbprotocol.transport import Tcp

from azurefile import network
from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareMissing, ShareSilent

_ANSWER_SECONDS = 5
# MS-ERREF 2.3.1
_ACCOUNT_LOCKED_OUT = 0xC0000234


class _BoundedTcp(Tcp):  # type: ignore[misc]
    """The library's transport, which makes room for as much as the other side says that it sends."""

    def _recv(self, length: int, timeout: float) -> Any:
        # Read as a length, the first word of another protocol is a gigabyte and more.
        if length > self.MAX_SIZE:
            raise ValueError("what answers there speaks another protocol")
        return super()._recv(length, timeout)


# The library takes no other.
smbprotocol.connection.Tcp = _BoundedTcp


class _BoundedConnection(Connection):  # type: ignore[misc]
    """The library's connection, with a bound on every wait and an end for the session before it."""

    # Set before the session is made; 0 if there was none.
    previous_session = 0

    def receive(
        self, request: Any, wait: bool = True, timeout: int | None = None, resolve_symlinks: bool = True
    ) -> Any:
        """Wait for an answer, for some seconds unless `timeout` says otherwise."""
        return super().receive(request, wait, timeout or _ANSWER_SECONDS, resolve_symlinks)

    def send(self, message: Any, *arguments: Any, **named: Any) -> Any:
        """Send a message; that which begins a session names the one before."""
        if isinstance(message, SMB2SessionSetupRequest):
            # The server then drops what a connection that died still has open, locks above all.
            message["previous_session_id"] = self.previous_session
        return super().send(message, *arguments, **named)


def login(share: str, port: int, credentials: Credentials, previous: int) -> Any:
    """Begin a session on a connection of its own, which ends the `previous` one (0: none). Raises ShareError."""
    network.reach(credentials.server, port, credentials.said_by)
    connection = _BoundedConnection(uuid.uuid4(), credentials.server, port)
    connection.previous_session = previous
    try:
        connection.connect(timeout=_ANSWER_SECONDS)
        session = Session(
            connection,
            credentials.account,
            credentials.key,
            require_encryption=connection.supports_encryption,
            auth_protocol="ntlm",
        )
        session.connect()
    except Exception as error:
        # Also what ended the library's own thread, whatever that was.
        with contextlib.suppress(Exception):
            connection.disconnect(close=False)
        if isinstance(error, RuntimeError) and connection._t_exc is None:
            # This host has no thread left.
            raise
        raise refused(error, share, port, credentials) from error
    return session


def log_off(session: Any) -> None:
    """End a session with its connection, also if the server does not answer."""
    with contextlib.suppress(Exception):
        session.connection.disconnect(timeout=1)
    # Without an answer the library leaves its socket and its thread as they are.
    with contextlib.suppress(Exception):
        session.connection.disconnect(close=False)


def refused(error: Exception, share: str, port: int, credentials: Credentials) -> ShareError:
    """Why a share can't be connected to."""
    where = f'share "{share}" on {credentials.server}'
    if isinstance(error, LogonFailure | SMBAuthenticationError):
        return ShareError(
            f'{where} refuses account "{credentials.account}" with the key of its credentials file; '
            "put the account's present key there (it is read again at the next try)"
        )
    if is_locked_out(error):
        return ShareError(
            f'{where} has account "{credentials.account}" locked, as after too many logins with a wrong key; unlock it '
            "there, and put the account's present key into its credentials file"
        )
    if isinstance(error, BadNetworkName):
        return ShareMissing(f"{where} does not exist; make it, or (in Azure) create the volume with create=true")
    if isinstance(error, AccessDenied):
        return ShareError(
            f'{where} does not let account "{credentials.account}" in from this host; allow this host\'s network '
            "there (Azure: the account's network settings), and the account on the share"
        )
    if isinstance(error, SMBResponseException):
        return ShareError(f"{where} can't be used: {words(error)}; check option vers, and what the server allows")
    # A server that breaks off in the middle, as one that restarts does, has answered nothing.
    return ShareSilent(
        f'share "{share}" can\'t be used: {credentials.said_by}: the server {credentials.server} does not answer in '
        f"SMB on port {port} ({words(error)}); check server and port, and that an SMB server runs there"
    )


def is_locked_out(error: BaseException | None) -> bool:
    """Whether the server takes no more logins of an account for a while."""
    return isinstance(error, SMBResponseException) and error.status == _ACCOUNT_LOCKED_OUT


def words(error: Exception) -> str:
    """The server's own words, or the library's."""
    if isinstance(error, SMBResponseException):
        # The library's own sentence comes first: "Received unexpected status from the server: …".
        return str(error.message).partition("server:")[2].strip() or f"status {error.status:08x}"
    return str(error) or type(error).__name__
