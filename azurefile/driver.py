"""The calls of Docker's volume driver protocol, free of HTTP.

Each volume has a lock of its own and blocking work happens in threads, so that a share that hangs
costs only its own callers. List, Get and Path read memory and wait for nothing.
"""

import asyncio
import logging
import signal
import time
from functools import partial
from typing import Any

from azurefile import fence, identity, options, protocols, room
from azurefile.attachments import Attachments
from azurefile.caller import Caller
from azurefile.engine import Engine
from azurefile.errors import COMES_BACK, MountUnseen, NoSuchVolume, OptionError, ShareError, ShareSilent
from azurefile.fence import Fence
from azurefile.held import Held
from azurefile.holders import Holders
from azurefile.identity import Host
from azurefile.keeper import Keeper
from azurefile.lanes import Lanes
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.mounter import Mounter
from azurefile.owner import iso_time
from azurefile.restarter import Restarter
from azurefile.restorer import Restorer
from azurefile.settings import Settings
from azurefile.starter import Starter
from azurefile.stoppedmemory import StoppedMemory
from azurefile.stopper import Stopper
from azurefile.sweeper import Sweeper
from azurefile.volumes import Volume, VolumeStore
from azurefile.watcher import Watcher

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.02
_LOOK_SECONDS = 1.0
# The engine gives a Mount up after two minutes, or what the plugin was enabled with, and would never end one that
# succeeded later.
_MOUNT_SECONDS = 100.0
_HUNG_UP = (
    "the engine did not wait for it; let it wait longer: docker plugin disable -f PLUGIN, and then docker plugin "
    "enable --timeout 120 PLUGIN (that stops containers on exclusive SMB and NFS volumes, and starts them again)"
)


