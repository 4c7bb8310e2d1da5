"""The calls of Docker's volume driver protocol, free of HTTP.

Each volume has a lock of its own and blocking work happens in threads, so that a share that hangs
costs only its own callers. List, Get and Path read memory and wait for nothing.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from azurefile import fence, identity, liveness, mounts, options, protocols
from azurefile.engine import Engine, Watcher
from azurefile.errors import (
    InUse,
    NoSuchVolume,
    OptionError,
    PluginError,
    ShareError,
    ShareMissing,
    ShareSilent,
    StaleKey,
)
from azurefile.fence import Fence, Host
from azurefile.held import Held
from azurefile.keeper import Keeper
from azurefile.lanes import Lanes
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.mounts import Attachment
from azurefile.owner import holder_names, iso_time
from azurefile.restoration import restore
from azurefile.status import status
from azurefile.stopper import Stopper
from azurefile.store import LockStore
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)

_RENEW_SECONDS = 20.0
_RETRY_SECONDS = 0.02
_LOOK_SECONDS = 1.0
# The engine gives a Mount up after two minutes, and would never end one that succeeded later.
_MOUNT_SECONDS = 100.0
_FLUSH_SECONDS = 20.0


@dataclass(frozen=True)
class Settings:
    """Where the plugin's world is; the tests have theirs elsewhere."""

    root: Path
    mounts: Path
    engine: str
    state: str
    host: str
    takeover: float
    defaults: str = ""


