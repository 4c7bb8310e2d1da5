"""Fixtures for every part of the tests: import them by name into a conftest.

The servers live as long as the session. A test takes a share of its own; one that stops a server, changes its key or
cuts its connections starts a server of its own, which takes less than half a second.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.machines import runtime, snapshot
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.machines.snapshot import Snapshot

EXPORT = "exported"


@pytest.fixture(scope="session")
def machine_snapshot() -> Snapshot:
    """A machine that has booted, with an engine and no images."""
    return snapshot.ensure(runtime.chosen())


@pytest.fixture
def machine(machine_snapshot: Snapshot) -> Iterator[Machine]:
    """One fresh machine."""
    with machine_snapshot.restore() as restored:
        yield restored


@pytest.fixture
def two_machines(machine_snapshot: Snapshot) -> Iterator[tuple[Machine, Machine]]:
    """Two fresh machines, restored side by side."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        first, second = (stack.enter_context(m) for m in pool.map(lambda _: machine_snapshot.restore(), range(2)))
        yield first, second


@pytest.fixture(scope="session")
def samba() -> Iterator[SambaServer]:
    """One storage account over SMB."""
    with SambaServer() as server:
        yield server


@pytest.fixture(scope="session")
def ganesha() -> Iterator[GaneshaServer]:
    """One NFS server; it exports EXPORT."""
    with GaneshaServer(EXPORT) as server:
        yield server


@pytest.fixture(scope="session")
def machine_plugin(tmp_path_factory: pytest.TempPathFactory) -> MachinePlugin:
    """The plugin as it is in this checkout, built once."""
    return MachinePlugin(tmp_path_factory.mktemp("plugin"), runtime.chosen())


@pytest.fixture
def restore_plugin(machine_plugin: MachinePlugin) -> Iterator[Callable[..., Machine]]:
    """Restores machines with the plugin and the demo's images: see `MachinePlugin.restore`."""
    with ExitStack() as stack:
        yield lambda *name, **settings: stack.enter_context(machine_plugin.restore(*name, **settings))


@pytest.fixture
def plugin_machine(restore_plugin: Callable[..., Machine]) -> Machine:
    """One fresh machine with the plugin enabled."""
    return restore_plugin()


@pytest.fixture
def two_plugin_machines(restore_plugin: Callable[..., Machine]) -> tuple[Machine, Machine]:
    """Two fresh machines with the plugin enabled."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: restore_plugin(), range(2))
    return first, second
