"""Machines that were deleted behind Pulumi's back, and all that was on them.

A refresh asks the engine of such a machine for every container, in no order, and fails, since nobody answers. So the
machine itself is asked for first; where it is gone, the state forgets what was on it, and the refresh goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from toolchain.cli import Cli
from toolchain.commandline import BARE, YES
from toolchain.progress import ToolchainError, say

MACHINE = "azure-native:compute:VirtualMachine"
REFRESH = re.compile(f"--refresh(?:={YES})?|{BARE}r(?:={YES}|[^=].*)?")
PREVIEW = re.compile(f"--preview-only(?:={YES})?")


def is_refresh(command: str, arguments: list[str]) -> bool:
    """Whether a command begins with a refresh that changes the state."""
    asked = any(REFRESH.fullmatch(argument) for argument in arguments)
    changes = command not in ("preview", "pre") and not any(PREVIEW.fullmatch(argument) for argument in arguments)
    return changes and (command == "refresh" or asked)


def forget(cli: Cli, stack: str) -> None:
    """Makes the state forget each virtual machine that is gone, with what was on it; others are only looked at.

    Raises:
        ToolchainError: if Azure can't be asked, as where nobody is logged in, or the state can't be changed.
    """
    exported = cli.export(stack)
    if MACHINE not in exported:
        return
    resources = json.loads(exported)["deployment"].get("resources") or []
    for machine in (r for r in resources if r["type"] == MACHINE):
        urn = str(machine["urn"])
        name = urn.rsplit("::", 1)[1]
        if machine.get("pendingReplacement") or _is_gone(cli, stack, urn):
            say(f"virtual machine {name} is gone: the state forgets what was on it")
            # what depends on it is what is on it, or is made anew from what the state keeps
            cli.run("state", "delete", urn, "--target-dependents", "--force", "--yes", "--stack", stack)


def _is_gone(cli: Cli, stack: str, urn: str) -> bool:
    """Asks Azure; of one that was deleted to be replaced, Pulumi does not."""
    try:
        looked = cli.output("refresh", "--preview-only", "--json", "--target", urn, "--stack", stack)
    except ToolchainError as error:
        name = urn.rsplit("::", 1)[1]
        raise ToolchainError(f"whether virtual machine {name} is there can't be asked of Azure: {error}") from None
    return any(step.get("op") == "delete" and step.get("urn") == urn for step in _steps(looked))


def _steps(text: str) -> Iterator[dict[str, Any]]:
    yield from json.loads(text or "{}").get("steps") or []
