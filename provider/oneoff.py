"""The plugin's own program, run once in a container on the host's folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provider.resource import Failure

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LABEL = "io.datadocker.oneoff"


class ImageGone(Failure):
    """The image that the plugin is made of is not on the engine."""

    def __init__(self, image: str) -> None:
        """Says what brings it back."""
        super().__init__(f"the plugin's image {image} is gone: pulumi up --refresh builds it again")


@contextlib.contextmanager
def ran(
    engine: DockerClient, image: str, root: str, *arguments: str, socket: str | None = None, **environment: str
) -> Iterator[Container]:
    """Runs `python3 -m azurefile ARGUMENTS` of `image` with the host's `root`; yields the ended container.

    With `socket`, the engine's own on the host, the program may use the engine.

    Raises:
        ImageGone: if it is.
        Failure: with the program's last line, if it fails.
    """
    from docker.errors import ImageNotFound

    try:
        container = engine.containers.create(
            image,
            list(arguments),
            entrypoint=["python3", "-m", "azurefile"],
            # Docker makes a missing folder on the host for a bind
            volumes=[f"{root}:/var/lib/datadocker", *([f"{socket}:/run/engine/docker.sock:ro"] if socket else [])],
            environment=environment,
            network_mode="none",
            # whatever has a share mounted is seen in the mount table of its process
            pid_mode="host",
            cap_add=["SYS_PTRACE"],
            labels={LABEL: root},
        )
    except ImageNotFound:
        raise ImageGone(image) from None
    try:
        container.start()
        if container.wait(timeout=600)["StatusCode"] != 0:
            said = container.logs(tail=3).decode(errors="replace").strip()
            raise Failure(said.splitlines()[-1] if said else f"azurefile {arguments[0]} failed on {root}")
        yield container
    finally:
        container.remove(force=True)


def reap(engine: DockerClient, root: str) -> None:
    """Removes what a killed run left of this."""
    for left in engine.containers.list(all=True, filters={"label": f"{LABEL}={root}", "status": ["exited", "created"]}):
        left.remove(force=True)
