"""The plugin as a real engine runs it, and what dies there: a container, the plugin, its worker."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest

from tests.plugin.harness import eventually
from tests.plugin.managed import Docker, DockerError, ManagedPlugin, run_forever, timed

pytestmark = pytest.mark.engine

# Each container is killed four times: the engine doubles its pause after each.
KILLED_CONTAINERS = int(os.environ.get("PLUGIN_KILLED_CONTAINERS", "3"))
KILLS = 4


def kill_process(pid: int) -> None:
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def start_mydb(managed: ManagedPlugin, image: str, *more: str) -> None:
    """Start the holder of a volume, and wait until the plugin knows it."""
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run_forever(managed.docker, "ddtest-af-mydb", "ddtest-af-dbs", image, *more)
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])


def test_a_killed_container_comes_back_under_its_fence(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    names = [f"ddtest-af-db{number}" for number in range(KILLED_CONTAINERS)]
    for name in names:
        managed.create(name, share=name, exclusive="true")
        run_forever(docker, name, name, image, "--restart=always")
    for life in range(1, KILLS + 1):
        for name in names:
            kill_process(docker.pid(name))
        for name in names:

            def is_back(name: str = name, life: int = life) -> None:
                found = docker.inspect(name)
                assert found["RestartCount"] == life
                assert found["State"]["Running"]
                assert not found["State"]["Restarting"]
                assert found["State"]["Error"] == ""

            eventually(is_back)
    for name in names:
        with pytest.raises(DockerError, match=f'held by container "{name}"'):
            run_forever(docker, "ddtest-af-other", name, image)
        docker("rm", "-f", "ddtest-af-other")
        assert managed.status(name)["mounts"] == 1


def test_a_killed_plugin_comes_back_with_its_fence(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    start_mydb(managed, image, "--restart=always")
    for _ in range(3):
        pid = managed.pid
        kill_process(pid)
        with pytest.raises(DockerError, match='held by container "ddtest-af-mydb"'):
            run_forever(docker, "ddtest-af-mydb2", "ddtest-af-dbs", image)
        docker("rm", "-f", "ddtest-af-mydb2")
        assert managed.pid != pid
    docker("exec", "ddtest-af-mydb", "sh", "-c", "echo written > /data/file")
    assert (managed.root / "shares/dbs/file").read_text() == "written\n"
    kill_process(docker.pid("ddtest-af-mydb"))

    def is_back() -> None:
        assert docker.inspect("ddtest-af-mydb")["RestartCount"] == 1
        assert docker.pid("ddtest-af-mydb") > 0

    eventually(is_back)
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_killed_worker_is_followed_before_the_engine_notices(
    managed: ManagedPlugin, docker: Docker, image: str
) -> None:
    start_mydb(managed, image)
    plugin, seconds = managed.pid, []
    for number in range(5):
        kill_process(managed.worker)
        listed, listing = timed(docker, "volume", "ls", "-q")
        assert "ddtest-af-dbs" in listed
        seconds.append(listing)
        with pytest.raises(DockerError, match='held by container "ddtest-af-mydb"'):
            run_forever(docker, f"ddtest-af-mydb{number}", "ddtest-af-dbs", image)
    assert managed.pid == plugin
    # an engine that finds no socket pauses for a second each time, a busy machine may make some as slow
    assert min(seconds) < 1, seconds
    docker("exec", "ddtest-af-mydb", "sh", "-c", "echo written > /data/file")
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_container_that_dies_while_the_plugin_is_down_leaves_its_folder(
    managed: ManagedPlugin, docker: Docker, image: str
) -> None:
    start_mydb(managed, image)
    container = docker.pid("ddtest-af-mydb")
    kill_process(managed.pid)
    kill_process(container)
    run_forever(docker, "ddtest-af-mydb2", "ddtest-af-dbs", image)
    docker("rm", "-f", "ddtest-af-mydb", "ddtest-af-mydb2")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_container_that_crashes_while_the_plugin_is_away_comes_back(
    managed: ManagedPlugin, docker: Docker, image: str, exchanged: bool
) -> None:
    start_mydb(managed, image, "--restart=always")
    docker("plugin", "disable", "-f", managed.name)
    if exchanged:
        docker("plugin", "rm", "-f", managed.name)
    kill_process(docker.pid("ddtest-af-mydb"))

    def left_down() -> None:
        assert docker.inspect("ddtest-af-mydb")["State"]["Error"]

    def is_back() -> None:
        assert docker.pid("ddtest-af-mydb") > 0

    # an engine looks 15 s for a plugin that is gone
    eventually(left_down, 30)
    if exchanged:
        managed.install()
    else:
        managed.enable()
    eventually(is_back)
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_mount_under_way_when_the_plugin_dies_leaves_no_container_down(
    managed: ManagedPlugin, docker: Docker, image: str
) -> None:
    """The engine repeats it without its body, and gives it up after 15 s."""
    start_mydb(managed, image, "--restart=always")

    def is_restarting() -> None:
        # It is listed by what the engine noted last; an inspect would wait for the Mount.
        assert docker("ps", "-q", "--filter", "name=^ddtest-af-mydb$", "--filter", "status=restarting")

    def is_dead(pid: int) -> None:
        assert not Path(f"/proc/{pid}").exists()

    def is_left_down() -> None:
        assert 'VolumeDriver.Mount": EOF' in docker.inspect("ddtest-af-mydb")["State"]["Error"]

    def is_back() -> None:
        assert docker.pid("ddtest-af-mydb") > 0

    with (managed.root / "fence/dbs/.mutex").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        kill_process(docker.pid("ddtest-af-mydb"))
        eventually(is_restarting)
        # It mounts after a tenth of a second, of which nothing tells, and then waits 20 s for the mutex.
        time.sleep(5)
        plugin, worker = managed.pid, managed.worker
        kill_process(plugin)
        # its worker outlives it for a moment, and would mount
        eventually(lambda: is_dead(worker))
    eventually(is_left_down, 30)
    eventually(is_back)
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0
