"""Docker Compose, built from its own sources, with a file that says the same as the demo."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from bench.machine import DRIVER, PREFIX, BenchError, call, docker, free_port, say
from bench.project import Project
from toolchain import cache

VERSION = "v2.40.3"
MODULE = "github.com/docker/compose/v2"
PASSWORD = "compose"
OURS = f"{PREFIX}c-"


def build() -> Path:
    """Returns the binary, built from the Go module proxy the first time: about two minutes."""
    return cache.entry(f"bench-compose-{VERSION}", _build) / "docker-compose"


def _build(folder: Path) -> None:
    if shutil.which("go") is None:
        raise BenchError("building compose needs Go on PATH")
    say(f"building docker compose {VERSION}: about two minutes, once")
    env = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}
    module = json.loads(call(["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"], cwd=folder, env=env))
    # its go.mod counts only where it is the main module, so it is built from a copy
    source = folder / "source"
    shutil.copytree(module["Dir"], source)
    subprocess.run(["chmod", "-R", "u+w", str(source)], check=True)
    flags = ["-trimpath", "-buildvcs=false", f"-ldflags=-s -w -X {MODULE}/internal.Version={VERSION}"]
    call(["go", "build", *flags, "-o", str(folder / "docker-compose"), "./cmd"], cwd=source, env=env, timeout=1800)
    shutil.rmtree(source)


class Compose:
    """The demo's containers, volumes and health check, under names of their own."""

    def __init__(self, folder: Path, project: Project) -> None:
        """Writes the compose file into `folder`; needs `project`'s demo running, whose settings it takes over."""
        self.port = free_port()
        self._binary = build()
        self._file = folder / "compose.json"
        password = folder / "root-password"
        password.write_text(PASSWORD)
        names = ("docker1", "docker2", "docker3", "reader", "mydb")
        services = {name: self._service(_inspected(f"{PREFIX}{name}")) for name in names}
        services["mydb"]["secrets"] = [{"source": "root", "target": "/run/secrets/datadocker/root-password"}]
        volumes = {
            name: {
                "name": OURS + name,
                "driver": f"{DRIVER}:latest",
                "driver_opts": _options(PREFIX + name) | {"share": OURS + name},
            }
            for name in ("logs", "dbs", "config", "simpledb")
        }
        secrets = {"root": {"file": str(password)}}
        content = {"name": OURS.rstrip("-"), "services": services, "volumes": volumes, "secrets": secrets}
        self._file.write_text(json.dumps(content, indent=2))

    def _service(self, container: dict[str, Any]) -> dict[str, Any]:
        config, host = container["Config"], container["HostConfig"]
        service: dict[str, Any] = {
            "image": config["Image"],
            "container_name": OURS + config["Hostname"].removeprefix(PREFIX),
            "hostname": config["Hostname"],
            "entrypoint": config["Entrypoint"],
            "command": config["Cmd"],
            "restart": host["RestartPolicy"]["Name"],
            "network_mode": host["NetworkMode"],
            "logging": {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]},
            "volumes": [
                {
                    "type": "volume",
                    "source": mount["Name"].removeprefix(PREFIX),
                    "target": mount["Destination"],
                    "read_only": not mount["RW"],
                }
                for mount in container["Mounts"]
            ],
        }
        if host["PortBindings"]:
            service["ports"] = [f"127.0.0.1:{self.port}:3306"]
        if check := config.get("Healthcheck"):
            service["healthcheck"] = {
                "test": check["Test"],
                "interval": f"{check['Interval']}ns",
                "timeout": f"{check['Timeout']}ns",
                "start_period": f"{check['StartPeriod']}ns",
                "retries": check["Retries"],
            }
        return {key: value for key, value in service.items() if value}

    def _compose(self, *arguments: str) -> None:
        call([str(self._binary), "-f", str(self._file), *arguments])

    def up(self) -> None:
        """`docker compose up --wait`."""
        self._compose("up", "--detach", "--wait")

    def down(self) -> None:
        """Removes containers and volumes."""
        self._compose("down", "--volumes", "--timeout", "20")


def _inspected(container: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", container))[0]
    return found


def _options(volume: str) -> dict[str, str]:
    options: dict[str, str] = json.loads(docker("volume", "inspect", volume))[0]["Options"]
    return options
