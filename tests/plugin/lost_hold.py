"""A hold on a share that is lost, and what its plugin does about it."""

import json
import threading
from pathlib import Path

import pytest

from azurefile import liveness
from azurefile.engine import Engine
from azurefile.errors import ShareError
from azurefile.lease import Lease
from azurefile.owner import Container
from azurefile.restarter import Restarter
from azurefile.sharedstore import SharedStore
from azurefile.stoppedmemory import Stopped, StoppedMemory
from azurefile.stopper import Stopper
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.shared import Machine, MemoryFolder, World


class LostHold:
    """One host whose lease on volume `dbs` can be lost."""

    def __init__(self, engine: FakeEngine, mounts: Path) -> None:
        self.world = World()
        self.folder = MemoryFolder(self.world)
        self.engine = engine
        self.one = Machine(self.world, self.folder, "one")
        self.lease = self.one.claim()
        self.mounts = mounts
        self.forgotten: list[Lease] = []
        self.memory = StoppedMemory(mounts / "stopped")
        self.chosen: SharedStore | ShareError | None = None
        """Another store of the share than the hold's, if it has one by now, or why it can't be had."""
        self.copied = False
        """Whether something else has the folder, as `docker cp` has it for a moment."""

    def run(self, name: str, restart: str = "unless-stopped") -> FakeContainer:
        container = FakeContainer(name, "dbs", restart=restart)
        self.engine.containers.append(container)
        return container

    def lose(self, reason: str = "no renewal for 30 s") -> threading.Thread:
        self.lease.lost = reason

        thread = threading.Thread(target=self.plugin().stop, args=(self.lease,), daemon=True)
        thread.start()
        return thread

    def lose_with_the_share(self) -> threading.Thread:
        """Until what had the hold was stopped; the thread waits for the share then."""
        self.world.share_down = True
        thread = self.lose()
        eventually(lambda: assert_forgotten(self))
        return thread

    def taken_by_two(self) -> None:
        """Another host has taken the folder."""
        mark = json.dumps({"lease": self.lease.owner.lease, "by": "two"}).encode()
        self.folder.files[f"{self.lease.owner.key}.taken"] = (mark, self.world.now)

    def plugin(self) -> Stopper:
        """The stopper of one of the plugin's lives."""

        def forget(lease: Lease) -> None:
            self.forgotten.append(lease)
            self.one.leases.drop(lease)

        engine = Engine(str(self.engine.path))
        return Stopper(engine, lambda name: self.mounts / name, forget, self.memory, self.restarter())

    def restarter(self) -> Restarter:
        """What starts again what one of its lives stopped."""

        def held(volume: str) -> bool:
            return self.copied or self.one.leases.of(volume) is not None

        def chosen(_: str) -> SharedStore | None:
            if isinstance(self.chosen, ShareError):
                raise self.chosen
            return self.chosen

        return Restarter(Engine(str(self.engine.path)), held, chosen, self.memory)

    def die_in_the_kill(self, lease: Lease, container: FakeContainer, monkeypatch: pytest.MonkeyPatch) -> None:
        """A lease is lost, and the plugin ends when it has killed who has it, and forgotten nothing."""
        lease.owner.containers = [known(container)]
        lease.lost = "no renewal for 30 s"

        def kill_and_die(*_: object) -> None:
            container.kill()
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr(Stopper, "_kill", kill_and_die)
            with pytest.raises(SystemExit):
                self.plugin().stop(lease)

    def stop_and_die(self, monkeypatch: pytest.MonkeyPatch) -> Stopped:
        """The plugin stops what runs and ends while it waits for the share; returns what its next life finds."""
        self.world.share_down = True
        with monkeypatch.context() as patch:
            patch.setattr(Restarter, "_start_again", lambda *_: None)
            self.lose().join(60)
        stopped = self.restarter().interrupted("dbs")
        assert stopped is not None
        return stopped


def known(container: FakeContainer) -> Container:
    pid = container.process.pid
    return Container(container.id, container.name, pid=pid, ticks=liveness.start_ticks(pid))


def assert_settled(hold: LostHold) -> None:
    assert hold.memory.load("dbs") is None


def assert_tried(hold: LostHold) -> None:
    assert hold.engine.failing < 10_000


def assert_forgotten(hold: LostHold) -> None:
    assert hold.forgotten == [hold.lease]
