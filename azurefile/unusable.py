"""The place of a share whose fence can't be used: a lease on it is never renewed."""

from typing import NoReturn

from azurefile.errors import ShareError


class UnusableFolder:
    """A `SharedFolder` whose every call but the last raises ShareError."""

    def __init__(self, reason: str) -> None:
        """Fail with `reason`."""
        self._reason = reason

    def names(self) -> NoReturn:
        """Fail."""
        self._fail()

    def read(self, name: str) -> NoReturn:
        """Fail."""
        self._fail()

    def write(self, name: str, data: bytes) -> NoReturn:
        """Fail."""
        self._fail()

    def remove(self, name: str) -> NoReturn:
        """Fail."""
        self._fail()

    def end_session(self, session: str) -> NoReturn:
        """Fail."""
        self._fail()

    def lock(self, name: str) -> NoReturn:
        """Fail."""
        self._fail()

    def close(self) -> None:
        """Nothing is open."""

    def _fail(self) -> NoReturn:
        raise ShareError(self._reason)
