"""The azurefile volume plugin, built and installed on a host's engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pulumi

from components.custom import EnginePlugin
from components.hosts import DockerHost
from components.images import ContextImage
from provider.connection import Engine

CONTEXT = "azurefile"


class AzureFilePluginArgs(TypedDict):
    """Arguments of `AzureFilePlugin`."""

    host: DockerHost
    """Where it is installed."""
    base: pulumi.Input[str]
    """Image to build it on."""
    driver: str
    """Its name on the engine: the NAME of `docker volume create -d NAME`."""
    root: str
    """Folder on the host for its state, credentials and local shares."""
    defaults: dict[str, str]
    """Volume options that count where a volume names none, such as `protocol`."""
    volumes: list[str]
    """Names of volumes that the stack is going to have: what `root` knows of them from an engine that is gone goes."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of its image."""


class AzureFilePlugin(pulumi.ComponentResource):
    """A managed plugin. An identical one is adopted; it goes when no volume uses it any more."""

    driver: pulumi.Output[str]
    """Its name on the engine, known once it is enabled."""
    root: pulumi.Output[str]
    """Its folder on the host."""
    image: pulumi.Output[str]
    """The image that it is made of; the same program runs from it for one-off jobs on shares."""

    def __init__(self, name: str, args: AzureFilePluginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers image and plugin."""
        super().__init__("datadocker:index:AzureFilePlugin", name, {}, opts)
        image = ContextImage(
            name,
            {
                "host": args["host"],
                "context": CONTEXT,
                "base": args["base"],
                "labels": args["labels"],
            },
            pulumi.ResourceOptions(parent=self),
        )
        plugin = EnginePlugin(
            f"{name}-plugin",
            {
                "engine": args["host"].engine,
                "driver": args["driver"],
                "image": image.built,
                "config": _plugin_config(Path(CONTEXT), image.digest),
                "root": args["root"],
                "socket": args["host"].engine.apply(_socket_on_host),
                "defaults": ",".join(f"{k}={v}" for k, v in sorted(args["defaults"].items())),
                "volumes": args["volumes"],
            },
            args["host"].resident(self),
        )
        self.driver = plugin.driver
        self.root = plugin.root
        self.image = image.built
        self.register_outputs({"driver": self.driver})


def _socket_on_host(engine: Engine) -> str:
    url = engine["url"]
    return url.removeprefix("unix://") if url.startswith("unix://") else "/var/run/docker.sock"


def _plugin_config(context: Path, files: str) -> str:
    """The plugin's config.json, its description carrying the hash that says which build it is."""
    text = (context / "config.json").read_text(encoding="utf-8")
    # the stack's labels are left out: plugins of two stacks are identical if their sources are
    digest = hashlib.sha256((files + text).encode()).hexdigest()[:16]
    return json.dumps(json.loads(text.replace("@HASH@", digest)), sort_keys=True)
