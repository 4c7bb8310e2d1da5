"""The talk "Data + Docker = Disconbobulating?": a host, the plugin, volumes; then writers, a reader, a database."""

from __future__ import annotations

from dataclasses import replace

import pulumi

from components.hosts import DockerHost
from components.images import ContextImage
from components.readers import LogReader
from components.writers import LogWriter
from stacks.databases import Foundation, databases
from stacks.names import READER, WRITERS
from stacks.owner import Labels
from stacks.settings import Settings


def demo(settings: Settings, host: DockerHost, labels: Labels) -> Foundation:
    """Registers the whole demo; returns what it stands on, with what uses its volumes."""
    stack = databases(settings, host, labels)
    # three containers write one file
    writer = _image("writer", stack)
    writers = [
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
        )
        for name in WRITERS
    ]
    # and one reads it
    reader = LogReader(
        READER,
        {
            "host": stack.host,
            "image": _image("reader", stack),
            "container": settings.prefix + READER,
            "logs": stack.volumes["logs"],
            "labels": stack.labels,
        },
    )
    return replace(stack, users=[*stack.users, *writers, reader])


def _image(name: str, stack: Foundation) -> pulumi.Output[str]:
    return ContextImage(
        name,
        {
            "host": stack.host,
            "context": f"images/{name}",
            "base": stack.base,
            "labels": stack.image_labels,
        },
    ).built
