"""One store for each share, so that all volumes of a share are known to be of one."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from azurefile.store import LockStore

Store = TypeVar("Store", bound=LockStore)


class Stores(Generic[Store]):
    """The stores of one protocol, each made when it is first asked for."""

    def __init__(self) -> None:
        """Begin with none."""
        self._stores: dict[tuple[str, ...], Store] = {}
        self._guard = threading.Lock()

    def get(self, key: tuple[str, ...], make: Callable[[], Store]) -> Store:
        """The store of the share that `key` names."""
        with self._guard:
            if key not in self._stores:
                self._stores[key] = make()
            return self._stores[key]

    def forget(self, store: LockStore) -> None:
        """Make a new one when it is needed again."""
        with self._guard:
            self._stores = {key: kept for key, kept in self._stores.items() if kept is not store}
