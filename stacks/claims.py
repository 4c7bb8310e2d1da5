"""What a stack needs on its engine for itself."""

from __future__ import annotations

from dataclasses import replace

from components.folders import Folder
from components.hosts import Claims, Server
from stacks.names import DEMO_CONTAINERS, WRITTEN_BY_DEMO
from stacks.owner import Labels
from stacks.settings import Settings


def claims(settings: Settings, labels: Labels) -> Claims:
    """What no other stack on the engine may have; `labels` say whose it is."""
    prefix = settings.prefix
    return {
        "labels": labels,
        "containers": [prefix + name for name in _containers(settings)],
        "volumes": [prefix + volume.name for volume in settings.volumes],
        "servers": [
            Server(
                container=prefix + d.name,
                volume=prefix + d.volume,
                folder=folder_of(settings, d.volume),
                port=d.port,
            )
            for d in settings.databases
        ],
        "files": [folder_of(settings, name) for name in WRITTEN_BY_DEMO] if settings.stack == "demo" else [],
        "plugin": {"driver": settings.plugin.name, "root": settings.plugin.root},
    }


def _containers(settings: Settings) -> list[str]:
    """Names of the stack's containers, without the prefix."""
    return [*demo_containers(settings), *(d.name for d in settings.databases)]


def demo_containers(settings: Settings) -> list[str]:
    """Names of the demo's containers, without the prefix; none where it is not set up."""
    return [*DEMO_CONTAINERS] if settings.stack == "demo" else []


def folder_of(settings: Settings, volume: str) -> Folder:
    """What the volume of that name maps."""
    # what the host does not wait for
    from stacks.data import driver_defaults

    mapped = settings.folder_of(next(known for known in settings.volumes if known.name == volume))
    return replace(mapped, account=mapped.account or driver_defaults(settings).get("account", ""))
