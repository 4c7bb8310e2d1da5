"""The Debian image that ours are built on: imported from a root filesystem, or pulled."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypedDict

import pulumi
import pulumi_docker as docker

from components.custom import ImportedImage
from components.hosts import DockerHost

# where the toolchain leaves root filesystems on a machine that can't pull images
ROOT_FILESYSTEMS = Path(".toolchain/bases")

OFFICIAL = {
    "bookworm": "debian:bookworm-slim",
    "sid": "debian:sid-slim",
}


class BaseImageArgs(TypedDict):
    """Arguments of `BaseImage`."""

    host: DockerHost
    """Where it is needed."""
    suite: str
    """Debian's suite: bookworm or sid."""
    labels: dict[str, str]
    """Labels of the image."""


class BaseImage(pulumi.ComponentResource):
    """A minimal Debian on the host."""

    reference: pulumi.Output[str]
    """Name and tag, for a Dockerfile's FROM; known once the image is there."""

    def __init__(self, name: str, args: BaseImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the import or the pull."""
        super().__init__("datadocker:index:BaseImage", name, {}, opts)
        suite, host = args["suite"], args["host"]
        archive = ROOT_FILESYSTEMS / f"{suite}.tar"
        if archive.exists():
            # the folder's name is the key of what went into it
            key = f"{archive.resolve().parent.name}\0{sorted(args['labels'].items())}"
            tag = hashlib.sha256(key.encode()).hexdigest()[:16]
            imported = ImportedImage(
                f"{name}-import",
                {
                    "engine": host.engine,
                    "reference": f"datadocker/base-{suite}:{tag}",
                    "archive": str(archive),
                    "content": f"{archive.resolve().parent.name}-{suite}",
                    "labels": args["labels"],
                },
                host.resident(self),
            )
            self.reference = imported.reference
        else:
            pulled = docker.RemoteImage(f"{name}-pull", name=OFFICIAL[suite], keep_locally=True, opts=host.child(self))
            self.reference = pulled.name
        self.register_outputs({"reference": self.reference})
