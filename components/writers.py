"""A container that appends lines to a file, as in the talk's basic demo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts import DockerHost
from components.logs import LOG_DRIVER, LOG_OPTS
from components.volumes import MappedVolume


class LogWriterArgs(TypedDict):
    """Arguments of `LogWriter`."""

    host: DockerHost
    """Where it runs."""
    image: pulumi.Input[str]
    """The writer's image."""
    container: str
    """Name of the container, and what it writes before each number."""
    logs: MappedVolume
    """Where it writes: the file testfile."""
    config: MappedVolume
    """Where it reads its settings while it runs: the file writers.conf."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the container."""


class LogWriter(pulumi.ComponentResource):
    """Appends `<hostname> <n>` to /logs/testfile at the pace that /config/writers.conf sets."""

    container: pulumi.Output[str]
    """Name of the container."""

    def __init__(self, name: str, args: LogWriterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the container."""
        super().__init__("datadocker:index:LogWriter", name, {}, opts)
        container = docker.Container(
            f"{name}-container",
            name=args["container"],
            hostname=args["container"],
            image=args["image"],
            restart="unless-stopped",
            network_mode="bridge",
            log_driver=LOG_DRIVER,
            log_opts=LOG_OPTS,
            volumes=[
                {"volume_name": args["logs"].volume, "container_path": "/logs"},
                {"volume_name": args["config"].volume, "container_path": "/config"},
            ],
            labels=[{"label": k, "value": v} for k, v in args["labels"].items()],
            destroy_grace_seconds=5,
            # its name is fixed, so the old one goes first
            opts=args["host"].child(self, delete_before_replace=True),
        )
        self.container = container.name
        self.register_outputs({"container": self.container})
