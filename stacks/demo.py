"""The talk "Data + Docker = Disconbobulating?": a host, the plugin, volumes; then writers, a reader, a database."""

from __future__ import annotations

import pulumi

from components.images import ContextImage
from components.readers import LogReader
from components.writers import LogWriter
from stacks.databases import Foundation, databases
from stacks.settings import Settings

WRITERS = ("docker1", "docker2", "docker3")


def demo(settings: Settings) -> None:
    """Registers the whole demo."""
    stack = databases(settings)
    # a database takes longest to be ready, so its container starts first
    last = pulumi.ResourceOptions(depends_on=[*stack.databases.values()])
    # three containers write one file
    writer = _image("writer", stack)
    for name in WRITERS:
        LogWriter(
            name,
            {
                "host": stack.host,
                "image": writer,
                "container": settings.prefix + name,
                "logs": stack.volumes["logs"],
                "config": stack.volumes["config"],
                "labels": stack.labels,
            },
            last,
        )
    # and one reads it
    LogReader(
        "reader",
        {
            "host": stack.host,
            "image": _image("reader", stack),
            "container": f"{settings.prefix}reader",
            "logs": stack.volumes["logs"],
            "labels": stack.labels,
        },
        last,
    )


def _image(name: str, stack: Foundation) -> pulumi.Output[str]:
    return ContextImage(
        name,
        {
            "host": stack.host,
            "context": f"images/{name}",
            "base": stack.base,
            "labels": stack.labels,
        },
    ).built