class Driver:
    """Volumes, their mounts and their fence."""

    def __init__(self, settings: Settings) -> None:
        """Read the state of the last life; `restore` must follow before anything is served."""
        state = settings.root / settings.state
        self._defaults = settings.defaults
        self._lanes = Lanes()
        self._volumes = VolumeStore(state / "volumes")
        self._attachments = Attachments(state / "mounts", settings.mounts)
        memory = LeaseMemory(state / "leases")
        engine = Engine(settings.engine)
        host = Host(settings.host, identity.host_id(state), settings.takeover)
        self._leases = Leases(settings.state, host, memory)
        leases = self._leases
        self._holders = holders = Holders(leases)
        self._watcher = Watcher(engine, leases.held, holders)
        stops = StoppedMemory(state / "stopped")
        restarter = Restarter(
            engine,
            lambda volume: leases.of(volume) is not None,
            lambda volume: self._mounter.chosen(volume),
            stops,
        )
        stopper = Stopper(engine, self._attachments.target, self._stopped, stops, restarter)
        self._keeper = Keeper(self._leases, settings.takeover, stopper.stop)
        self._protocols = protocols.available(settings.root, settings.takeover)
        self._mounter = Mounter(
            self._volumes,
            self._attachments,
            self._protocols,
            self._leases,
            holders,
            Fence(self._leases, engine.running, self._watcher.listening, self._volumes.all),
            self._keeper,
        )
        self._restorer = Restorer(
            self._volumes, self._attachments, leases, memory, self._mounter, self._keeper, restarter
        )
        self._sweeper = Sweeper(self._volumes, self._leases, self._mounter, self._lanes)
        self._starter = Starter(engine, self._volumes, self._lanes, self._mounter.usable)
        self._settling: asyncio.Future[None] | None = None

    def restore(self) -> None:
        """Take the locks of running containers back and clear what a killed plugin left.

        For those on shared shares a mount and its end wait a moment, a list does not.
        """
        self._restorer.restore()
        self._keeper.start()
        self._watcher.start()

    async def run(self) -> None:
        """What goes on beside the calls, for ever."""
        await self._settled()
        await asyncio.gather(self._starter.run(), self._sweeper.run())

    async def create(self, name: str, given: dict[str, str]) -> None:
        """Check and keep a volume. Touches neither the network nor a share."""
        options.check_volume_name(name)
        async with self._lanes.lock(name):
            await self._lanes.in_thread(lambda: self._create(name, given))

    async def remove(self, name: str) -> None:
        """Forget a volume. Its share keeps every byte."""
        await self._settled()
        async with self._lanes.lock(name):
            await self._lanes.in_thread(lambda: self._remove(self._volume(name)))

    async def mount(self, name: str, mount_id: str, caller: Caller | None = None) -> str:
        """Mount for one more of the engine's IDs, or say who is in the way; never for a caller that has hung up."""
        caller = caller or Caller()
        started = time.monotonic()
        deadline = started + _MOUNT_SECONDS
        said: ShareSilent | None = None
        await self._settled()
        tried = time.monotonic()
        while True:
            try:
                work = partial(self._mount, name, mount_id, caller)
                undo, late = partial(self._unmount, name, mount_id), partial(self._hanging, name)
                await self._lanes.bounded(name, deadline, caller.gone, work, undo, late)
                break
            except Held as held:
                waited = time.monotonic() - tried
                if held.wait and time.monotonic() + held.wait < deadline:
                    # Looked at again and again: a holder that comes back ends the waiting.
                    await caller.stays(min(held.wait, _LOOK_SECONDS))
                elif held.passing and waited < fence.NAMING_SECONDS:
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    if held.wait:
                        self._starter.missed(name)
                    holders = ",".join(c.name for c in held.owner.containers)
                    facts = _facts(self._volume(name), started)
                    log.warning("mount refused", extra=facts | {"container": holders, "holder": held.owner.host})
                    raise
            except ShareSilent as error:
                # A container that restarts is not mounted again after an error: a share that was there
                # a moment ago is waited for.
                contact = self._mounter.contact(name)
                if caller.gone.is_set():
                    raise self._failed(name, started, ShareSilent(_HUNG_UP)) from error
                if said is not None and time.monotonic() >= deadline:
                    # Cut short, it has heard less than the one before it.
                    raise self._failed(name, started, said) from error
                if contact is None or time.monotonic() + _LOOK_SECONDS > min(deadline, contact + _MOUNT_SECONDS):
                    raise self._failed(name, started, error) from error
                said = error
                await caller.stays(_LOOK_SECONDS)
            except MountUnseen as error:
                # The engine sets up anew where the mounts of the next life are seen.
                signal.raise_signal(signal.SIGTERM)
                raise self._failed(name, started, error) from error
            except ShareError as error:
                raise self._failed(name, started, error) from error
            except (OSError, RuntimeError) as error:
                # Such as a disk that fails, or a host without a descriptor or thread left: it may pass like an outage.
                log.exception("mount failed unforeseen", extra={"volume": name})
                told = ShareError(f"{type(error).__name__}: {error}; see the plugin's log")
                raise self._failed(name, started, told) from error
        if caller.gone.is_set():
            await self.unmount(name, mount_id)
            raise self._failed(name, started, ShareSilent(_HUNG_UP))
        # Who asked may have ended while it waited, and then starts nothing.
        self._holders.doubt(name, started)
        log.info("mounted", extra=_facts(self._volume(name), started) | {"id": mount_id[:12]})
        return self.path(name)

    async def unmount(self, name: str, mount_id: str) -> None:
        """End one mount; with the last, unmount and give the folder back."""
        started = time.monotonic()
        await self._settled()
        async with self._lanes.lock(name):
            volume = self._volume(name)
            before = self._containers(name)
            known = await self._lanes.in_thread(partial(self._mounter.unmount, volume, mount_id))
            after = self._containers(name)
        # An ID is no container's: those that are counted no more.
        gone = ",".join(before[container] for container in before if container not in after)
        text = "unmounted" if known else "unmount of an ID not seen in this life"
        log.info(text, extra=_facts(volume, started) | {"id": mount_id[:12], "container": gone})

    def path(self, name: str) -> str:
        """Where a volume is, or will be, mounted."""
        return str(self._attachments.target(self._volume(name).name))

    def get(self, name: str) -> dict[str, Any]:
        """One volume with its status, from memory."""
        volume = self._volume(name)
        return {
            "Name": name,
            "Mountpoint": self.path(name),
            "CreatedAt": volume.created,
            "Status": self._mounter.status(volume),
        }

    def list(self) -> list[dict[str, str]]:
        """Every volume, from memory."""
        # By none of the names, since one may be removed meanwhile.
        return [
            {"Name": v.name, "Mountpoint": str(self._attachments.target(v.name)), "CreatedAt": v.created}
            for v in self._volumes.all()
        ]

    async def _settled(self) -> None:
        """Wait a moment until the holds of the plugin's last life have their locks again."""
        if self._settling is None:
            self._settling = asyncio.ensure_future(self._settle())
        await asyncio.shield(self._settling)

    async def _settle(self) -> None:
        try:
            await self._lanes.in_thread(self._keeper.settle)
        except RuntimeError as error:
            # This host has no thread left: what has no lock yet may be in somebody's way for a moment.
            log.warning("locks are not waited for", extra={"error": error})

    def _create(self, name: str, given: dict[str, str]) -> None:
        parsed = options.parse(name, given, options.parse_defaults(self._defaults))
        self._mounter.way(name, parsed.protocol).prepare()
        existing = self._volumes.get(name)
        if existing is None:
            now = iso_time(int(time.time()))
            with room.needed(f'volume "{name}" can\'t be kept'):
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
        self._mounter.remove(volume)
        self._volumes.remove(volume.name)
        log.info("removed", extra={"volume": volume.name, "share": volume.options.share})

    def _mount(self, name: str, mount_id: str, caller: Caller) -> None:
        if caller.gone.is_set():
            raise ShareSilent(_HUNG_UP)
        self._mounter.mount(self._volume(name), mount_id, caller.process)

    def _unmount(self, name: str, mount_id: str) -> None:
        self._mounter.unmount(self._volume(name), mount_id)
        log.warning("a mount that came too late was undone", extra={"volume": name, "id": mount_id[:12]})

    def _hanging(self, name: str) -> ShareSilent:
        """What to say of work that has no end in sight; the share, or the name server before it, was to be asked."""
        given = self._volume(name).options
        share = f'share "{given.share}"'
        if given.protocol == options.LOCAL:
            return ShareSilent(f"{share}: the host's disk does not answer; check the one that the plugin's root is on")
        where = f'option "server" is "{given.server}"' if given.server else f'option "account" is "{given.account}"'
        if not given.server and not given.account:
            where = f'option "protocol" is "{given.protocol}"'
        return ShareSilent(f"{share}: {where}: the server does not answer; check it, and the network between")

    def _failed(self, name: str, started: float, error: ShareError) -> ShareError:
        log.warning("mount failed", extra=_facts(self._volume(name), started) | {"error": error})
        self._starter.missed(name)
        return type(error)(f'volume "{name}": {error}; once that is over, {COMES_BACK}')

    def _stopped(self, lease: Lease) -> None:
        """A lost lease's containers are dead and its mount is gone."""
        if self._leases.of(lease.owner.volume) is lease:
            # Else they are a later hold's.
            self._attachments.of(lease.owner.volume).clear()
        self._leases.drop(lease)

    def _containers(self, name: str) -> dict[str, str]:
        """By their ids, the names of the containers that a volume is held for."""
        lease = self._leases.of(name)
        return {c.id: c.name or c.id[:12] for c in lease.owner.containers} if lease is not None else {}

    def _volume(self, name: str) -> Volume:
        volume = self._volumes.get(name)
        if volume is None:
            raise NoSuchVolume(name)
        return volume


def _facts(volume: Volume, started: float) -> dict[str, Any]:
    return {
        "volume": volume.name,
        "share": volume.options.share,
        "folder": volume.options.folder,
        "ms": round((time.monotonic() - started) * 1000),
    }
