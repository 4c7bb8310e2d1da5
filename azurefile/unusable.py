"""The place of a share whose fence can't even be set up: a lease on it is never renewed."""

from typing import NoReturn

from azurefile.errors import ShareError


class UnusableFolder:
    """A `SharedFolder` whose every call but the last raises ShareError."""

    def __init__(self, volume: str) -> None:
        """Stand for the folder of a volume's fence."""
        self._volume = volume

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

    def lock(self, name: str) -> NoReturn:
        """Fail."""
        self._fail()

    def close(self) -> None:
        """Nothing is open."""

    def _fail(self) -> NoReturn:
        raise ShareError(
            f'volume "{self._volume}": its fence could not be set up when the plugin started; the log of that says why '
            "(journalctl -u docker)"
        )
