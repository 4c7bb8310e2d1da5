"""The Debian image that ours are built on: imported from a root filesystem, or pulled."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, TypedDict

import pulumi
import pulumi_docker as docker
from pulumi import dynamic

from components.hosts import DockerHost
from components.hosts.sdk import engine_client

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

    def __init__(
        self, name: str, args: BaseImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
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
                    "labels": args["labels"],
                },
                pulumi.ResourceOptions(parent=self),
            )
            self.reference = imported.reference
        else:
            pulled = docker.RemoteImage(
                f"{name}-pull", name=OFFICIAL[suite], keep_locally=True, opts=host.child(self)
            )
            self.reference = pulled.name
        self.register_outputs({"reference": self.reference})


class _ImportProvider(dynamic.ResourceProvider):
    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        archive = Path(props["archive"])
        repository, tag = props["reference"].split(":")
        labels = [f'LABEL {k}="{v}"' for k, v in sorted(props["labels"].items())]
        with engine_client(props["engine"]) as engine, archive.open("rb") as rootfs:
            engine.api.import_image_from_stream(rootfs, repository=repository, tag=tag, changes=labels)
        return dynamic.CreateResult(id_=props["reference"], outs=props)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [k for k in ("engine", "reference") if olds.get(k) != news[k]]
        return dynamic.DiffResult(changes=bool(replaces), replaces=replaces)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with engine_client(props["engine"]) as engine:
            found = engine.images.list(filters={"reference": id_})
        return dynamic.ReadResult(id_ if found else "", props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with engine_client(props["engine"]) as engine:
            if engine.images.list(filters={"reference": id_}):
                engine.images.remove(id_, force=True)


class ImportedImage(dynamic.Resource, module="images", name="ImportedImage"):
    """An image made of a root filesystem's archive."""

    reference: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: `engine`, `reference` (name and tag), `archive` (a tar file), `labels`."""
        super().__init__(_ImportProvider(), name, props, opts)
