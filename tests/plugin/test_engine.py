"""The plugin as people get it: a managed plugin of a real engine, driven by docker commands."""

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.plugin.harness import eventually, open_descriptors, resident_kilobytes
from tests.plugin.managed import Docker, DockerError, ManagedPlugin, base_image, build_archive

pytestmark = pytest.mark.engine

# Each container is killed four times: the engine doubles its pause after each.
KILLED_CONTAINERS = int(os.environ.get("PLUGIN_KILLED_CONTAINERS", "3"))
KILLS = 4
FOREVER = ("sh", "-c", "while :; do sleep 1; done")


@pytest.fixture(scope="module")
def docker() -> Docker:
    return Docker()


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def image(docker: Docker) -> str:
    return base_image(docker)


def run(docker: Docker, name: str, volume: str, image: str, *more: str) -> str:
    return docker(
        "run", "-d", "--network=none", "--stop-timeout=1", "--name", name, "-v", f"{volume}:/data",
        *more, image, *FOREVER,
    )  # fmt: skip


def timed(docker: Docker, *command: str) -> tuple[str, float]:
    """What a command prints, and its seconds."""
    started = time.monotonic()
    return docker(*command), time.monotonic() - started


def kill_process(pid: int) -> None:
    assert pid > 1
    os.kill(pid, signal.SIGKILL)


def test_the_talks_commands_work(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    logs = "ddtest-af-logs"
    docker("volume", "create", "--name", logs, "-d", managed.name, "-o", f"share={logs}")
    for number in range(3):
        docker(
            "run", "--rm", "--name", f"ddtest-af-docker{number}", "-v", f"{logs}:/logs", image,
            "sh", "-c", f"echo docker{number} >> /logs/testfile",
        )  # fmt: skip
    expected = "docker0\ndocker1\ndocker2\n"
    assert (managed.root / "shares" / logs / "testfile").read_text() == expected
    assert logs in docker("volume", "ls", "-q")
    docker("volume", "rm", logs)
    assert (managed.root / "shares" / logs / "testfile").read_text() == expected


def test_enabling_is_quick(managed: ManagedPlugin, docker: Docker) -> None:
    """The engine tries after 0.5 s and then after 3.5 s: before the second is the best there is."""
    for _ in range(3):
        if managed.enable_seconds < 3.5:
            return
        # on a busy machine it may miss the first
        docker("plugin", "disable", "-f", managed.name)
        managed.enable()
    assert managed.enable_seconds < 3.5


def test_the_second_server_is_refused_with_the_holders_name(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    managed.create("ddtest-af-again", share="dbs")
    started = time.monotonic()
    run(
        docker, "ddtest-af-mydb", "ddtest-af-dbs", image,
        "--label=io.datadocker.database=mydb", "--label=io.datadocker.stack=dev",
    )  # fmt: skip
    granted = time.monotonic() - started
    for volume in ("ddtest-af-dbs", "ddtest-af-again"):
        started = time.monotonic()
        with pytest.raises(DockerError) as caught:
            run(docker, "ddtest-af-mydb2", volume, image)
        # a refusal that waited for a start would take ten seconds more
        assert time.monotonic() - started < granted + 5
        assert 'held by container "ddtest-af-mydb" (database mydb, stack dev' in str(caught.value)
        docker("rm", "-f", "ddtest-af-mydb2")
    docker("rm", "-f", "ddtest-af-mydb")
    run(docker, "ddtest-af-mydb2", "ddtest-af-again", image)


def test_a_share_that_hangs_delays_no_list(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    # A plugin that answers has made its folders.
    managed.create("ddtest-af-good", share="good")
    key = managed.root / "credentials/ddtest"
    key.touch(mode=0o600)
    key.write_text("key=secret\n")
    lists, others = [], []
    # it takes connections, and says nothing
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(2) as pool:
        port = str(server.getsockname()[1])
        share = {"share": "dbs", "protocol": "smb", "server": "127.0.0.1", "port": port, "account": "ddtest"}
        managed.create("ddtest-af-hangs", **share)
        hanging = pool.submit(run, docker, "ddtest-af-waits", "ddtest-af-hangs", image)
        server.settimeout(60)
        with server.accept()[0]:
            while True:
                # On a busy machine a command takes long by itself, this one as well: it asks no plugin.
                beside = pool.submit(timed, docker, "version")
                listed, seconds = timed(docker, "volume", "ls", "-q")
                others.append(beside.result()[1])
                if hanging.done():
                    break
                assert {"ddtest-af-hangs", "ddtest-af-good"} <= set(listed.split())
                lists.append(seconds)
        with pytest.raises(DockerError, match=r'volume "ddtest-af-hangs": .* is started again'):
            hanging.result()
    # one that waited would end with the mount
    assert lists
    assert max(lists) < max(others) + 1


def test_a_killed_container_comes_back_under_its_fence(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    names = [f"ddtest-af-db{number}" for number in range(KILLED_CONTAINERS)]
    for name in names:
        managed.create(name, share=name, exclusive="true")
        run(docker, name, name, image, "--restart=always")
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
            run(docker, "ddtest-af-other", name, image)
        docker("rm", "-f", "ddtest-af-other")
        assert managed.status(name)["mounts"] == 1


def test_a_killed_plugin_comes_back_with_its_fence(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image, "--restart=always")
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])
    for _ in range(3):
        pid = managed.pid
        kill_process(pid)
        with pytest.raises(DockerError, match='held by container "ddtest-af-mydb"'):
            run(docker, "ddtest-af-mydb2", "ddtest-af-dbs", image)
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
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image)
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])
    plugin, seconds = managed.pid, []
    for number in range(5):
        kill_process(managed.worker)
        listed, listing = timed(docker, "volume", "ls", "-q")
        assert "ddtest-af-dbs" in listed
        seconds.append(listing)
        with pytest.raises(DockerError, match='held by container "ddtest-af-mydb"'):
            run(docker, f"ddtest-af-mydb{number}", "ddtest-af-dbs", image)
    assert managed.pid == plugin
    # an engine that finds no socket pauses for a second, a busy machine may make some as slow
    assert sorted(seconds)[2] < 1, seconds
    docker("exec", "ddtest-af-mydb", "sh", "-c", "echo written > /data/file")
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_container_that_dies_while_the_plugin_is_down_leaves_its_folder(
    managed: ManagedPlugin, docker: Docker, image: str
) -> None:
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image)
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])
    container = docker.pid("ddtest-af-mydb")
    kill_process(managed.pid)
    kill_process(container)
    run(docker, "ddtest-af-mydb2", "ddtest-af-dbs", image)
    docker("rm", "-f", "ddtest-af-mydb", "ddtest-af-mydb2")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


