"""A file share that is a folder on the host, under the plugin's root."""

from __future__ import annotations

from typing import Any, TypedDict

import pulumi
from pulumi import dynamic

from components.hosts import DockerHost
from components.hosts.sdk import engine_client
from components.plugin import AzureFilePlugin


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


class LocalShare(pulumi.ComponentResource):
    """A share whose data stays when the stack goes, unless `retain` is false."""

    share: pulumi.Output[str]
    """Its name."""
    options: dict[str, str]
    """What a volume on it has to tell the driver."""

    def __init__(
        self, name: str, args: LocalShareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
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
            pulumi.ResourceOptions(parent=self, retain_on_delete=args["retain"]),
        )
        self.share = folder.share
        self.register_outputs({"share": self.share})


class _ShareProvider(dynamic.ResourceProvider):
    def configure(self, req: dynamic.ConfigureRequest) -> None:
        self._shares = req.config.get("datadocker:shares") or ""

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        return dynamic.CreateResult(id_=props["share"], outs=props)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [k for k in ("engine", "root", "share") if olds.get(k) != news[k]]
        changes = any(olds.get(k) != news[k] for k in ("image", "retain"))
        return dynamic.DiffResult(changes=bool(replaces) or changes, replaces=replaces)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        return dynamic.ReadResult(id_, props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        if props["retain"] or '"retain":true' in self._shares.replace(" ", ""):
            # the configuration was changed to keep the data since the last up
            pulumi.log.info(f"the data of share {id_} stays in {props['root']}/shares/{id_}")
            return
        with engine_client(props["engine"]) as engine:
            # the plugin's own program refuses while anything holds the share
            engine.containers.run(
                props["image"],
                ["remove-share", id_],
                entrypoint=["python3", "-m", "azurefile"],
                volumes=[f"{props['root']}:/var/lib/datadocker"],
                network_mode="none",
                remove=True,
            )


class ShareFolder(dynamic.Resource, module="shares", name="ShareFolder"):
    """The folder of a local share."""

    share: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: `engine`, `root`, `image`, `share`, `retain`."""
        super().__init__(_ShareProvider(), name, props, opts)
