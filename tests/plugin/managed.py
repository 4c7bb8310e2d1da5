"""The plugin really installed into an engine, under a name and a root of the test's own."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

from tests.plugin.harness import REPOSITORY, UnixConnection, children

FOLDER = REPOSITORY / "azurefile"
FOREVER = ("sh", "-c", "while :; do sleep 1; done")


class DockerError(Exception):
    """What the docker command said."""


class Docker:
    """The docker command against one engine."""

    def __init__(self, socket_path: Path = Path("/var/run/docker.sock")) -> None:
        self.socket = socket_path

    def __call__(self, *arguments: str, timeout: float = 120) -> str:
        environment = os.environ | {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
        if done.returncode != 0:
            raise DockerError(done.stderr)
        return done.stdout.strip()

    def quietly(self, *arguments: str) -> None:
        with contextlib.suppress(DockerError):
            self(*arguments)

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("inspect", container))[0]
        return found

    def pid(self, container: str) -> int:
        found: int = self.inspect(container)["State"]["Pid"]
        return found

    def post(self, path: str, body: Path) -> None:
        connection = UnixConnection(self.socket, 300)
        with body.open("rb") as file:
            connection.request("POST", path, file, {"Content-Type": "application/x-tar"})
        response = connection.getresponse()
        if response.status >= http.client.BAD_REQUEST:
            raise DockerError(response.read().decode())
        connection.close()


def run_forever(docker: Docker, name: str, volume: str, image: str, *more: str) -> str:
    """Start a container with a volume, which goes on until it is ended."""
    return docker(
        "run", "-d", "--network=none", "--stop-timeout=1", "--name", name, "-v", f"{volume}:/data",
        *more, image, *FOREVER,
    )  # fmt: skip


def timed(docker: Docker, *command: str) -> tuple[str, float]:
    """What a command prints, and its seconds."""
    started = time.monotonic()
    return docker(*command), time.monotonic() - started


def base_image(docker: Docker) -> str:
    """What images are built from: the variable's, a local base of the project, or Debian's."""
    if named := os.environ.get("DATADOCKER_TEST_BASE_BOOKWORM"):
        return named
    listed = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    return next((name for name in listed if name.endswith("/base:bookworm")), "debian:bookworm-slim")


def build_archive(docker: Docker, folder: Path) -> Path:
    """Build the image and pack it as the engine's API wants a plugin."""
    tag = f"ddtest-azurefile:{os.getpid()}"
    docker("build", "-t", tag, "--build-arg", f"BASE={base_image(docker)}", str(FOLDER), timeout=600)
    container = docker("create", tag)
    exported = folder / "exported.tar"
    try:
        docker("export", "-o", str(exported), container, timeout=300)
    finally:
        docker("rm", container)
        docker("rmi", tag)
    archive = folder / "plugin.tar"
    with tarfile.open(exported) as source, tarfile.open(archive, "w") as target:
        target.add(FOLDER / "config.json", "config.json")
        for member in source:
            member.name = f"rootfs/{member.name}"
            member.pax_headers = {}
            if member.islnk():
                member.linkname = f"rootfs/{member.linkname}"
            target.addfile(member, source.extractfile(member) if member.isreg() else None)
    exported.unlink()
    return archive


class ManagedPlugin:
    """One installed plugin."""

    def __init__(self, docker: Docker, name: str, root: Path, archive: Path) -> None:
        self.docker = docker
        self.name = name
        self.root = root
        self.archive = archive
        self.enable_seconds = 0.0

    def install(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        self.docker.post(f"/plugins/create?name={self.name}", self.archive)
        self.docker(
            "plugin",
            "set",
            self.name,
            f"root.source={self.root}",
            f"engine.source={self.docker.socket.resolve().parent}",
            f"ENGINE=/run/engine/{self.docker.socket.name}",
        )
        self.enable()

    def enable(self) -> None:
        started = time.monotonic()
        self.docker("plugin", "enable", "--timeout", "120", self.name)
        self.enable_seconds = time.monotonic() - started

    def remove(self) -> None:
        # The engine keeps the names of volumes whose plugin went first, and refuses them for ever.
        self.docker.quietly("plugin", "enable", "--timeout", "120", self.name)
        for container in self.docker("ps", "-aq", "--filter", "name=^ddtest-af-").split():
            self.docker.quietly("rm", "-f", container)
        for volume in self.docker("volume", "ls", "-q", "--filter", f"driver={self.name}:latest").split():
            self.docker.quietly("volume", "rm", volume)
        self.docker.quietly("plugin", "rm", "-f", self.name)
        shutil.rmtree(self.root, ignore_errors=True)

    @property
    def identifier(self) -> str:
        return self.docker("plugin", "inspect", "-f", "{{.Id}}", self.name)

    @property
    def pid(self) -> int:
        """The plugin's first process, whose end the engine sees."""
        return self._processes()[0]

    @property
    def worker(self) -> int:
        """The child of it that does its work."""
        return self._processes()[1]

    def create(self, name: str, **opts: str) -> None:
        options = [part for k, v in opts.items() for part in ("-o", f"{k}={v}")]
        self.docker("volume", "create", "--name", name, "-d", self.name, *options)

    def status(self, volume: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker("volume", "inspect", volume))[0]["Status"]
        return found

    def _processes(self) -> tuple[int, int]:
        """Found by their cgroup."""
        identifier = self.identifier
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if identifier in (entry / "cgroup").read_text() and (found := children(int(entry.name))):
                    return int(entry.name), found[0]
        raise LookupError(self.name)

    def mounted_on_host(self, volume: str) -> int:
        path = f"/{self.identifier}/propagated-mount/{volume} "
        return Path("/proc/self/mountinfo").read_text().count(path)


def wait_for_socket(path: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(path))
                return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(path)
