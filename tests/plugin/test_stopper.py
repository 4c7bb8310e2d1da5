"""What happens to the containers of a lost lease."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import liveness, stopper
from azurefile.engine import Engine
from azurefile.lease import Lease
from azurefile.owner import Container
from azurefile.stopper import Stopper
from tests.plugin.harness import FakeContainer, FakeEngine, eventually
from tests.plugin.shared import Machine, MemoryFolder, World

pytestmark = pytest.mark.root


class Site:
    """One host whose lease on volume `dbs` can be lost."""

    def __init__(self, engine: FakeEngine, mounts: Path) -> None:
        self.world = World()
        self.folder = MemoryFolder(self.world)
        self.engine = engine
        self.one = Machine(self.world, self.folder, "one")
        self.lease = self.one.claim()
        self.mounts = mounts
        self.forgotten: list[Lease] = []

    def run(self, name: str, restart: str = "unless-stopped") -> FakeContainer:
        container = FakeContainer(name, "dbs", restart=restart)
        self.engine.containers.append(container)
        return container

    def lose(self, reason: str = "no renewal for 30 s") -> threading.Thread:
        self.lease.lost = reason

        def forget(lease: Lease) -> None:
            self.forgotten.append(lease)
            self.one.fence.abandon(lease)

        thread = threading.Thread(target=self.stopper(forget).stop, args=(self.lease,))
        thread.start()
        return thread

    def stopper(self, forget: Callable[[Lease], None]) -> Stopper:
        return Stopper(Engine(str(self.engine.path)), lambda name: self.mounts / name, forget, self.mounts / "notes")


@pytest.fixture
def site(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(stopper, "_RETRY_SECONDS", 0.05)
    (tmp_path / "dbs").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", tmp_path / "dbs"], check=True)
    yield Site(engine, tmp_path)
    subprocess.run(["umount", tmp_path / "dbs"], check=False, capture_output=True)


def test_containers_are_killed_and_the_mount_is_gone_before_the_lease_is(site: Site) -> None:
    mydb = site.run("mydb", restart="no")
    site.lose().join(10)
    assert mydb.process.poll() is not None
    assert not (site.mounts / "dbs").exists()
    assert site.forgotten == [site.lease]
    assert site.engine.started == []


def test_a_process_is_killed_although_the_engine_does_not_answer(site: Site) -> None:
    mydb = FakeContainer("mydb", "dbs")
    site.engine.silent = True
    site.lease.owner.containers = [_known(mydb)]
    thread = site.lose()
    eventually(lambda: _assert_dead(mydb), 15)
    site.engine.silent = False
    thread.join(20)
    assert site.forgotten == [site.lease]


def test_a_container_comes_back_with_the_share(site: Site) -> None:
    site.run("mydb")
    site.run("once", restart="no")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    assert site.engine.started == []
    site.world.share_down = False
    thread.join(10)
    assert site.engine.started == ["mydb"]


def test_nobody_waits_for_a_share_whose_containers_were_removed(site: Site) -> None:
    mydb = site.run("mydb")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    assert thread.is_alive()
    site.engine.containers.remove(mydb)
    thread.join(10)
    assert not thread.is_alive()


def test_the_plugins_next_life_starts_what_the_last_one_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.run("mydb")
    with monkeypatch.context() as ended:
        ended.setattr(Stopper, "_start_again", lambda *_: None)
        site.lose().join(10)
    assert site.engine.started == []
    site.stopper(site.forgotten.append).resume(lambda volume: site.one.store)
    eventually(lambda: _assert_started(site, "mydb"), 10)
    eventually(lambda: _assert_empty(site.mounts / "notes"))


def test_it_stays_down_if_another_host_took_the_folder(site: Site) -> None:
    site.run("mydb")
    site.world.share_down = True
    thread = site.lose()
    eventually(lambda: _assert_forgotten(site))
    mark = json.dumps({"lease": site.lease.owner.lease, "by": "two"}).encode()
    site.folder.files[f"{site.lease.owner.key}.taken"] = (mark, site.world.now)
    site.world.share_down = False
    thread.join(10)
    assert site.engine.started == []


def test_a_holder_that_finds_itself_evicted_is_not_started_again(site: Site) -> None:
    site.run("mydb")
    site.lease.taken = True
    site.lose("taken over by two").join(10)
    assert site.engine.started == []


def _known(container: FakeContainer) -> Container:
    pid = container.process.pid
    return Container(container.id, container.name, pid=pid, ticks=liveness.start_ticks(pid))


def _assert_dead(container: FakeContainer) -> None:
    assert container.process.poll() is not None


def _assert_forgotten(site: Site) -> None:
    assert site.forgotten == [site.lease]


def _assert_started(site: Site, name: str) -> None:
    assert site.engine.started == [name]


def _assert_empty(folder: Path) -> None:
    assert not list(folder.iterdir())
