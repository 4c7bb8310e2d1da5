"""What every Docker host offers to the components that stand on it."""

from __future__ import annotations

from typing import TypedDict

import pulumi
import pulumi_docker as docker


class Engine(TypedDict):
    """How to reach an engine: what a provider needs besides the Docker provider's own arguments."""

    url: str
    """`unix:///…` or `ssh://user@address:port`."""
    ssh_opts: list[str]
    """Arguments for ssh; empty for a local engine."""


class DockerHost(pulumi.ComponentResource):
    """A machine with a Docker engine. Its kinds differ in how they come to be, not in what they offer."""

    docker_host: pulumi.Output[str]
    """What DOCKER_HOST would be: `unix:///…` or `ssh://…`."""
    address: pulumi.Output[str]
    """Where ports that containers publish on 127.0.0.1 of the host are reached from here."""
    engine: pulumi.Output[Engine]
    """How to reach the engine, for providers of our own."""
    provider: docker.Provider
    """The Docker provider of this host."""

    def child(self, parent: pulumi.Resource, **more: object) -> pulumi.ResourceOptions:
        """Options of a Docker resource on this host whose parent is `parent`."""
        return pulumi.ResourceOptions(parent=parent, provider=self.provider, **more)  # type: ignore[arg-type]
