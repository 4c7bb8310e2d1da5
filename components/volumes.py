"""A Docker volume mapped onto a file share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi

from components import docker
from components.hosts import DockerHost
from components.plugin import AzureFilePlugin
from components.shares import FileShare
from components.state import VOLUME, recorded


class MappedVolumeArgs(TypedDict):
    """Arguments of `MappedVolume`."""

    host: DockerHost
    """Where the volume is."""
    plugin: AzureFilePlugin
    """The driver."""
    share: FileShare
    """Where its files are; they outlive the volume."""
    volume: str
    """The volume's name on the engine."""
    folder: NotRequired[str | None]
    """Folder inside the share; its root by default."""
    exclusive: NotRequired[bool]
    """One writing container at a time."""
    options: NotRequired[dict[str, str]]
    """Further options of the driver."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the volume."""
    after: NotRequired[list[pulumi.Input[str]]]
    """What is known before this one is replaced, and has nothing else to do with it."""


class MappedVolume(pulumi.ComponentResource):
    """A name for a share's folder that containers mount. To change or delete it touches no file."""

    volume: pulumi.Output[str]
    """Its name on the engine, known once it is there."""
    share: pulumi.Output[str]
    """Name of the share."""

    def __init__(self, name: str, args: MappedVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the volume."""
        super().__init__("datadocker:index:MappedVolume", name, {}, opts)
        share = args["share"]
        options: dict[str, pulumi.Input[str]] = {**share.options, **(args.get("options") or {})}
        options["share"] = share.share
        if folder := args.get("folder"):
            options["folder"] = folder
        if args.get("exclusive"):
            options["exclusive"] = "true"
        driver = args["plugin"].driver.apply(lambda driver: f"{driver}:latest")
        volume = docker.Volume(
            f"{name}-volume",
            name=_in_turn(args, name, pulumi.Output.all(driver=driver, driverOpts=options)),
            driver=driver,
            driver_opts=options,
            labels=[{"label": k, "value": v} for k, v in args["labels"].items()],
            # any change replaces it, and the name is taken until the old one is gone
            opts=args["host"].child(self, delete_before_replace=True),
        )
        self.volume = volume.name
        self.share = share.share
        self.register_outputs({"volume": self.volume, "share": self.share})


def _in_turn(args: MappedVolumeArgs, name: str, wanted: pulumi.Output[dict[str, Any]]) -> pulumi.Input[str]:
    """The volume's name. For one that is replaced it is known only after what is in `after`.

    Pulumi knows of no dependency, by which one would be replaced with the others.
    """
    before = recorded().get((VOLUME, f"{name}-volume"))
    if before is None or not args.get("after"):
        return args["volume"]

    async def wait() -> str:
        here = {"name": args["volume"], **(await wanted.future() or {})}
        if any(before.get(key) != value for key, value in here.items()):
            for first in args["after"]:
                await pulumi.Output.from_input(first).future()
        return args["volume"]

    return pulumi.Output.from_input(wait())
