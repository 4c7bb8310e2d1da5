"""A share in memory with a clock of its own, and two hosts that claim its folders."""

import json
from pathlib import Path
from typing import Any

from azurefile import options
from azurefile.errors import ShareSilent
from azurefile.fence import Fence
from azurefile.held import Held
from azurefile.holders import Holders
from azurefile.identity import Host
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from azurefile.leases import Leases
from azurefile.protocols.local import Local
from azurefile.sharedstore import SharedStore
from azurefile.store import LockStore
from azurefile.volumes import Volume

TAKEOVER = 60.0
MOUNT_SECONDS = 100


class World:
    """One clock for all; the share's is `ahead`; `share_down` makes every call to the share fail; it has `room`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.ahead = 0.0
        self.share_down = False
        self.room: int | None = 1 << 30


class MemoryLock:
    """Held until it is closed or the connection behind it ends."""

    def __init__(self, folder: "MemoryFolder", name: str) -> None:
        self._folder = folder
        self._name = name

    def close(self) -> None:
        if self._folder.locks.get(self._name) is self:
            del self._folder.locks[self._name]

    def confirm(self) -> bool:
        self._folder.ask()
        return self._folder.locks.get(self._name) is self

    def room(self) -> int | None:
        self._folder.ask()
        return self._folder.world.room


class MemoryFolder:
    """A `SharedFolder` whose files and locks are in this process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[str, tuple[bytes, float]] = {}
        self.locks: dict[str, MemoryLock] = {}
        self.ended: list[str] = []
        self.asked: list[str] = []

    def names(self) -> list[str]:
        self.ask()
        return list(self.files)

    def read(self, name: str) -> tuple[bytes, float] | None:
        self.ask()
        self.asked.append(name)
        return self.files.get(name)

    def write(self, name: str, data: bytes) -> float:
        self.ask()
        written = self.world.now + self.world.ahead
        self.files[name] = (data, written)
        return written

    def remove(self, name: str) -> None:
        self.ask()
        self.files.pop(name, None)

    def end_session(self, session: str) -> None:
        self.ask()
        self.ended.append(session)

    def lock(self, name: str) -> MemoryLock | None:
        self.ask()
        if name in self.locks:
            return None
        self.locks[name] = MemoryLock(self, name)
        return self.locks[name]

    def close(self) -> None:
        """Nothing is open."""

    def ask(self) -> None:
        if self.world.share_down:
            raise ShareSilent("the share does not answer")


class Machine:
    """A host's fence, and the volumes that it claims on the one share."""

    def __init__(
        self,
        world: World,
        folder: MemoryFolder,
        name: str,
        identity: str | None = None,
        takeover: float = TAKEOVER,
        memory: LeaseMemory | None = None,
        share: str = "dbs",
    ) -> None:
        self.world = world
        self.store = SharedStore(folder, share, clock=lambda: world.now)
        host = Host(name, identity or f"id-{name}", takeover)
        self.leases = Leases("azurefile", host, memory or Forgetful(), clock=lambda: world.now)
        self.holders = Holders(self.leases)
        self.volumes: dict[str, Volume] = {}
        self.fence = Fence(
            self.leases,
            lambda _: False,
            lambda: False,
            lambda: list(self.volumes.values()),
            clock=lambda: world.now,
        )

    def claim(self, name: str = "dbs", **given: str) -> Lease:
        self.volumes[name] = volume(name, **given)
        self.fence.claim(self.volumes[name], self.store, rejoin=False)
        lease = self.leases.of(name)
        assert lease is not None
        return lease

    def mount(self, name: str = "dbs", **given: str) -> Lease:
        """Claim as a Mount does: as long as there is something to wait for, each second."""
        while True:
            try:
                return self.claim(name, **given)
            except Held as held:
                if not 0 < held.wait < MOUNT_SECONDS:
                    raise
            self.world.now += 1


class Forgetful(LeaseMemory):
    """Of a plugin that has no next life."""

    def __init__(self) -> None:
        pass

    def save(self, lease: Lease) -> None:
        pass

    def forget(self, volume: str) -> None:
        pass


class OnShare(Local):
    """Folders of the host whose fence other hosts reach too."""

    def __init__(self, root: Path, store: SharedStore) -> None:
        super().__init__(root)
        self.store = store
        self.accounts: list[str] = []
        self._folder = store._folder

    def locks(self, volume: Volume, account: str) -> Any:
        self.accounts.append(account)
        return self.store

    def forget(self, store: LockStore) -> None:
        self.store = SharedStore(self._folder, "dbs", store.account)


def volume(name: str, **given: str) -> Volume:
    texts = {"share": "dbs", "exclusive": "true", "protocol": "smb", **given}
    return Volume(name, options.parse(name, texts, {}), texts, "")


def reboot(folder: MemoryFolder) -> None:
    """The records of this boot become those of an earlier one, and connections end."""
    folder.locks.clear()
    for name, (data, written) in folder.files.items():
        if name.endswith(".json"):
            folder.files[name] = (json.dumps(json.loads(data) | {"boot": "earlier"}).encode(), written)
