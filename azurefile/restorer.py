"""What the plugin's last life held is taken up again, or given back, before anything is served."""

import logging

from azurefile import mounts
from azurefile.attachments import Attachments
from azurefile.keeper import Keeper
from azurefile.lastleases import restore, resume
from azurefile.leasememory import LeaseMemory, LeaseUnreadable
from azurefile.leases import Leases
from azurefile.mounter import Mounter
from azurefile.options import SMB, Options
from azurefile.restarter import Restarter
from azurefile.sharedstore import SharedStore
from azurefile.store import LockStore
from azurefile.unusable import UnusableFolder
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)


class Restorer:
    """Goes once through all that is kept of volumes, mounts and leases."""

    def __init__(
        self,
        volumes: VolumeStore,
        attachments: Attachments,
        leases: Leases,
        memory: LeaseMemory,
        mounter: Mounter,
        keeper: Keeper,
        restarter: Restarter,
    ) -> None:
        """Go on by `mounter`; `memory` has the leases on shared stores, `restarter` what was being stopped."""
        self._volumes = volumes
        self._attachments = attachments
        self._leases = leases
        self._memory = memory
        self._mounter = mounter
        self._keeper = keeper
        self._restarter = restarter

    def restore(self) -> None:
        """Take the locks of running containers back and clear what a killed plugin left."""
        for volume in self._volumes.all():
            try:
                self._restore(volume)
            except Exception:
                # One bad volume must not keep the others from coming back.
                log.exception("volume not restored", extra={"volume": volume.name})
                # A failure of this ends the plugin, so that its next life tries again: nothing goes on without a fence.
                self._stop_unfenced(volume)
        known = {volume.name for volume in self._volumes.all()}
        for name in self._memory.volumes():
            if name not in known:
                self._stop_forgotten(name)
        # What is being stopped is unmounted with force by who stops it.
        self._attachments.detach_others(known | set(self._leases.held()))

    def _restore(self, volume: Volume) -> None:
        attachment = self._attachments.load(volume.name)
        self._mounter.way(volume.name, volume.options.protocol).prepare()
        remembered = self._memory.load(volume.name)
        store = self._mounter.store(volume, remembered.account if remembered is not None else "")
        out = self._out(volume.name) if remembered is not None else attachment.out
        if restore(volume, store, self._leases, self._memory, out):
            self._mounter.resume(volume, store)
            if attachment.out == 0:
                self._mounter.end(volume.name)
            elif not attachment.readable:
                self._stop_uncounted(volume.name)
        else:
            attachment.void()
        stopped = self._restarter.interrupted(volume.name)
        lease = self._leases.of(volume.name)
        if stopped is not None and lease is not None and lease.owner.lease == stopped.owner.lease:
            reason = "the plugin ended while it stopped its containers"
            self._keeper.give_up(lease, reason, restart=stopped.restart)
        elif stopped is not None:
            self._restarter.resume(stopped, store)

    def _stop_unfenced(self, volume: Volume) -> None:
        """Stop what uses a volume of a shared store that could not be restored: nobody would renew its lease.

        What was stopped before is started again nevertheless: the share may be well.
        """
        if self._leases.of(volume.name) is None:
            store = SharedStore(_unusable(volume.name), volume.options.share)
            try:
                restore(volume, store, self._leases, self._memory, self._out(volume.name))
            except LeaseUnreadable:
                self._resume_unread(volume, store)
            if (lease := self._leases.of(volume.name)) is not None:
                self._keeper.give_up(lease, "it could not be restored after a restart of the plugin")
            elif (stopped := self._restarter.interrupted(volume.name)) is not None:
                self._restarter.resume(stopped, store)

    def _stop_forgotten(self, name: str) -> None:
        """Stop what uses a volume that is not known any more, as when its file is of a newer version."""
        store = SharedStore(_unusable(name), "")
        self._attachments.load(name)
        try:
            remembered = self._memory.load(name)
            if remembered and not resume(self._leases, remembered.owner, store, self._out(name), remembered.confirmed):
                self._memory.forget(name)
        except LeaseUnreadable:
            self._resume_unread(Volume(name, Options(protocol=SMB, share=""), {}, ""), store)
        if (lease := self._leases.of(name)) is not None:
            self._keeper.give_up(lease, "what is kept of the volume can't be read")

    def _stop_uncounted(self, volume: str) -> None:
        """Stop what uses a volume without mount IDs: the first Unmount of several would give the folder back."""
        lease = self._leases.of(volume)
        if lease is not None and lease.store.shared:
            self._keeper.give_up(lease, "its mount IDs can't be read")

    def _resume_unread(self, volume: Volume, store: LockStore) -> None:
        """Go on with a lease that can't be read, to stop what uses its volume; the engine knows what that is."""
        resume(self._leases, self._leases.owner(volume, store), store, None, 0.0)

    def _out(self, volume: str) -> int | None:
        """How many IDs are out; None if nobody knows, or if the last is gone and what it wrote may not be."""
        attachment = self._attachments.of(volume)
        unfinished = attachment.out == 0 and mounts.is_mounted(attachment.target)
        return None if unfinished else attachment.out


def _unusable(volume: str) -> UnusableFolder:
    return UnusableFolder(
        f'volume "{volume}": its fence could not be set up when the plugin started; the log of that says why '
        "(journalctl -u docker)"
    )
