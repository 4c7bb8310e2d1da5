"""Updates of a part of a stack whose data on Azure is still to be taken back.

What exists is imported. Pulumi imports also what is not among the targets, but does not register the component that it
belongs to, and then no command reads the state any more (github.com/pulumi/pulumi, issues 14531 and 12621).
"""

from __future__ import annotations

import re

from toolchain.cli import Cli
from toolchain.commandline import BARE
from toolchain.progress import ToolchainError

ACCOUNT = "azure-native:storage:StorageAccount"
# whose targets are all of these takes all of the data back
DATA = ("AzureFileShares::", "AzureFileShares$azure-native", "AzureShare::")

# --replace alone leaves the others in
LIMIT = re.compile(f"(?:--target|--target-replace|--exclude)(?:=.*)?|{BARE}t.*")


def is_part(command: str, arguments: list[str]) -> bool:
    """Whether a command changes a part of the stack that is not all of its data."""
    limited = any(LIMIT.fullmatch(argument) for argument in arguments)
    return command in ("up", "update") and limited and not all(d in " ".join(arguments) for d in DATA)


def check(cli: Cli, stack: str) -> None:
    """Refuses the update of a part, while the state has no storage account.

    Raises:
        ToolchainError: if it has none.
    """
    if ACCOUNT not in cli.export(stack):
        raise ToolchainError(
            f"stack {stack} has no storage account yet, or not any more: a part of it can't be updated, since Pulumi "
            "would take back the data outside of that part, too, and break the state: say up without --target once"
        )
