"""The store that each volume's lock is in; the last volume of a share closes it."""

import threading
from collections.abc import Mapping

from azurefile import protocols
from azurefile.fence import Fence
from azurefile.keeper import Keeper
from azurefile.leases import Leases
from azurefile.protocols import ShareProtocol
from azurefile.store import LockStore
from azurefile.volumes import Volume


class ChosenStores:
    """One store for each volume, for any number of threads."""

    def __init__(self, ways: Mapping[str, ShareProtocol], leases: Leases, fence: Fence, keeper: Keeper) -> None:
        """Choose among the stores of `ways`, by protocol; `keeper` stops renewing what is closed."""
        self._ways = ways
        self._leases = leases
        self._fence = fence
        self._keeper = keeper
        self._chosen: dict[str, LockStore] = {}
        # None is closed that another volume just got.
        self._guard = threading.Lock()

    def of(self, volume: Volume, account: str = "") -> LockStore:
        """The volume's store, from here on kept for it; of several the one that is reached by `account`.

        What is held stays where it is, whatever account the volume would mean by now.
        """
        lease = self._leases.of(volume.name)
        held = lease is not None and not lease.lost and self._fence.alive(volume.name)
        with self._guard:
            store = lease.store if lease is not None and held else self._way(volume).locks(volume, account)
            before = self._chosen.get(volume.name)
            self._chosen[volume.name] = store
        if before is not None and before is not store:
            self._close_unused(volume, before)
        return store

    def chosen(self, volume: str) -> LockStore | None:
        """The store that was chosen last, which is no closed one."""
        return self._chosen.get(volume)

    def leave(self, volume: Volume) -> None:
        """Forget the volume's store."""
        with self._guard:
            store = self._chosen.pop(volume.name, None)
        if store is not None:
            self._close_unused(volume, store)

    def _close_unused(self, volume: Volume, store: LockStore) -> None:
        with self._guard:
            used = [*self._chosen.values(), *(lease.store for lease in self._leases.all())]
            if any(other is store for other in used):
                return
            self._way(volume).forget(store)
        self._keeper.drop(store)
        store.close()

    def _way(self, volume: Volume) -> ShareProtocol:
        return protocols.find(self._ways, volume.name, volume.options.protocol)
