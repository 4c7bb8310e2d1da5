"""The folder of a local share under the plugin's root on the host."""

from __future__ import annotations

from typing import Any

from provider.resource import EngineResource, Failure, Props, engine_client


class ShareFolder(EngineResource):
    """Props: `engine`, `root`, `image` (that the plugin is made of), `share`, `retain`."""

    replaced_by = ("engine", "root", "share")
    updated_by = ("image", "retain")

    def create(self, props: Props) -> str:
        # the plugin makes the folder when a volume on it is first mounted
        return str(props["share"])

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def delete(self, identity: str, props: Props) -> None:
        if props["retain"]:
            return
        from docker.errors import ContainerError

        with engine_client(props["engine"]) as engine:
            try:
                # the plugin's own program: it refuses while anything holds the share
                engine.containers.run(
                    props["image"],
                    ["remove-share", identity],
                    entrypoint=["python3", "-m", "azurefile"],
                    volumes=[f"{props['root']}:/var/lib/datadocker"],
                    network_mode="none",
                    pid_mode="host",
                    remove=True,
                )
            except ContainerError as error:
                said: Any = error.stderr or str(error).encode()
                raise Failure(said.decode(errors="replace").strip().splitlines()[-1]) from error
