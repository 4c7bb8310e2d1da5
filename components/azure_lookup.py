"""What Azure says of what is there, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import grpc
import pulumi

from components.state import ask

# whose a resource is: project/stack
STACK_TAG = "datadocker-stack"
# Azure's codes: ResourceNotFound, ResourceGroupNotFound, ShareNotFound …; a wrong subscription is no absence
ABSENT = re.compile(r"^(?!.*SubscriptionNotFound).*(NotFound\b|RESPONSE 404|Status=404)")


class Found:
    """What Azure says of something that exists."""

    def __init__(self, identity: str, known: Mapping[str, Any]) -> None:
        """`identity`: its id; `known`: its properties, as Azure's own functions return them."""
        self.id, self.known = identity, known


def look_up(token: str, **arguments: str) -> Found | None:
    """Asks Azure by the function `token` of its provider, once a run; nothing where there is no such thing.

    Raises:
        pulumi.RunError: if Azure says anything else.
    """
    return _looked_up(token, tuple(arguments.items()))


@cache
def _looked_up(token: str, arguments: tuple[tuple[str, str], ...]) -> Found | None:
    try:
        found = ask_azure(token, **dict(arguments))
    except pulumi.RunError as error:
        if ABSENT.search(str(error)):
            return None
        raise
    return Found(found["id"], found)


def ask_azure(token: str, **arguments: str) -> dict[str, Any]:
    """Returns what the function `token` of Azure's provider answers.

    Raises:
        pulumi.RunError: if Azure refuses, or can't be asked.
    """
    try:
        return ask(token, arguments, version("pulumi-azure-native"))
    except Exception as error:  # what gRPC and the mocks raise has nothing narrower in common
        said = " ".join((error.details() or "" if isinstance(error, grpc.Call) else str(error)).split())
        raise pulumi.RunError(f"Azure could not be asked for what is there: {said}") from None
