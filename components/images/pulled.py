"""An image that others made, of a registry that the host's engine reaches."""

from __future__ import annotations

from typing import TypedDict

import pulumi

from components import docker
from components.hosts import DockerHost


class PulledImageArgs(TypedDict):
    """Arguments of `PulledImage`."""

    host: DockerHost
    """Where it is needed."""
    name: str
    """Name with a tag or a digest."""


class PulledImage(pulumi.ComponentResource):
    """An image that is there before what uses it is touched: one that can't be had costs nobody a container."""

    reference: pulumi.Output[str]
    """The name, known once the image is there."""

    def __init__(self, name: str, args: PulledImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the pull; what the engine has already is not pulled again."""
        super().__init__("datadocker:index:PulledImage", name, {}, opts)
        host = args["host"]
        # other people's image: it stays when the stack goes
        image = docker.RemoteImage(
            f"{name}-pull",
            name=args["name"],
            keep_locally=True,
            # also on a host whose own replacement deletes first: what has the old one goes after the new one is there
            opts=host.child(self, delete_before_replace=False),
        )
        self.reference = image.name
        self.register_outputs({"reference": self.reference})
