"""The folder of a local share under the plugin's root on the host."""

from __future__ import annotations

from provider.oneoff import ran
from provider.resource import EngineResource, Props, engine_client
from provider.turns import turn


class ShareFolder(EngineResource):
    """Props: `engine`, `root`, `image` (that the plugin is made of), `share`, `retain`."""

    # another way to the host, or another root, is no reason to delete what is there
    replaced_by = ("share",)
    updated_by = ("engine", "root", "image", "retain")

    def create(self, props: Props) -> str:
        # the plugin makes the folder when a volume on it is first mounted
        return str(props["share"])

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def delete(self, identity: str, props: Props) -> None:
        if props["retain"]:
            return
        # it refuses while anything holds the share, or a volume names it
        with (
            turn(props["root"], shared=True),
            engine_client(props["engine"]) as engine,
            ran(engine, props["image"], props["root"], "remove-share", identity),
        ):
            pass
