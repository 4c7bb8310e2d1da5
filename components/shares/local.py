"""A file share that is a folder on the host, under the plugin's root."""

from __future__ import annotations

from typing import TypedDict

import pulumi

from components.custom import ShareFolder
from components.hosts import DockerHost
from components.plugin import AzureFilePlugin
from components.shares.share import FileShare


class LocalShareArgs(TypedDict):
    """Arguments of `LocalShare`."""

    host: DockerHost
    """Where the folder is."""
    plugin: AzureFilePlugin
    """The plugin that serves it: it makes the folder when a volume is first mounted."""
    share: str
    """Its name."""
    retain: bool
    """Keep its data when this resource is destroyed."""


class LocalShare(FileShare):
    """A share whose data stays when the stack goes, unless `retain` is false."""

    def __init__(self, name: str, args: LocalShareArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the share."""
        super().__init__("datadocker:index:LocalShare", name, {}, opts)
        self.options = {"protocol": "local"}
        folder = ShareFolder(
            f"{name}-folder",
            {
                "engine": args["host"].engine,
                "root": args["plugin"].root,
                "image": args["plugin"].image,
                "share": args["share"],
                "retain": args["retain"],
            },
            args["host"].resident(self, retain_on_delete=args["retain"]),
        )
        self.share = folder.share
        self.register_outputs({"share": self.share})
