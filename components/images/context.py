"""An image built on the host from a folder of this project."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypedDict

import pulumi

from components import docker
from components.hosts import DockerHost
from components.state import recorded
from provider.connection import EngineConnection, EngineError, NotThereError

IMAGE = "docker:index/remoteImage:RemoteImage"
# names of images that no registry has begin so
OWN = "datadocker/"
# what editors and file managers leave beside the files that they show
STRAY = (".*", "*~")
# what building all of ours takes for a while, in bytes
ROOM = 1 << 30


class ContextImageArgs(TypedDict):
    """Arguments of `ContextImage`."""

    host: DockerHost
    """Where it is built and used."""
    context: str
    """Folder with the Dockerfile, relative to the project."""
    base: pulumi.Input[str]
    """Image that the Dockerfile's ARG BASE names."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the image; they count as part of what is built."""


class ContextImage(pulumi.ComponentResource):
    """`datadocker/<folder>:<hash>`. A changed file, base or label is another tag, never a moved one."""

    built: pulumi.Output[str]
    """Name and tag, known once the image is there."""
    digest: str
    """Hash of the folder's files."""

    def __init__(self, name: str, args: ContextImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the build."""
        super().__init__("datadocker:index:ContextImage", name, {}, opts)
        folder, labels = args["context"], args["labels"]
        self.digest = context_digest(Path(folder))
        reference = pulumi.Output.all(args["base"], labels).apply(
            lambda known: f"{OWN}{Path(folder).name}:{_tag(self.digest, *known)}"
        )
        missing: list[EngineConnection] = []
        image = docker.RemoteImage(
            _resource_name(f"{name}-image", self.digest),
            # by no property of the machine, with which it would be deleted one by one before that is replaced
            name=pulumi.Output.all(reference, args["host"].docker_host, args["base"]).apply(
                lambda known: _can_be_built(known, missing)
            ),
            build={
                "context": folder,
                "build_args": {"BASE": args["base"]},
                "label": labels,
                # the other builder works on the engine of this machine, whatever the provider's host
                "use_legacy_builder": True,
                # else it is BUILDX_BUILDER's, and another value there replaces the image by one of the same tag
                "builder": "",
                "remove": True,
                "force_remove": True,
            },
            # the tag belongs to this stack alone; a container typed by hand keeps its layers
            force_remove=True,
            opts=args["host"].child(self),
        )
        self.built = image.name.apply(lambda name: _not_lost(name, missing))
        self.register_outputs({"built": self.built})


def context_digest(folder: Path) -> str:
    """Returns a hash over the names, contents and x bits of all files that are sent to the engine.

    The other modes are the checkout's umask: what is built does not depend on it, since the Dockerfiles set them.
    Of .dockerignore, names are understood, at any depth; it decides what a plugin's identity is. The Dockerfile is sent
    whatever it says.
    """
    ignored = folder / ".dockerignore"
    names = [line.removeprefix("**/") for line in ignored.read_text().split()] if ignored.exists() else []
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts = file.relative_to(folder).parts
        if parts != ("Dockerfile",) and any(fnmatchcase(p, name) for p in parts for name in (*STRAY, *names)):
            continue
        executable = file.stat().st_mode & 0o100
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder)}\0{executable}\0{content}\n".encode())
    return digest.hexdigest()


def _resource_name(name: str, digest: str) -> str:
    """Returns a name that tells one content of the folder from another.

    An image that was replaced would be deleted by its tag, at the end of the first update that succeeds. That may be an
    older checkout's, which has built this very tag again.
    """
    known = recorded().get((IMAGE, name), {})
    build = known.get("build") or {}
    tag = _tag(digest, str(build.get("buildArgs", {}).get("BASE")), build.get("label") or {})
    # a stack may have it from before names had a digest; under another one its tag would be deleted
    return name if str(known.get("name")).endswith(f":{tag}") else f"{name}-{digest[:8]}"


def _can_be_built(known: list[Any], missing: list[EngineConnection]) -> str:
    """Returns the reference if it is there, or has base and room to be built. On a full disk apt may hang, not fail.

    Where it is not there, the engine is put into `missing`.

    Raises:
        pulumi.RunError: if an engine of this machine has not what it is built on, or too little left on its disk.
    """
    reference, url, base = known
    if not url.startswith("unix://"):
        return str(reference)
    connection = EngineConnection(url.removeprefix("unix://"))
    try:
        connection.get(f"/images/{reference}/json")
    except NotThereError:
        missing.append(connection)
        _have_base(connection, base)
        root = connection.get("/info")["DockerRootDir"]
        # an engine with a machine of its own has another disk, and its folder is not here; os.path, since Path.is_dir
        # raises below a folder that is closed to this user
        free = shutil.disk_usage(root).free if os.path.isdir(root) else ROOM
        if free < ROOM:
            raise pulumi.RunError(
                f"no room to build {reference}: the Docker engine's disk has {free >> 20} MB left in {root} and "
                f"building takes {ROOM >> 20}: free some (docker system df shows what is used) and say up again"
            ) from None
    except EngineError as error:
        raise pulumi.RunError(str(error)) from None
    return str(reference)


def _not_lost(reference: str, missing: list[EngineConnection]) -> str:
    """Returns the reference if Pulumi has built it since, and not found it unchanged.

    Raises:
        pulumi.RunError: if it is gone: Pulumi would take a container away, and find nothing to make the next one of.
    """
    if missing and not pulumi.runtime.is_dry_run():
        try:
            missing[0].get(f"/images/{reference}/json")
        except NotThereError:
            raise pulumi.RunError(
                f"the image {reference} is gone (docker rmi -f takes it): ./pulumiw up --refresh --stack "
                f"{pulumi.get_stack()} makes it again"
            ) from None
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
    return reference


def _have_base(connection: EngineConnection, base: str) -> None:
    # one that was pulled is pulled again by the build; and a preview knows the name of one that is going to be made
    if base.startswith(OWN) and not pulumi.runtime.is_dry_run():
        try:
            connection.get(f"/images/{base}/json")
        except NotThereError:
            raise pulumi.RunError(
                f"the image {base}, which others are built on, is gone (docker image prune takes it): ./pulumiw "
                f"up --refresh --stack {pulumi.get_stack()} makes it again"
            ) from None


def _tag(digest: str, base: str, labels: dict[str, str]) -> str:
    return hashlib.sha256(f"{digest}\0{base}\0{sorted(labels.items())}".encode()).hexdigest()[:16]
