"""A container that follows what the writers write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts import DockerHost
from components.logs import LOG_DRIVER, LOG_OPTS
from components.volumes import MappedVolume


class LogReaderArgs(TypedDict):
    """Arguments of `LogReader`."""

    host: DockerHost
    """Where it runs."""
    image: pulumi.Input[str]
    """The reader's image."""
    container: str
    """Name of the container."""
    logs: MappedVolume
    """Where it reads: the file testfile."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the container."""


class LogReader(pulumi.ComponentResource):
    """Follows /logs/testfile; `docker logs` shows it, `docker exec … count` judges it."""

    container: pulumi.Output[str]
    """Name of the container."""

    def __init__(self, name: str, args: LogReaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the container."""
        super().__init__("datadocker:index:LogReader", name, {}, opts)
        container = docker.Container(
            f"{name}-container",
            name=args["container"],
            hostname=args["container"],
            image=args["image"],
            restart="unless-stopped",
            network_mode="bridge",
            log_driver=LOG_DRIVER,
            log_opts=LOG_OPTS,
            volumes=[{"volume_name": args["logs"].volume, "container_path": "/logs", "read_only": True}],
            labels=[{"label": k, "value": v} for k, v in args["labels"].items()],
            destroy_grace_seconds=5,
            # its name is fixed, so the old one goes first
            opts=args["host"].child(self, delete_before_replace=True),
        )
        self.container = container.name
        self.register_outputs({"container": self.container})
