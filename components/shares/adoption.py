"""Taking back what an earlier life of the stack left on Azure.

Azure does not create what exists. What was retained is there, and not in the state: it is imported, and then
changed to what the settings say, in the same update. What the state has is not looked up at all, unless it is there by
another name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import grpc
import pulumi

from components.state import ask, recorded

STACK_TAG = "datadocker-stack"
# Azure's codes: ResourceNotFound, ResourceGroupNotFound, ShareNotFound …; a wrong subscription is no absence
ABSENT = re.compile(r"(?<!Subscription)NotFound\b|RESPONSE 404|Status=404")


class Found:
    """What Azure says of something that exists."""

    def __init__(self, identity: str, tags: Mapping[str, str] | None = None) -> None:
        """`identity`: its id; `tags`: where it can have any."""
        self.id, self.tags = identity, tags


def adopt(
    typ: str,
    name: str,
    look: Callable[[], Found | None],
    options: dict[str, Any],
    *,
    same: bool,
    owner: str = "",
) -> dict[str, Any]:
    """Returns `options` of the resource `name` of type `typ`, with the import of what `look` finds.

    `same` says that what the state has, if anything, is what is wanted now. With `owner`, what is found has to carry
    its tag.

    Raises:
        pulumi.RunError: if what is found is somebody else's.
    """
    if same and (typ, name) in recorded():
        return options
    found = look()
    if found is None:
        return options
    if owner and (found.tags or {}).get(STACK_TAG) != owner:
        raise pulumi.RunError(
            f"{found.id} exists and is not this stack's: it lacks the tag {STACK_TAG}={owner}. "
            f"Name another by datadocker:shares.account and shares.resourceGroup, or tag it so if it is yours"
        )
    pulumi.log.info(f"{name}: {found.id} exists and is taken back")
    return options | {"import_": found.id}


def look_up(token: str, **arguments: str) -> Found | None:
    """Asks Azure by the function `token` of its provider; nothing where it says that there is no such thing.

    Raises:
        pulumi.RunError: if Azure says anything else.
    """
    try:
        found = ask(token, arguments, version("pulumi-azure-native"))
    except Exception as error:  # what gRPC and the mocks raise has nothing narrower in common
        said = " ".join((error.details() or "" if isinstance(error, grpc.Call) else str(error)).split())
        if ABSENT.search(said):
            return None
        raise pulumi.RunError(f"Azure could not be asked for what is there: {said}") from None
    return Found(found["id"], found.get("tags"))
