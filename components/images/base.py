"""The Debian image that ours are built on: imported from a root filesystem, or pulled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pulumi

from components.custom import ImportedImage
from components.hosts import DockerHost
from components.images.pulled import PulledImage

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
    labels: Mapping[str, pulumi.Input[str]]
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
            key = archive.resolve().parent.name
            reference = pulumi.Output.all(args["labels"]).apply(
                lambda known: f"datadocker/base-{suite}:{_tag(key, known[0])}"
            )
            imported = ImportedImage(
                f"{name}-import",
                {
                    "engine": host.engine,
                    "reference": reference,
                    "archive": str(archive),
                    "content": f"{key}-{suite}",
                    "labels": args["labels"],
                },
                host.resident(self),
            )
            self.reference = imported.reference
        else:
            pulled = PulledImage(name, {"host": host, "name": OFFICIAL[suite]}, pulumi.ResourceOptions(parent=self))
            self.reference = pulled.reference
        self.register_outputs({"reference": self.reference})


def _tag(key: str, labels: dict[str, str]) -> str:
    return hashlib.sha256(f"{key}\0{sorted(labels.items())}".encode()).hexdigest()[:16]