@pytest.mark.parametrize("exchanged", [False, True])
def test_a_container_that_crashes_while_the_plugin_is_away_comes_back(
    managed: ManagedPlugin, docker: Docker, image: str, exchanged: bool
) -> None:
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image, "--restart=always")
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])
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
    eventually(is_back, 30)
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_mount_under_way_when_the_plugin_dies_leaves_no_container_down(
    managed: ManagedPlugin, docker: Docker, image: str
) -> None:
    """The engine repeats it without its body, and gives it up after 15 s."""
    managed.create("ddtest-af-dbs", share="dbs", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image, "--restart=always")
    eventually(lambda: managed.status("ddtest-af-dbs")["holders"][0]["pid"])

    def is_restarting() -> None:
        # It is listed by what the engine noted last; an inspect would wait for the Mount.
        assert docker("ps", "-q", "--filter", "name=^ddtest-af-mydb$", "--filter", "status=restarting")

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
        kill_process(managed.pid)
    eventually(is_left_down, 30)
    eventually(is_back, 60)
    docker("rm", "-f", "ddtest-af-mydb")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_docker_cp_on_a_held_volume(managed: ManagedPlugin, docker: Docker, image: str, tmp_path: Path) -> None:
    managed.create("ddtest-af-dbs", share="dbs-cp", exclusive="true")
    run(docker, "ddtest-af-mydb", "ddtest-af-dbs", image)
    (tmp_path / "in").write_text("through cp")
    for _ in range(3):
        docker("cp", str(tmp_path / "in"), "ddtest-af-mydb:/data/file")
        docker("cp", "ddtest-af-mydb:/data/file", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == "through cp"
    assert managed.status("ddtest-af-dbs")["mounts"] == 1
    with pytest.raises(DockerError, match="held by"):
        run(docker, "ddtest-af-mydb2", "ddtest-af-dbs", image)


def test_an_upload_to_a_created_container(managed: ManagedPlugin, docker: Docker, image: str, tmp_path: Path) -> None:
    managed.create("ddtest-af-dbs", share="dbs-up", exclusive="true")
    docker("create", "--name", "ddtest-af-mydb", "-v", "ddtest-af-dbs:/data", image, *FOREVER)
    (tmp_path / "in").write_text("uploaded")
    docker("cp", str(tmp_path / "in"), "ddtest-af-mydb:/data/file")
    assert (managed.root / "shares/dbs-up/file").read_text() == "uploaded"
    assert managed.mounted_on_host("ddtest-af-dbs") == 0
    docker("start", "ddtest-af-mydb")
    docker("rm", "-f", "ddtest-af-mydb")


def test_copy_up_fills_an_empty_volume_and_lets_go(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    managed.create("ddtest-af-dbs", share="dbs-copy", exclusive="true")
    docker("create", "--name", "ddtest-af-mydb", "-v", "ddtest-af-dbs:/etc/apt", image, *FOREVER)
    assert (managed.root / "shares/dbs-copy").is_dir()
    assert list((managed.root / "shares/dbs-copy").iterdir())
    assert "mounts" not in managed.status("ddtest-af-dbs")
    docker("start", "ddtest-af-mydb")
    docker("rm", "-f", "ddtest-af-mydb")


def test_a_start_that_fails_leaves_no_holder(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    managed.create("ddtest-af-dbs", share="dbs-fail", exclusive="true")
    for number in range(3):
        with pytest.raises(DockerError, match="no-such-program"):
            docker(
                "run", "--name", f"ddtest-af-{number}", "-v", "ddtest-af-dbs:/data", image,
                "/no-such-program",
            )  # fmt: skip
    assert "mounts" not in managed.status("ddtest-af-dbs")
    assert managed.mounted_on_host("ddtest-af-dbs") == 0


def test_a_wrong_option_is_refused_through_docker(managed: ManagedPlugin, docker: Docker) -> None:
    with pytest.raises(DockerError, match='option "sharename" is not recognised; did you mean'):
        managed.create("ddtest-af-wrong", sharename="logs")
    assert "ddtest-af-wrong" not in docker("volume", "ls", "-q")


def test_volumes_outlive_the_plugins_own_removal(managed: ManagedPlugin, docker: Docker, image: str) -> None:
    """An upgrade removes the plugin and installs another."""
    managed.create("ddtest-af-logs", share="kept")
    docker("run", "--rm", "-v", "ddtest-af-logs:/data", image, "sh", "-c", "echo kept > /data/file")
    docker("plugin", "rm", "-f", managed.name)
    managed.install()
    assert managed.status("ddtest-af-logs")["share"] == "kept"
    assert docker("run", "--rm", "-v", "ddtest-af-logs:/data", image, "cat", "/data/file") == "kept"


def test_two_hundred_idle_volumes_stay_under_64_megabytes(managed: ManagedPlugin, docker: Docker) -> None:
    for number in range(200):
        managed.create(f"ddtest-af-idle{number}", share=f"idle{number}")
    assert len(docker("volume", "ls", "-q", "--filter", "name=^ddtest-af-idle").split()) == 200
    kilobytes = resident_kilobytes(managed.pid) + resident_kilobytes(managed.worker)
    print(f"{kilobytes / 1024:.1f} MB with 200 volumes, {open_descriptors(managed.worker)} descriptors")
    assert kilobytes < 64 * 1024


def test_the_one_shot_commands_run_in_a_plain_container(docker: Docker, tmp_path: Path) -> None:
    tag = f"ddtest-azurefile-oneshot:{os.getpid()}"
    folder = Path(__file__).parents[2] / "azurefile"
    base = base_image(docker)
    docker("build", "-t", tag, "--build-arg", f"BASE={base}", str(folder), timeout=600)
    try:
        one_shot = ("run", "--rm", "--network=none", "-v", f"{tmp_path}:/var/lib/datadocker", tag)
        docker(*one_shot, "prepare")
        assert (tmp_path / "credentials").stat().st_mode & 0o777 == 0o700
        (tmp_path / "shares/logs/deep").mkdir(parents=True)
        docker(*one_shot, "remove-share", "logs")
        assert not (tmp_path / "shares/logs").exists()
    finally:
        docker("rmi", tag)


def test_no_secret_and_no_surprise_in_the_plugins_privileges(managed: ManagedPlugin) -> None:
    privileges = subprocess.run(
        ["docker", "plugin", "inspect", "-f", "{{json .Config.Linux.Capabilities}}", managed.name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert privileges.strip() == '["CAP_SYS_ADMIN"]'