class Driver:
    """Volumes, their mounts and their fence."""

    def __init__(self, settings: Settings) -> None:
        """Read the state of the last life; `restore` must follow before anything is served."""
        self._settings = settings
        self._boot = liveness.boot_id()
        state = settings.root / settings.state
        self._attachment_folder = state / "mounts"
        self._attachment_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings.mounts.mkdir(parents=True, exist_ok=True)
        self._volumes = VolumeStore(state / "volumes")
        self._attachments: dict[str, Attachment] = {}
        self._protocols = protocols.available(settings.root, settings.takeover)
        engine = Engine(settings.engine)
        host = Host(settings.host, identity.host_id(state), settings.takeover)
        self._memory = LeaseMemory(state / "leases")
        self._fence = Fence(settings.state, host, engine.running, self._listening, self._memory)
        self._stopper = Stopper(engine, self._target, self._stopped, state / "stopped")
        self._keeper = Keeper(self._fence, settings.takeover, self._stopper.stop)
        self._watcher = Watcher(engine, self._fence.held, self._fence.identify, self._fence.engine_reconnected)
        self._lanes = Lanes()
        # When each volume's share was last seen to work.
        self._contact: dict[str, float] = {}
        # What the status of a mounted volume says of its server.
        self._where: dict[str, dict[str, str]] = {}

    def restore(self) -> None:
        """Take the locks of running containers back and clear what a killed plugin left."""
        for volume in self._volumes.all():
            attachment = Attachment.load(self._attachment_path(volume.name), self._boot)
            self._attachments[volume.name] = attachment
            try:
                protocol = self._protocol(volume)
                protocol.prepare()
                held = restore(volume, protocol.locks(volume), self._fence, self._memory, len(attachment.ids))
                if held:
                    self._keeper.keep(protocol.locks(volume))
                    self._where[volume.name] = protocol.where(volume)
                else:
                    attachment.clear()
                    mounts.detach(self._target(volume.name))
            except Exception:
                # One bad volume must not keep the others from coming back.
                log.exception("volume not restored", extra={"volume": volume.name})
        for entry in self._settings.mounts.iterdir():
            if self._volumes.get(entry.name) is None:
                mounts.detach(entry)
        self._stopper.resume(self._locks)
        self._keeper.settle()
        self._keeper.start()
        self._watcher.start()

    async def run(self) -> None:
        """Renew what no keeper renews, and let go of what dead containers left, for ever."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                for lease in self._fence.leases():
                    if not lease.store.shared:
                        await self._lanes.in_thread(partial(self._fence.renew, lease))
                counted = [name for name, a in list(self._attachments.items()) if a.ids]
                sweeps = [asyncio.create_task(self._sweep(name)) for name in {*self._fence.held(), *counted}]
                if sweeps:
                    # One that hangs goes on beside the next round.
                    await asyncio.wait(sweeps, timeout=_RENEW_SECONDS)
            except Exception:
                log.exception("sweep failed")

    async def create(self, name: str, given: dict[str, str]) -> None:
        """Check and keep a volume. Touches neither the network nor a share."""
        options.check_volume_name(name)
        async with self._lanes.lock(name):
            await self._lanes.in_thread(lambda: self._create(name, given))

    async def remove(self, name: str) -> None:
        """Forget a volume. Its share keeps every byte."""
        async with self._lanes.lock(name):
            await self._lanes.in_thread(lambda: self._remove(self._volume(name)))

    async def mount(self, name: str, mount_id: str) -> str:
        """Mount for one more of the engine's IDs, or say who is in the way."""
        started = time.monotonic()
        while True:
            try:
                await self._lanes.bounded(name, started + _MOUNT_SECONDS, partial(self._mount, name, mount_id, started))
                break
            except Held as held:
                waited = time.monotonic() - started
                if held.wait and waited + held.wait < _MOUNT_SECONDS:
                    # Looked at again and again: a holder that comes back ends the waiting.
                    await asyncio.sleep(min(held.wait, _LOOK_SECONDS))
                elif held.passing and waited < fence.NAMING_SECONDS:
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    holders = ",".join(c.name for c in held.owner.containers)
                    facts = _facts(self._volume(name), started)
                    log.warning("mount refused", extra=facts | {"container": holders, "holder": held.owner.host})
                    raise
            except ShareSilent as error:
                # A container that restarts is not mounted again after an error: a share that was there
                # a moment ago is waited for.
                if time.monotonic() - self._contact.get(name, -_MOUNT_SECONDS) > _MOUNT_SECONDS:
                    raise self._failed(name, started, error) from error
                await asyncio.sleep(_LOOK_SECONDS)
            except ShareError as error:
                raise self._failed(name, started, error) from error
        log.info("mounted", extra=_facts(self._volume(name), started) | {"id": mount_id[:12]})
        return str(self._target(name))

    async def unmount(self, name: str, mount_id: str) -> None:
        """End one mount; with the last, unmount and give the folder back."""
        started = time.monotonic()
        async with self._lanes.lock(name):
            volume = self._volume(name)
            known = await self._lanes.in_thread(lambda: self._unmount(volume, mount_id))
        text = "unmounted" if known else "unmount of an ID not seen in this life"
        log.info(text, extra=_facts(volume, started) | {"id": mount_id[:12]})

    def path(self, name: str) -> str:
        """Where a volume is, or will be, mounted."""
        return str(self._target(self._volume(name).name))

    def get(self, name: str) -> dict[str, Any]:
        """One volume with its status, from memory."""
        volume = self._volume(name)
        return {
            "Name": name,
            "Mountpoint": str(self._target(name)),
            "CreatedAt": volume.created,
            "Status": status(volume, self._fence.lease(name), self._attachments.get(name), self._where.get(name)),
        }

    def list(self) -> list[dict[str, str]]:
        """Every volume, from memory."""
        return [
            {"Name": v.name, "Mountpoint": str(self._target(v.name)), "CreatedAt": v.created}
            for v in self._volumes.all()
        ]

    def _create(self, name: str, given: dict[str, str]) -> None:
        try:
            defaults = options.parse_defaults(self._settings.defaults)
        except OptionError as error:
            raise OptionError(f"the plugin's setting DEFAULTS is not usable: {error}") from error
        parsed = options.parse(name, given, defaults)
        protocols.find(self._protocols, name, parsed.protocol).prepare()
        existing = self._volumes.get(name)
        if existing is None:
            now = iso_time(int(time.time()))
            self._volumes.add(Volume(name, parsed, given, now))
            log.info("created", extra={"volume": name, "share": parsed.share})
        elif parsed != existing.options and given != existing.given:
            was, asked = existing.options.in_force(), parsed.in_force()
            differing = ", ".join(
                f"{k}={was.get(k, '(not set)')} (asked for: {asked.get(k, '(not set)')})"
                for k in sorted(was.keys() | asked.keys())
                if was.get(k) != asked.get(k)
            )
            raise OptionError(
                f'volume "{name}": it exists with other options: {differing}. Options of a volume '
                "never change; remove the volume first (its share keeps the data) or take "
                "another name"
            )

    def _remove(self, volume: Volume) -> None:
        attachment = self._attachment(volume.name)
        if attachment.ids and self._fence.alive(volume.name):
            lease = self._fence.lease(volume.name)
            holders = holder_names(lease.owner.containers) if lease else ""
            raise InUse(
                f'volume "{volume.name}": it is mounted for {holders or "a container"}; remove the container first'
            )
        attachment.clear()
        mounts.detach(self._target(volume.name))
        try:
            self._fence.forget(volume, self._protocol(volume).locks(volume))
        except ShareError as error:
            # A share that is gone for good must not keep its volumes; its record runs out by itself.
            log.warning("record left on the share", extra={"volume": volume.name, "error": error})
        self._volumes.remove(volume.name)
        self._attachments.pop(volume.name, None)
        log.info("removed", extra={"volume": volume.name, "share": volume.options.share})

    def _mount(self, name: str, mount_id: str, started: float) -> None:
        volume = self._volume(name)
        attachment = self._attachment(name)
        target = self._target(name)
        protocol = self._protocol(volume)
        store = protocol.locks(volume)
        try:
            kept = self._fence.claim(volume, store, rejoin=mount_id in attachment.ids)
        except ShareMissing:
            if volume.options.create is not True:
                raise
            protocol.create(volume)
            kept = self._fence.claim(volume, store, rejoin=mount_id in attachment.ids)
        if not kept:
            attachment.clear()
            mounts.detach(target)
        lease = self._fence.lease(name)
        self._keeper.keep(store)
        try:
            if not mounts.is_mounted(target):
                target.mkdir(mode=0o755, exist_ok=True)
                protocol.mount(volume, target)
                self._where[name] = protocol.where(volume)
            late = time.monotonic() - started
            if late > _MOUNT_SECONDS:
                raise ShareError(f"the mount took {late:.0f} s, so it was undone; try again")
            if lease is None or lease.lost:
                raise ShareError("the share stopped answering while it was mounted; try again")
            attachment.add(mount_id, time.time())
            self._contact[name] = time.monotonic()
        except BaseException:
            if attachment.ids:
                self._fence.unmounted(name, len(attachment.ids))
            else:
                mounts.detach(target)
                self._fence.release(name)
            raise

    def _unmount(self, volume: Volume, mount_id: str) -> bool:
        attachment = self._attachment(volume.name)
        known = attachment.remove(mount_id)
        if attachment.ids:
            self._fence.unmounted(volume.name, len(attachment.ids))
        else:
            self._let_go(volume.name)
        return known

    def _let_go(self, name: str) -> None:
        """Unmount and give the folder back; on a share that others reach nothing is written after that."""
        target = self._target(name)
        lease = self._fence.lease(name)
        if lease is not None and lease.lost:
            # Who stops its containers does that too.
            return
        if lease is not None and lease.store.shared and not mounts.settled(target, _FLUSH_SECONDS):
            log.warning("share does not take the last writes", extra={"volume": name})
            mounts.cut(target)
        mounts.detach(target)
        self._fence.release(name)
        self._contact[name] = time.monotonic()

    def _failed(self, name: str, started: float, error: ShareError) -> ShareError:
        log.warning("mount failed", extra=_facts(self._volume(name), started) | {"error": error})
        return ShareError(f'volume "{name}": {error}')

    def _stopped(self, lease: Lease) -> None:
        """A lost lease's containers are dead and its mount is gone."""
        self._attachment(lease.owner.volume).clear()
        self._fence.abandon(lease)

    def _refresh(self, volume: Volume) -> None:
        lease = self._fence.lease(volume.name)
        try:
            self._protocol(volume).refresh(volume, self._target(volume.name))
        except StaleKey as error:
            if lease is not None:
                self._keeper.give_up(lease, str(error), restart=True)

    async def _sweep(self, name: str) -> None:
        """Unmount what a dead container left: after a crash the engine may forget to."""

        def sweep() -> None:
            volume = self._volumes.get(name)
            if volume is None or (self._fence.lease(name) is None and not self._attachment(name).ids):
                return
            lease = self._fence.lease(name)
            if lease is not None and lease.lost:
                return
            if not self._fence.alive(name):
                self._attachment(name).clear()
                self._let_go(name)
                log.info("dead container's mount cleared", extra={"volume": name})
            elif self._fence.lease(name) is not None:
                self._refresh(volume)

        try:
            async with self._lanes.lock(name):
                await self._lanes.in_thread(sweep)
        except (PluginError, OSError) as error:
            log.warning("sweep failed", extra={"volume": name, "error": error})

    def _volume(self, name: str) -> Volume:
        volume = self._volumes.get(name)
        if volume is None:
            raise NoSuchVolume(name)
        return volume

    def _locks(self, name: str) -> LockStore:
        volume = self._volume(name)
        return self._protocol(volume).locks(volume)

    def _protocol(self, volume: Volume) -> protocols.ShareProtocol:
        return protocols.find(self._protocols, volume.name, volume.options.protocol)

    def _attachment(self, name: str) -> Attachment:
        if name not in self._attachments:
            self._attachments[name] = Attachment(self._attachment_path(name), self._boot)
        return self._attachments[name]

    def _attachment_path(self, name: str) -> Path:
        return self._attachment_folder / f"{name}.json"

    def _target(self, name: str) -> Path:
        return self._settings.mounts / name

    def _listening(self) -> bool:
        return self._watcher.listening()


def _facts(volume: Volume, started: float) -> dict[str, Any]:
    return {
        "volume": volume.name,
        "share": volume.options.share,
        "folder": volume.options.folder,
        "ms": round((time.monotonic() - started) * 1000),
    }
