"""What the demo's writers and its reader have in common: a small container that works on the file of lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi

from components import docker
from components.hosts import DockerHost
from components.log_driver import LOG_DRIVER, LOG_OPTS
from components.volumes import MappedVolume


class LogContainerArgs(TypedDict):
    """Arguments of every `LogContainer`."""

    host: DockerHost
    """Where it runs."""
    image: pulumi.Input[str]
    """Its image."""
    container: str
    """Name of the container and its host name, which a writer writes before each number."""
    logs: MappedVolume
    """Where the lines are: the file testfile."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the container."""


class LogContainer(pulumi.ComponentResource):
    """One container that is always there; its subclasses say what it maps."""

    container: pulumi.Output[str]
    """Name of the container."""

    def __init__(
        self,
        token: str,
        name: str,
        args: LogContainerArgs,
        volumes: Sequence[docker.ContainerVolumeArgsDict],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Registers the container under the component's type `token`."""
        super().__init__(token, name, {}, opts)
        container = docker.Container(
            f"{name}-container",
            name=args["container"],
            hostname=args["container"],
            image=args["image"],
            # an engine that finds it running after its own sudden end stops it, and counts that as somebody's wish
            restart="always",
            # it talks to nobody, and engines of 20.10 may lock up when several leave one at once (moby#46661)
            network_mode="none",
            log_driver=LOG_DRIVER,
            log_opts=LOG_OPTS,
            volumes=volumes,
            labels=[{"label": k, "value": v} for k, v in args["labels"].items()],
            destroy_grace_seconds=5,
            # its name is fixed, so the old one goes first
            opts=args["host"].container(self, delete_before_replace=True),
        )
        self.container = container.name
        self.register_outputs({"container": self.container})
