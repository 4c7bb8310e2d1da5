"""Puts volumes on their mount points and takes them off, each under a hold on its folder. All of it may block."""

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from azurefile import mounts, protocols, room
from azurefile.attachments import Attachments
from azurefile.chosenstores import ChosenStores
from azurefile.errors import InUse, MountUnseen, ShareError, ShareMissing, ShareSilent, StaleMount
from azurefile.fence import Fence
from azurefile.flush import Flush
from azurefile.holders import Holders
from azurefile.keeper import Keeper
from azurefile.lease import Lease
from azurefile.leases import Leases
from azurefile.liveness import Process
from azurefile.options import SMB
from azurefile.owner import holder_names
from azurefile.protocols import ShareProtocol
from azurefile.status import status
from azurefile.store import LockStore
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)

_FLUSH_SECONDS = 20.0
# A share that answers, but is slow to take the last writes, is waited for as long as this.
_SLOW_SECONDS = 80.0
# What the containers of a lost hold and its mount are given to end.
_STOP_SECONDS = 20.0
_GONE = "its mount is gone: the plugin was disabled, or the engine started again"
_UNSEEN = "the engine does not see what the plugin mounts, as after it was killed; the plugin ends, to be started anew"


class Mounter:
    """What happens between the protocol's calls and the shares. One call at a time for each volume."""

    def __init__(
        self,
        volumes: VolumeStore,
        attachments: Attachments,
        ways: Mapping[str, ShareProtocol],
        leases: Leases,
        holders: Holders,
        fence: Fence,
        keeper: Keeper,
    ) -> None:
        """Mount in `ways`, by protocol; `keeper` renews what is held on shared stores."""
        self._volumes = volumes
        self._attachments = attachments
        self._ways = ways
        self._leases = leases
        self._holders = holders
        self._fence = fence
        self._keeper = keeper
        # When each volume's share was last seen to work.
        self._contact: dict[str, float] = {}
        # What the status of a mounted volume says of its server.
        self._where: dict[str, dict[str, str]] = {}
        self._stores = ChosenStores(ways, leases, fence, keeper)
        # Who ends what the plugin's last life had begun to let go; nothing else touches the volume meanwhile.
        self._endings: dict[str, threading.Thread] = {}

    def way(self, volume: str, protocol: str) -> ShareProtocol:
        """The protocol of that name, or an error that says which there are."""
        return protocols.find(self._ways, volume, protocol)

    def chosen(self, volume: str) -> LockStore | None:
        """The store that a volume's lock is in by now; None if the volume is not known. Raises ShareError."""
        chosen, known = self._stores.chosen(volume), self._volumes.get(volume)
        return self._stores.of(known) if chosen is None and known is not None else chosen

    def store(self, volume: Volume, account: str) -> LockStore:
        """Where the volume's lock is; of several stores the one that is reached by `account`.

        A container that starts with the machine is not mounted again, and its share may be back a moment later: so it
        counts as one that was there just now.
        """
        store = self._stores.of(volume, account)
        if store.shared:
            self._contact[volume.name] = time.monotonic()
        return store

    def resume(self, volume: Volume, store: LockStore) -> None:
        """Go on with what is mounted under a lease of the plugin's last life."""
        self._keeper.keep(store)
        self._where[volume.name] = self._way(volume).where(volume)
        self._look_at_session(volume)
        # A Mount of an older version did not keep it.
        if store.account or volume.options.protocol != SMB:
            # The next Mount keeps it anyway.
            with contextlib.suppress(OSError):
                self._volumes.mounted(volume, store.account)

    def end(self, volume: str) -> None:
        """Let go of a volume in a thread: its last writes may take longer than a start of the plugin."""

        def end() -> None:
            try:
                self._let_go(volume)
            except OSError as error:
                # The next sweep tries again.
                log.warning("not unmounted", extra={"volume": volume, "error": error})
            finally:
                del self._endings[volume]

        self._endings[volume] = threading.Thread(target=end, name="end", daemon=True)
        self._endings[volume].start()

    def mount(self, volume: Volume, mount_id: str, engine: Process | None = None) -> None:
        """Mount for one more ID of an `engine`. Raises Held, ShareError or OSError, and leaves no hold behind then."""
        self._await_end(volume.name)
        attachment = self._attachments.of(volume.name)
        way = self._way(volume)
        store = self._stores.of(volume)
        failed = f'share "{volume.options.share}" can\'t be mounted'
        with room.needed(failed):
            kept = self._claim(volume, store, rejoin=mount_id in attachment.ids, engine=engine)
        lease = self._leases.of(volume.name)
        self._contact[volume.name] = time.monotonic()
        try:
            if not kept:
                attachment.void()
            self._keeper.keep(store)
            if not mounts.is_mounted(attachment.target):
                with room.needed(failed, "the engine's data"):
                    attachment.target.mkdir(mode=0o755, exist_ok=True)
                way.mount(volume, attachment.target)
                self._where[volume.name] = way.where(volume)
            if lease is None or lease.lost:
                raise ShareSilent(f"the hold was lost while the share was mounted ({_why(lease)})")
            if engine is not None and not mounts.reaches(attachment.target, engine.pid):
                raise MountUnseen(_UNSEEN)
            self._look_at_session(volume)
            with room.needed(failed):
                self._volumes.mounted(volume, store.account)
                attachment.add(mount_id, time.time())
            if lease.lost:
                # Who stops its containers may have looked at the IDs before.
                attachment.remove(mount_id)
                raise ShareSilent(f"the hold was lost while the mount was noted ({_why(lease)})")
        except BaseException:
            if attachment.ids:
                self._holders.unmounted(volume.name, len(attachment.ids))
            elif lease is None or not lease.lost or self._leases.of(volume.name) is not lease:
                # Else who stops its containers does that: given to another now, its mount would be cut for the old one.
                # Once they are stopped nobody does.
                try:
                    mounts.detach(attachment.target)
                finally:
                    self._leases.release(volume.name)
            raise

    def unmount(self, volume: Volume, mount_id: str) -> bool:
        """End one mount, with the last also the hold; says whether the ID was known."""
        self._await_end(volume.name)
        attachment = self._attachments.of(volume.name)
        known = attachment.remove(mount_id)
        if attachment.ids:
            self._holders.unmounted(volume.name, len(attachment.ids))
        elif attachment.readable or not self._one_less(volume.name):
            attachment.clear()
            self._let_go(volume.name)
        return known

    def remove(self, volume: Volume) -> None:
        """Unmount and forget what a volume has here and on its share, unless it is in use."""
        self._await_end(volume.name)
        lease = self._leases.of(volume.name)
        if lease is not None and lease.lost and not self._leases.over(lease, _STOP_SECONDS):
            # Who stops them knows them by the volume's name, and would stop those of the next one of that name.
            raise InUse(
                f'volume "{volume.name}": what used it is being stopped ({lease.lost}); try again in some seconds'
            )
        attachment = self._attachments.of(volume.name)
        if attachment.ids and self._fence.alive(volume.name):
            lease = self._leases.of(volume.name)
            holders = holder_names(lease.owner.containers) if lease else ""
            raise InUse(
                f'volume "{volume.name}": it is mounted for {holders or "a container"}; remove the container first'
            )
        attachment.void()
        try:
            self._leases.forget(volume, self._stores.of(volume))
        except ShareError as error:
            # A share that is gone for good must not keep its volumes; its record runs out by itself.
            log.warning("record left on the share", extra={"volume": volume.name, "error": error})
        self._attachments.forget(volume.name)
        self._stores.leave(volume)
        # The next one of that name may be another share, on another server.
        self._contact.pop(volume.name, None)
        self._where.pop(volume.name, None)
        self._way(volume).forget_volume(volume)

    def sweep(self, volume: Volume) -> None:
        """Unmount what a dead container left; a living one's mount gets what changed since."""
        lease = self._leases.of(volume.name)
        attachment = self._attachments.of(volume.name)
        if (lease is None and not attachment.ids) or (lease is not None and lease.lost):
            return
        if not self._fence.alive(volume.name):
            attachment.clear()
            self._let_go(volume.name)
            log.info("dead container's mount cleared", extra={"volume": volume.name})
        elif lease is not None and mounts.is_mounted(attachment.target):
            self._look_at_session(volume)
            try:
                self._way(volume).refresh(volume, attachment.target)
            except StaleMount as error:
                self._keeper.give_up(lease, str(error), restart=True)
        elif lease is not None and lease.store.shared and lease.owner.exclusive and self._fence.runs(volume.name):
            # The container has it still, out of reach: nobody could cut it for another host, or give it a new key.
            self._keeper.give_up(lease, _GONE, restart=True)

    def usable(self, volume: Volume) -> bool:
        """Whether a mount could be noted, and the share lets its fence be used."""
        store = self._stores.of(volume)
        try:
            self._attachments.check_room()
            store.read(self._leases.key(volume.name, store))
        except ShareError as error:
            # One that a Mount would make is as good.
            if not isinstance(error, ShareMissing) or volume.seen or volume.options.create is not True:
                return False
        # What is started now finds it, or waits for it if it is going up and down still.
        self._contact[volume.name] = time.monotonic()
        return True

    def in_use(self) -> set[str]:
        """The volumes that a sweep has to look at."""
        return {v for v in (*self._leases.held(), *self._attachments.counted()) if v not in self._endings}

    def contact(self, volume: str) -> float | None:
        """When the volume's share was last seen to work, by the monotonic clock."""
        seen, lease = self._contact.get(volume), self._leases.of(volume)
        if lease is None or not lease.store.shared:
            return seen
        renewed = time.monotonic() - self._leases.silence(lease)
        return renewed if seen is None else max(seen, renewed)

    def status(self, volume: Volume) -> dict[str, Any]:
        """What `docker volume inspect` shows, from memory."""
        name = volume.name
        way = self._ways.get(volume.options.protocol)
        in_force = way.in_force(volume.options) if way is not None else {}
        return status(volume, self._leases.of(name), self._attachments.of(name), self._where.get(name), in_force)

    def _claim(self, volume: Volume, store: LockStore, *, rejoin: bool, engine: Process | None) -> bool:
        """Claim the folder; if the share is missing, of one that is made for a new volume that says so."""
        try:
            return self._fence.claim(volume, store, rejoin=rejoin, engine=engine)
        except ShareMissing as error:
            if volume.seen:
                account = f' of account "{store.account}"' if store.account else ""
                raise ShareMissing(
                    f'share "{volume.options.share}"{account}, which volume "{volume.name}" had mounted, is gone; '
                    "restore it (Azure: undelete a soft-deleted share), or remove the volume and create it again with "
                    "create=true to begin with an empty one"
                ) from error
            if volume.options.create is not True:
                raise
        # Its server has answered, so what is passing there is waited for.
        self._contact[volume.name] = time.monotonic()
        self._way(volume).create(volume)
        return self._fence.claim(volume, store, rejoin=rejoin, engine=engine)

    def _await_end(self, volume: str) -> None:
        if (ending := self._endings.get(volume)) is not None:
            ending.join()

    def _one_less(self, volume: str) -> bool:
        """Note the end of a mount that was not counted here; says whether others may still write."""
        lease = self._leases.of(volume)
        if lease is not None:
            self._holders.unmounted(volume, max(0, lease.owner.mounts - 1))
        return self._fence.alive(volume)

    def _let_go(self, volume: str) -> None:
        """Unmount and give the folder back; on a share that others reach nothing is written after that."""
        target = self._attachments.target(volume)
        lease = self._leases.of(volume)
        if lease is not None and lease.lost:
            # Who stops its containers does that too.
            return
        if lease is not None and lease.store.shared:
            lease.ending = True
            flush = Flush(target)
            if not flush.settled(_FLUSH_SECONDS, _SLOW_SECONDS):
                log.warning("share does not take the last writes", extra={"volume": volume})
                mounts.cut(target, flush.over)
                # The kernel can't tell the server any more, and once it is given back nobody else would.
                lease.store.end_session(lease.owner, lease.owner.age())
            if lease.lost:
                # Given to another now, its mount would be cut for this one.
                return
        mounts.detach(target)
        self._leases.release(volume)
        if lease is not None:
            self._contact[volume] = time.monotonic()

    def _look_at_session(self, volume: Volume) -> None:
        """Have the record say by which session the share is reached."""
        lease = self._leases.of(volume.name)
        if lease is not None and lease.store.shared:
            session = self._way(volume).session(volume, lease.owner.session)
            if session != lease.owner.session:
                lease.owner.session = session
                lease.save()

    def _way(self, volume: Volume) -> ShareProtocol:
        return self.way(volume.name, volume.options.protocol)


def _why(lease: Lease | None) -> str:
    return lease.lost if lease is not None else "it was given back"
