"""What a restarted plugin does with the leases of its last life."""

import logging
import threading

from azurefile.errors import PluginError
from azurefile.fence import Fence
from azurefile.leasememory import LeaseMemory
from azurefile.owner import Owner, facts
from azurefile.store import LockStore
from azurefile.volumes import Volume

log = logging.getLogger(__name__)


def restore(volume: Volume, store: LockStore, fence: Fence, memory: LeaseMemory, mounts: int) -> bool:
    """Take a volume's lease up again if `mounts` IDs are out; says whether it is held.

    A share that other hosts reach is not asked here, since it may not answer: its lease goes on
    from memory, as old as it is, and the keeper takes the lock back.
    """
    if not store.shared:
        return fence.restore(volume, store, mounts)
    remembered = memory.load(volume.name)
    if remembered is None:
        return False
    owner, confirmed = remembered
    if fence.resume(owner, store, mounts, confirmed):
        return True
    memory.forget(volume.name)
    threading.Thread(target=_clear, args=(fence, owner, store), name="clear", daemon=True).start()
    return False


def _clear(fence: Fence, owner: Owner, store: LockStore) -> None:
    try:
        fence.clear(owner, store)
    except PluginError as error:
        # The first claim finds the record of an earlier boot by itself.
        log.warning("earlier hold not given back", extra=facts(owner) | {"error": error})
