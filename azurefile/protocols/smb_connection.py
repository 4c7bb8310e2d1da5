"""The SMB library's connection, as the fence needs it."""

# mypy: disable-error-code="import-untyped"
from typing import Any

from smbprotocol.connection import Connection
from smbprotocol.session import SMB2SessionSetupRequest

ANSWER_SECONDS = 5


class BoundedConnection(Connection):  # type: ignore[misc]
    """The library's connection, with a bound on every wait and an end for the session before it."""

    # Set before the session is made; 0 if there was none.
    previous_session = 0

    def receive(
        self, request: Any, wait: bool = True, timeout: int | None = None, resolve_symlinks: bool = True
    ) -> Any:
        """Wait for an answer, for some seconds unless `timeout` says otherwise."""
        return super().receive(request, wait, timeout or ANSWER_SECONDS, resolve_symlinks)

    def send(self, message: Any, *arguments: Any, **named: Any) -> Any:
        """Send a message; that which begins a session names the one before."""
        if isinstance(message, SMB2SessionSetupRequest):
            # The server then drops what a connection that died still has open, locks above all.
            message["previous_session_id"] = self.previous_session
        return super().send(message, *arguments, **named)
