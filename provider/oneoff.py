"""Containers that do one thing and go."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from provider.resource import Failure

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LABEL = "io.datadocker.oneoff"
# where the host's folder is in it
ROOT = "/var/lib/datadocker"


class ImageGone(Failure):
    """The image of such a container is not on the engine."""

    def __init__(self, image: str) -> None:
        """Says what brings it back."""
        super().__init__(f"the image {image} is gone: up --refresh brings it back")


# what an engine says of a container that is gone, and of one that is going
REMOVED = (404, 409)


@contextlib.contextmanager
def created(
    engine: DockerClient, image: str, mark: str, entrypoint: list[str], command: list[str], *binds: str, **more: Any
) -> Iterator[Container]:
    """A container of `image` that was not started; it is removed at the end.

    By `mark`, the `root` or `database` of the resource that it is for, one that a killed run left is found.

    Raises:
        ImageGone: if the engine does not have it.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        container = engine.containers.create(
            image,
            command,
            entrypoint=entrypoint,
            volumes=list(binds),
            network_mode="none",
            labels={LABEL: mark},
            **more,
        )
    except ImageNotFound:
        raise ImageGone(image) from None
    try:
        yield container
    finally:
        try:
            container.remove(v=True, force=True)
        except APIError as error:
            # another user's run, whom no turn keeps away, may have taken it for one that was left
            if error.status_code not in REMOVED:
                raise


def bind(root: str) -> str:
    """The host's folder `root` in such a container; Docker makes a missing one."""
    return f"{root}:{ROOT}"


@contextlib.contextmanager
def ran(
    engine: DockerClient, image: str, root: str, *arguments: str, socket: str | None = None, **environment: str
) -> Iterator[Container]:
    """Runs `python3 -m azurefile ARGUMENTS` of `image` with the host's `root`; yields the ended container.

    With `socket`, the engine's own on the host, the program may use the engine, or fails if it can't.

    Raises:
        ImageGone: if the engine does not have it.
        Failure: with the program's last line, if it fails.
    """
    program, binds = ["python3", "-m", "azurefile"], [bind(root)]
    if socket:
        # as the plugin has it: a folder, since not every machine's engine can mount a socket
        folder, name = posixpath.split(socket)
        binds.append(f"{folder}:/run/engine:ro")
        environment["ENGINE"] = f"/run/engine/{name}"
    # whatever has a share mounted is seen in the mount table of its process
    sees: dict[str, Any] = {"pid_mode": "host", "cap_add": ["SYS_PTRACE"]}
    with created(engine, image, root, program, list(arguments), *binds, environment=environment, **sees) as container:
        container.start()
        if container.wait(timeout=600)["StatusCode"] != 0:
            said = container.logs(tail=3).decode(errors="replace").strip()
            raise Failure(said.splitlines()[-1] if said else f"azurefile {arguments[0]} failed on {root}")
        yield container


def reap(engine: DockerClient, mark: str) -> None:
    """Removes what a killed run left of those that have this `mark`."""
    for left in engine.containers.list(all=True, filters={"label": f"{LABEL}={mark}", "status": ["exited", "created"]}):
        left.remove(v=True, force=True)
