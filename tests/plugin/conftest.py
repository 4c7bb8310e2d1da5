"""Fixtures of the plugin's tests: processes, folders and a stand-in engine that clean up."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import starter
from tests.machines.plugin import MachinePlugin
from tests.plugin.fake_engine import FakeEngine
from tests.plugin.harness import PluginProcess
from tests.plugin.outage import Outage
from tests.plugin.shared import Machine, MemoryFolder, World

MARKS = {
    "root": "needs root, since it makes real mounts",
    "engine": "needs a Docker engine",
    "exclusive_engine": "starts a Docker engine of its own in namespaces of its own",
    "machines": "starts machines under QEMU, which needs root and a Docker engine to build their images",
}


def pytest_configure(config: pytest.Config) -> None:
    for mark, reason in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {reason}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    engine = bool(shutil.which("docker")) and _succeeds("docker", "info")
    dockerd = os.geteuid() == 0 and bool(shutil.which("dockerd"))
    root = os.geteuid() == 0
    possible = {"root": root, "engine": engine, "exclusive_engine": dockerd, "machines": root and engine}
    for item in items:
        for mark, reason in MARKS.items():
            if item.get_closest_marker(mark) and not possible[mark]:
                item.add_marker(pytest.mark.skip(reason=reason))


def _succeeds(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0


@pytest.fixture
def start_plugin(tmp_path: Path) -> Iterator[Callable[..., PluginProcess]]:
    """Start plugin processes; each gets a folder named after its state."""
    started: list[PluginProcess] = []

    def start(state: str = "azurefile", **options: object) -> PluginProcess:
        process = PluginProcess(tmp_path / state, state=state, **options)  # type: ignore[arg-type]
        started.append(process)
        return process.start()

    yield start
    for process in started:
        process.close()


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


@pytest.fixture(scope="session")
def machine_plugin(tmp_path_factory: pytest.TempPathFactory) -> MachinePlugin:
    """The plugin of this tree, to be installed in machines."""
    return MachinePlugin(tmp_path_factory.mktemp("plugin"))


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
