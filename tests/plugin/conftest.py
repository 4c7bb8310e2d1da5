"""Fixtures of the plugin's tests: processes, folders and a stand-in engine that clean up."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from azurefile import restarter, starter
from tests.machines import runtime
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.fake_engine import FakeEngine
from tests.plugin.harness import PluginProcess
from tests.plugin.lost_hold import LostHold
from tests.plugin.managed import Docker, ManagedPlugin, base_image, build_archive
from tests.plugin.outage import Outage
from tests.plugin.shared import Machine, MemoryFolder, World


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """`tmp_path` on no disk, which others may keep busy for longer than what is timed takes."""
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.fixture
def start_plugin(tmp_path: Path) -> Iterator[Callable[..., PluginProcess]]:
    """Start plugin processes; each gets a folder named after its state."""
    with ExitStack() as started:

        def start(state: str = "azurefile", **options: object) -> PluginProcess:
            process = PluginProcess(tmp_path / state, state=state, **options)  # type: ignore[arg-type]
            started.callback(process.close)
            return process.start()

        yield start


@pytest.fixture
def plugin(start_plugin: Callable[..., PluginProcess]) -> PluginProcess:
    """One plugin without an engine: nobody has a name, and every holder in this life lives."""
    return start_plugin()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(tmp_path / "engine.sock")
    yield fake
    fake.close()


@pytest.fixture
def watched(start_plugin: Callable[..., PluginProcess], engine: FakeEngine) -> PluginProcess:
    """One plugin that listens to the stand-in engine."""
    process = start_plugin(engine=engine.path)
    engine.wait_for_listener()
    return process


@pytest.fixture
def start_patient(start_plugin: Callable[..., PluginProcess], engine: FakeEngine) -> Callable[..., PluginProcess]:
    """Start the same with more time for what a busy machine does late: constants of the fence."""

    def start(**seconds: float) -> PluginProcess:
        environment = {"FENCE_SECONDS": json.dumps(seconds)}
        process = start_plugin(engine=engine.path, module="tests.plugin.patient", environment=environment)
        engine.wait_for_listener()
        return process

    return start


@pytest.fixture
def end_engine(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """End the stand-in engine for who listens to it; the next one is asked, and does not answer yet."""
    asked, answer = threading.Event(), engine._answer

    def answered(request: BaseHTTPRequestHandler) -> None:
        if request.path.startswith("/events"):
            asked.set()
        answer(request)

    def end() -> None:
        engine.silent = True
        monkeypatch.setattr(engine, "_answer", answered)
        engine.drop()
        # who asks again has seen that the one before has ended
        assert asked.wait(30)

    return end


@pytest.fixture(scope="session")
def machine_plugin(tmp_path_factory: pytest.TempPathFactory) -> MachinePlugin:
    """The plugin of this tree, to be installed in machines."""
    return MachinePlugin(tmp_path_factory.mktemp("plugin"), runtime.chosen())


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaServer]:
    with SambaServer() as server:
        server.add_share("dbs")
        yield server


@pytest.fixture(scope="session")
def docker() -> Docker:
    """The machine's own engine."""
    return Docker()


@pytest.fixture(scope="session")
def image(docker: Docker) -> str:
    return base_image(docker)


@pytest.fixture(scope="session")
def installed(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedPlugin]:
    folder = tmp_path_factory.mktemp("managed")
    plugin = ManagedPlugin(docker, f"ddtest-azurefile-{os.getpid()}", folder / "root", build_archive(docker, folder))
    try:
        plugin.install()
        yield plugin
    finally:
        plugin.remove()


@pytest.fixture
def managed(installed: ManagedPlugin, docker: Docker) -> Iterator[ManagedPlugin]:
    """The plugin, without containers or volumes of the test before."""
    yield installed
    for container in docker("ps", "-aq", "--filter", "name=^ddtest-af-").split():
        docker.quietly("rm", "-f", container)
    for volume in docker("volume", "ls", "-q", "--filter", "name=^ddtest-af-").split():
        docker("volume", "rm", volume)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def folder(world: World) -> MemoryFolder:
    return MemoryFolder(world)


@pytest.fixture
def one(world: World, folder: MemoryFolder) -> Machine:
    return Machine(world, folder, "one")


@pytest.fixture
def two(world: World, folder: MemoryFolder) -> Machine:
    return Machine(world, folder, "two")


@pytest.fixture
def outage(
    tmp_path: Path, engine: FakeEngine, world: World, folder: MemoryFolder, monkeypatch: pytest.MonkeyPatch
) -> Outage:
    monkeypatch.setattr(starter, "_PERIOD_SECONDS", 0.1)
    return Outage(tmp_path, engine, world, folder)


@pytest.fixture
def hold(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LostHold]:
    monkeypatch.setattr(restarter, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(restarter, "_RESTART_SECONDS", 0.05)
    (tmp_path / "dbs").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", tmp_path / "dbs"], check=True)
    yield LostHold(engine, tmp_path)
    subprocess.run(["umount", tmp_path / "dbs"], check=False, capture_output=True)
