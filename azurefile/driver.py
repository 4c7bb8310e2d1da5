"""The calls of Docker's volume driver protocol, free of HTTP.

Each volume has a lock of its own and blocking work happens in threads, so that a share that hangs
costs only its own callers. List, Get and Path read memory and wait for nothing.
"""

import asyncio
import dataclasses
import logging
import time
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from azurefile import fence, liveness, mounts, options, protocols
from azurefile.engine import Engine, Watcher
from azurefile.errors import InUse, NoSuchVolume, OptionError
from azurefile.fence import Fence, Held
from azurefile.mounts import Attachment
from azurefile.volumes import Volume, VolumeStore

log = logging.getLogger(__name__)

T = TypeVar("T")

_RENEW_SECONDS = 20.0
_RETRY_SECONDS = 0.02
# One thread for each volume that waits for its share; idle threads are reused.
_THREADS = 256


@dataclass(frozen=True)
class Settings:
    """Where the plugin's world is; the tests have theirs elsewhere."""

    root: Path
    mounts: Path
    engine: str
    state: str
    host: str
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
        self._protocols = protocols.available(settings.root)
        engine = Engine(settings.engine)
        self._fence = Fence(settings.state, settings.host, engine.running, self._listening)
        self._watcher = Watcher(engine, self._fence.held, self._fence.identify, self._fence.engine_reconnected)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._pool = ThreadPoolExecutor(_THREADS, "volume")

    def restore(self) -> None:
        """Take the locks of running containers back and clear what a killed plugin left."""
        for volume in self._volumes.all():
            attachment = Attachment.load(self._attachment_path(volume.name), self._boot)
            self._attachments[volume.name] = attachment
            try:
                protocol = self._protocol(volume)
                held = self._fence.restore(volume, protocol.locks(volume), len(attachment.ids))
                if not held:
                    attachment.clear()
                    mounts.detach(self._target(volume.name))
            except Exception:
                # One bad volume must not keep the others from coming back.
                log.exception("volume not restored", extra={"volume": volume.name})
        for entry in self._settings.mounts.iterdir():
            if self._volumes.get(entry.name) is None:
                mounts.detach(entry)
        self._watcher.start()

    async def run(self) -> None:
        """Renew the owner records and let go of what dead containers left, for ever."""
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                await self._in_thread(self._fence.renew)
                counted = [name for name, a in list(self._attachments.items()) if a.ids]
                for name in {*self._fence.held(), *counted}:
                    await self._sweep(name)
            except Exception:
                log.exception("sweep failed")

    async def create(self, name: str, given: dict[str, str]) -> None:
        """Check and keep a volume. Touches neither the network nor a share."""
        options.check_volume_name(name)
        async with self._lock(name):
            await self._in_thread(lambda: self._create(name, given))

    async def remove(self, name: str) -> None:
        """Forget a volume. Its share keeps every byte."""
        async with self._lock(name):
            await self._in_thread(lambda: self._remove(self._volume(name)))

    async def mount(self, name: str, mount_id: str) -> str:
        """Mount for one more of the engine's IDs, or say who is in the way."""
        deadline = time.monotonic() + fence.NAMING_SECONDS
        started = time.monotonic()
        while True:
            try:
                # Released between tries: the Unmount that makes way may be of this very volume.
                async with self._lock(name):
                    volume = self._volume(name)
                    await self._in_thread(partial(self._mount, volume, mount_id))
                break
            except Held as held:
                if not held.passing or time.monotonic() > deadline:
                    log.warning(
                        "mount refused",
                        extra=_facts(volume, started) | {"container": ",".join(c.name for c in held.owner.containers)},
                    )
                    raise
                await asyncio.sleep(_RETRY_SECONDS)
        log.info("mounted", extra=_facts(volume, started) | {"id": mount_id[:12]})
        return str(self._target(name))

    async def unmount(self, name: str, mount_id: str) -> None:
        """End one mount; with the last, unmount and give the folder back."""
        started = time.monotonic()
        async with self._lock(name):
            volume = self._volume(name)
            known = await self._in_thread(lambda: self._unmount(volume, mount_id))
        text = "unmounted" if known else "unmount of an ID not seen in this life"
        log.info(text, extra=_facts(volume, started) | {"id": mount_id[:12]})

    def path(self, name: str) -> str:
        """Where a volume is, or will be, mounted."""
        return str(self._target(self._volume(name).name))

    def get(self, name: str) -> dict[str, Any]:
        """One volume with its status, from memory."""
        volume = self._volume(name)
        attachment = self._attachments.get(name)
        lease = self._fence.lease(name)
        status: dict[str, Any] = {
            "protocol": volume.options.protocol,
            "share": volume.options.share,
            "folder": volume.options.folder,
            "options": volume.options.in_force(),
        }
        if lease is not None and attachment is not None and attachment.ids:
            status["mountedSince"] = fence.iso_time(lease.owner.since)
            status["mounts"] = sum(list(attachment.ids.values()))
            status["holders"] = [
                {k: v for k, v in dataclasses.asdict(c).items() if v and k != "ticks"}
                for c in list(lease.owner.containers)
            ]
        return {
            "Name": name,
            "Mountpoint": str(self._target(name)),
            "CreatedAt": volume.created,
            "Status": status,
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
        protocols.find(self._protocols, name, parsed.protocol)
        existing = self._volumes.get(name)
        if existing is None:
            now = fence.iso_time(int(time.time()))
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
            holders = fence.holder_names(lease.owner.containers) if lease else ""
            raise InUse(
                f'volume "{volume.name}": it is mounted for {holders or "a container"}; remove the container first'
            )
        attachment.clear()
        mounts.detach(self._target(volume.name))
        self._fence.forget(volume, self._protocol(volume).locks(volume))
        self._volumes.remove(volume.name)
        self._attachments.pop(volume.name, None)
        log.info("removed", extra={"volume": volume.name, "share": volume.options.share})

    def _mount(self, volume: Volume, mount_id: str) -> None:
        attachment = self._attachment(volume.name)
        target = self._target(volume.name)
        protocol = self._protocol(volume)
        rejoin = mount_id in attachment.ids
        if not self._fence.claim(volume, protocol.locks(volume), rejoin=rejoin):
            attachment.clear()
            mounts.detach(target)
        try:
            if not mounts.is_mounted(target):
                target.mkdir(mode=0o755, exist_ok=True)
                protocol.mount(volume, target)
            attachment.add(mount_id, time.time())
        except BaseException:
            if attachment.ids:
                self._fence.unmounted(volume.name, len(attachment.ids))
            else:
                mounts.detach(target)
                self._fence.release(volume.name)
            raise

    def _unmount(self, volume: Volume, mount_id: str) -> bool:
        attachment = self._attachment(volume.name)
        known = attachment.remove(mount_id)
        if attachment.ids:
            self._fence.unmounted(volume.name, len(attachment.ids))
        else:
            mounts.detach(self._target(volume.name))
            self._fence.release(volume.name)
        return known

    async def _sweep(self, name: str) -> None:
        """Unmount what a dead container left: after a crash the engine may forget to."""

        def sweep() -> None:
            if self._volumes.get(name) is not None and not self._fence.alive(name):
                self._attachment(name).clear()
                mounts.detach(self._target(name))
                self._fence.release(name)
                log.info("dead container's mount cleared", extra={"volume": name})

        async with self._lock(name):
            await self._in_thread(sweep)

    def _volume(self, name: str) -> Volume:
        volume = self._volumes.get(name)
        if volume is None:
            raise NoSuchVolume(name)
        return volume

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

    @asynccontextmanager
    async def _lock(self, name: str) -> AsyncIterator[None]:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        async with lock:
            yield

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


def _facts(volume: Volume, started: float) -> dict[str, Any]:
    return {
        "volume": volume.name,
        "share": volume.options.share,
        "folder": volume.options.folder,
        "ms": round((time.monotonic() - started) * 1000),
    }
