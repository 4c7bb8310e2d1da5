"""Who is logged in to Azure: looked up without any network, so that nobody waits to hear that nobody is."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pulumi

HOW = (
    "say az login and az account set --subscription NAME, or set ARM_CLIENT_ID, ARM_CLIENT_SECRET, ARM_TENANT_ID and "
    "ARM_SUBSCRIPTION_ID of a service principal; docs/azure.md tells more"
)
# what pulumi-azure-native takes instead of a client's secret
OTHER_PROOFS = ("ARM_CLIENT_CERTIFICATE_PATH", "ARM_OIDC_TOKEN", "ARM_OIDC_TOKEN_FILE_PATH", "ARM_OIDC_REQUEST_TOKEN")
SWITCHES = ("ARM_USE_MSI", "ARM_USE_OIDC")


def subscription() -> str:
    """Returns the id of the subscription that azure-native is going to use.

    Raises:
        pulumi.RunError: if nobody is logged in, or the subscription is not known.
    """
    config = pulumi.Config("azure-native")
    chosen = config.get("subscriptionId") or os.environ.get("ARM_SUBSCRIPTION_ID") or ""
    client = config.get("clientId") or os.environ.get("ARM_CLIENT_ID")
    by_itself = any(os.environ.get(s, "").lower() in ("true", "1") for s in SWITCHES) or config.get_bool("useMsi")
    if client or by_itself:
        proof = config.get("clientSecret") or os.environ.get("ARM_CLIENT_SECRET")
        if not (proof or by_itself or any(os.environ.get(p) for p in OTHER_PROOFS)):
            raise pulumi.RunError(f"Azure: ARM_CLIENT_ID is set, and no secret or certificate with it: {HOW}")
        if not chosen:
            raise pulumi.RunError(f"Azure: which subscription? Set azure-native:subscriptionId: {HOW}")
        return chosen
    known = _command_line_tool()
    if shutil.which("az") is None or not known:
        raise pulumi.RunError(f"not logged in to Azure: {HOW}")
    return chosen or next((s["id"] for s in known if s.get("isDefault")), known[0]["id"])


def _command_line_tool() -> list[dict[str, str]]:
    """The subscriptions of which az knows."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    try:
        # it writes a byte order mark
        listed = json.loads((folder / "azureProfile.json").read_text("utf-8-sig")).get("subscriptions") or []
    except (OSError, ValueError, AttributeError):
        return []
    return [s for s in listed if s.get("state", "Enabled") == "Enabled" and s.get("id")]
