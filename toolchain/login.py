"""Who is logged in to Azure, as far as that is known before there is a CLI: whether anybody can be."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from toolchain.progress import ToolchainError
from toolchain.stackfile import text_of

# the program's words and variables; a test compares them with those of stacks/login.py
HOW = (
    "say az login and az account set --subscription NAME, or set ARM_CLIENT_ID, ARM_CLIENT_SECRET, ARM_TENANT_ID and "
    "ARM_SUBSCRIPTION_ID of a service principal; docs/azure.md tells more"
)
# every login but that of az needs one of them; whether it is whole is for the program to say
BEGUN = ("ARM_CLIENT_ID", "ARM_USE_OIDC", "ARM_USE_MSI", "ARM_USE_DEFAULT_AZURE_CREDENTIAL")
# in a file or on the command line: the login may be in the settings, or in what only the CLI can read
ELSEWHERE = re.compile(r"azure-native:|^[\"']?environment\b|--config-file|--remote", re.MULTILINE)


def check(checkout: Path, stack: str, arguments: Sequence[str]) -> None:
    """Checks that somebody may be logged in to Azure: it refuses nobody whom the program lets pass.

    Raises:
        ToolchainError: if nobody is.
    """
    files = [text_of(checkout / name) for name in ("Pulumi.yaml", f"Pulumi.{stack}.yaml")]
    begun = any(os.environ.get(variable) for variable in BEGUN)
    if not (begun or ELSEWHERE.search("\n".join([*files, *arguments])) or default_subscription()):
        raise ToolchainError(f"not logged in to Azure: {HOW}")


def default_subscription() -> str:
    """That of Azure's command line tool, or nothing; the program's rule, which stacks/login.py has."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    try:
        # it writes a byte order mark
        listed = json.loads((folder / "azureProfile.json").read_text("utf-8-sig")).get("subscriptions") or []
    except (OSError, ValueError, AttributeError):
        return ""
    known = [s for s in listed if s.get("id")]
    return next((str(s["id"]) for s in [*(s for s in known if s.get("isDefault")), *known]), "")
