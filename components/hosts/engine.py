"""An engine, as providers are told of it."""

from __future__ import annotations

from typing import TypedDict


class Engine(TypedDict):
    """How to reach an engine: what a provider needs besides the Docker provider's own arguments."""

    url: str
    """`unix:///…` or `ssh://user@address:port`."""
    ssh_opts: list[str]
    """Arguments for ssh; empty for a local engine."""
