"""What a restarted plugin does with the leases of its last life."""

import contextlib
import logging
import os
import threading
import time

from azurefile.errors import PluginError, ShareError
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.owner import Owner, facts
from azurefile.protocols.flock import FlockStore
from azurefile.store import LockStore, is_locked
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

# A look and a claim take milliseconds, and of volumes there may be hundreds, before any of which is served.
_LOOK_SECONDS = 0.3


def restore(volume: Volume, store: LockStore, leases: Leases, memory: LeaseMemory, mounts: int | None) -> bool:
    """Take a volume's lease up again if `mounts` IDs are out, or nobody knows how many; says whether it is held.

    A share that other hosts reach is not asked here, since it may not answer: its lease goes on
    from memory, as old as it is, and the keeper takes the lock back.
    """
    if isinstance(store, FlockStore):
        return _take_back(leases, volume, store, mounts)
    remembered = memory.load(volume.name)
    if remembered is None:
        return False
    owner = remembered.owner
    # A version before remembered none.
    owner.protocol = volume.options.protocol
    if resume(leases, owner, store, mounts, remembered.confirmed):
        return True
    memory.forget(volume.name)
    threading.Thread(target=_clear, args=(owner, store), name="clear", daemon=True).start()
    return False


def resume(leases: Leases, owner: Owner, store: LockStore, mounts: int | None, confirmed: float) -> bool:
    """Go on with a lease on a shared store as this host remembers it; the share is not asked yet.

    Returns False if it is of an earlier boot, or nothing was mounted under it.
    """
    if mounts == 0 or owner.boot != leases.boot:
        return False
    if mounts is not None:
        owner.mounts = mounts
    owner.plugin_pid, owner.pid_namespace = os.getpid(), leases.pid_namespace
    lease = Lease(owner, store, None, restored=True, confirmed=confirmed, changed=True, changes=leases.changes)
    leases.adopt(lease)
    log.info("lease resumed", extra=facts(owner))
    return True


def clear(owner: Owner, store: LockStore) -> None:
    """Give back what an earlier life of this plugin held, unless a copy of this machine holds it."""
    # Under the mutex: this host's first claim after a boot looks at the same record and lock.
    with store.mutex() as alone:
        if not alone or is_locked(store, owner.key):
            return
        record = store.read(owner.key)
        if record is not None and record.in_force and record.owner.lease == owner.lease:
            store.end_session(record.owner, record.owner.age())
            record.owner.released = time.time()
            store.write(record.owner)


def _take_back(leases: Leases, volume: Volume, store: FlockStore, mounts: int | None) -> bool:
    """Take a lock back after a restart of the plugin; `mounts` IDs are known to be out, or as many as the record says.

    Returns whether the volume is held; if not, its mount IDs are void: another plugin found
    its holder dead meanwhile.
    """
    key = leases.key(volume.name, store)
    if not mounts and store.read(key) is None:
        return False
    with contextlib.ExitStack() as alone:
        # Whoever only looks at the lock has it for that moment. Who stopped in a claim keeps no hold from coming back.
        with contextlib.suppress(ShareError):
            alone.enter_context(store.mutex(_LOOK_SECONDS))
        found = store.read(key)
        record = found.owner if found is not None else None
        if record is None and mounts:
            record = leases.owner(volume, store)
        if record is None or record.released is not None:
            return False
        lease = Lease(record, store, store.lock(record.key), restored=True)
        if mounts == 0 or record.boot != leases.boot:
            leases.drop(lease)
            return False
        if mounts is not None:
            record.mounts = mounts
        record.plugin_pid, record.pid_namespace = os.getpid(), leases.pid_namespace
        leases.adopt(lease)
        leases.note(lease)
        log.info("lease restored", extra=facts(record))
        return True


def _clear(owner: Owner, store: LockStore) -> None:
    try:
        clear(owner, store)
    except PluginError as error:
        # The first claim finds the record of an earlier boot by itself.
        log.warning("earlier hold not given back", extra=facts(owner) | {"error": error})
