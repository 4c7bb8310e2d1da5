"""What the plugin's README says of an installation, done by a real engine as it is written, and its compose file."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.plugin.managed import FOLDER, Docker, DockerError, ManagedPlugin, base_image
from toolchain import cache

pytestmark = pytest.mark.engine

NAME = f"ddtest-readme-{os.getpid()}"
DATA = "/srv"


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagedPlugin]:
    """Installed by the README's own lines, under names and in a folder of the test's own."""
    folder, docker = tmp_path_factory.mktemp("readme"), Docker()
    plugin = ManagedPlugin(docker, NAME, folder / "root", folder / "plugin")
    socket = docker.socket.resolve()
    found = re.search(
        r"^## Install\n.*?^```sh\n(.*?)^```$", (FOLDER / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert found
    lines = found[1]
    for written, meant in {
        "docker build -t": f"docker build --build-arg BASE={base_image(docker)} -t",
        "azurefile-rootfs": f"{NAME}-rootfs",
        "-v /var/lib/datadocker:": f"-v {plugin.root}:",
        "docker plugin create azurefile": f"docker plugin create {NAME}",
        "docker plugin enable": f"docker plugin set {NAME} root.source={plugin.root} engine.source={socket.parent} "
        f"ENGINE=/run/engine/{socket.name}\ndocker plugin enable",
        "--timeout 120 azurefile": f"--timeout 120 {NAME}",
        "-d azurefile": f"-d {NAME}",
        "--name logs": f"--name {NAME}-logs",
        "-v logs:": f"-v {NAME}-logs:",
        " debian ": f" {base_image(docker)} ",
    }.items():
        assert written in lines
        lines = lines.replace(written, meant)
    (folder / "azurefile").symlink_to(FOLDER)
    environment = os.environ | {"DOCKER_HOST": f"unix://{docker.socket}", "DOCKER_BUILDKIT": "0"}
    try:
        done = subprocess.run(
            ["sh", "-ec", lines], cwd=folder, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr
        yield plugin
    finally:
        plugin.remove()
        for container in docker("ps", "-aq", "--filter", f"ancestor={NAME}-rootfs").split():
            docker.quietly("rm", container)
        docker.quietly("rmi", f"{NAME}-rootfs")


def test_what_it_writes_is_where_it_says(plugin: ManagedPlugin) -> None:
    assert (plugin.root / "shares/logs/testfile").read_text() == "a line\n"
    assert plugin.status(f"{NAME}-logs")["options"]["share"] == "logs"


@pytest.fixture
def compose(plugin: ManagedPlugin, tmp_path: Path) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Runs `docker compose` for a project on the plugin's file, with something smaller in the database's place."""
    built = [str(path) for path in cache.root().glob("bench-compose-*/docker-compose")]
    binary = shutil.which("docker-compose") or next(iter(built), None)
    if binary is None:
        pytest.skip("needs docker-compose, on PATH or as ./bench/run makes it")
    composed = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    composed["services"]["mydb"] |= {
        "image": base_image(plugin.docker),
        "command": ["sleep", "600"],
        "healthcheck": {"test": ["CMD", "test", "-s", "/run/secrets/root-password"], "interval": "1s"},
        "network_mode": "none",
        "ports": [],
        "stop_grace_period": "1s",
    }
    # a folder that this image has, as MySQL's has the database's
    composed["services"]["mydb"]["volumes"][0]["target"] = DATA
    composed["volumes"]["dbs"]["driver"] = NAME
    (tmp_path / "compose.json").write_text(json.dumps(composed))
    (tmp_path / "root-password").write_text("correct horse")

    def run(project: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [binary, "-f", str(tmp_path / "compose.json"), "-p", f"{NAME}-{project}", *words]
        environment = os.environ | {"DOCKER_HOST": f"unix://{plugin.docker.socket}"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    yield run
    for project in ("one", "two"):
        run(project, "down", "--volumes")


def test_the_compose_files_volume_is_one_projects_at_a_time(
    plugin: ManagedPlugin, compose: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    up = compose("one", "up", "--detach", "--wait")
    assert up.returncode == 0, up.stderr
    written = compose("one", "exec", "-T", "mydb", "sh", "-c", f"echo row > {DATA}/row")
    assert written.returncode == 0, written.stderr
    assert f'held by container "{NAME}-one-mydb-1"' in compose("two", "up", "--detach", "--wait").stderr
    compose("one", "down", "--volumes")
    share = plugin.root / "shares/dbs"
    assert (share / "row").read_text() == "row\n"
    assert (share.stat().st_mode & 0o777, share.stat().st_uid) == (0o750, 999)
    up = compose("two", "up", "--detach", "--wait")
    assert up.returncode == 0, up.stderr


def test_the_compose_files_database_is_recreated_while_it_runs(
    plugin: ManagedPlugin, compose: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Compose makes the next container before it stops the one that runs."""
    up = compose("one", "up", "--detach", "--wait")
    assert up.returncode == 0, up.stderr
    before = plugin.docker("ps", "-q", "--filter", f"name={NAME}-one-mydb")
    up = compose("one", "up", "--detach", "--wait", "--force-recreate")
    assert up.returncode == 0, up.stderr
    assert plugin.docker("ps", "-q", "--filter", f"name={NAME}-one-mydb") not in ("", before)


def test_a_container_is_created_beside_a_holder_only_without_the_copy_of_its_images_files(
    plugin: ManagedPlugin,
) -> None:
    docker, volume, image = plugin.docker, f"{NAME}-one", base_image(plugin.docker)
    docker("volume", "create", "--name", volume, "-d", NAME, "-o", "share=beside", "-o", "exclusive=true")
    try:
        docker("run", "-d", "--name", f"{NAME}-holder", "-v", f"{volume}:{DATA}", image, "sleep", "600")
        with pytest.raises(DockerError, match=f'held by container "{NAME}-holder"'):
            docker("create", "--name", f"{NAME}-next", "-v", f"{volume}:{DATA}", image, "true")
        docker("create", "--name", f"{NAME}-beside", "-v", f"{volume}:{DATA}:nocopy", image, "true")
    finally:
        for container in ("holder", "next", "beside"):
            docker.quietly("rm", "-f", f"{NAME}-{container}")
        docker.quietly("volume", "rm", volume)
