"""Whose a container or a volume on an engine is, by its labels, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# project/stack
STACK_LABEL = "io.datadocker.stack"
# two checkouts may each have a stack of that name: host:folder#token of the first run, kept in the stack's state
CHECKOUT_LABEL = "io.datadocker.checkout"
# the same on an image: a container inherits its image's labels, and the talk's own are made by hand from ours
IMAGE_LABEL = "io.datadocker.image-of"


def name_of(container: Mapping[str, Any]) -> str:
    """The name of a container that an engine lists; of a dead one, which may have lost its name, the short id."""
    names = container["Names"] or [container["Id"][:12]]
    return str(names[0]).lstrip("/")


def is_of(labels: Mapping[str, str] | None, owner: Mapping[str, str]) -> bool:
    """Whether what has `labels` belongs to the stack whose labels are `owner`."""
    return owner.items() <= (labels or {}).items()


def owner_of(labels: Mapping[str, str] | None) -> str:
    """Returns `stack datadocker/dev of HOST:FOLDER`, or nothing if no stack made it."""
    labels = labels or {}
    if CHECKOUT_LABEL not in labels:
        return ""
    return f"stack {labels.get(STACK_LABEL)} of {labels[CHECKOUT_LABEL].rsplit('#', 1)[0]}"
