"""An image built on the host from a folder of this project."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts import DockerHost


class ContextImageArgs(TypedDict):
    """Arguments of `ContextImage`."""

    host: DockerHost
    """Where it is built and used."""
    context: str
    """Folder with the Dockerfile, relative to the project."""
    base: pulumi.Input[str]
    """Image that the Dockerfile's ARG BASE names."""
    labels: dict[str, str]
    """Labels of the image; they count as part of what is built."""


class ContextImage(pulumi.ComponentResource):
    """`datadocker/<folder>:<hash>`. A changed file, base or label is another tag, never a moved one."""

    reference: pulumi.Output[str]
    """Name and tag, known before the image is built."""
    built: pulumi.Output[str]
    """Name and tag, known once the image is there."""

    def __init__(self, name: str, args: ContextImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the build."""
        super().__init__("datadocker:index:ContextImage", name, {}, opts)
        folder, labels = args["context"], args["labels"]
        digest = context_digest(Path(folder))
        self.reference = pulumi.Output.from_input(args["base"]).apply(
            lambda base: f"datadocker/{Path(folder).name}:{_tag(digest, base, labels)}"
        )
        image = docker.RemoteImage(
            f"{name}-image",
            name=self.reference,
            build={
                "context": folder,
                "build_args": {"BASE": args["base"]},
                "label": labels,
                # the other builder works on the engine of this machine, whatever the provider's host
                "use_legacy_builder": True,
                "remove": True,
                "force_remove": True,
            },
            # the tag belongs to this stack alone; a container typed by hand keeps its layers
            force_remove=True,
            opts=args["host"].child(self),
        )
        self.built = image.name
        self.register_outputs({"reference": self.reference})


def context_digest(folder: Path) -> str:
    """Returns a hash over the names, modes and contents of all files that are sent to the engine.

    Of .dockerignore, plain names are understood, at any depth; it decides what a plugin's identity is.
    """
    ignored = folder / ".dockerignore"
    patterns = [line.removeprefix("**/") for line in ignored.read_text().split()] if ignored.exists() else []
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        if any(part in patterns for part in file.relative_to(folder).parts):
            continue
        executable = file.stat().st_mode & 0o100
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder)}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def _tag(digest: str, base: str, labels: dict[str, str]) -> str:
    return hashlib.sha256(f"{digest}\0{base}\0{sorted(labels.items())}".encode()).hexdigest()[:16]
