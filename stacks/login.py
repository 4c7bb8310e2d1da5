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
# each as the setting of azure-native and the variable that it reads where there is none
CLIENT, OIDC = ("clientId", "ARM_CLIENT_ID"), ("useOidc", "ARM_USE_OIDC")
PROOFS = (("clientSecret", "ARM_CLIENT_SECRET"), ("clientCertificatePath", "ARM_CLIENT_CERTIFICATE_PATH"))
TOKENS = (
    ("oidcToken", "ARM_OIDC_TOKEN"),
    ("oidcTokenFilePath", "ARM_OIDC_TOKEN_FILE_PATH"),
    ("oidcRequestToken", "ARM_OIDC_REQUEST_TOKEN"),
    # GitHub's own
    ("oidcRequestToken", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
)
# what needs no client
SWITCHES = (("useMsi", "ARM_USE_MSI"), ("useDefaultAzureCredential", "ARM_USE_DEFAULT_AZURE_CREDENTIAL"))


def subscription() -> str:
    """Returns the id of the subscription that azure-native is going to use.

    Raises:
        pulumi.RunError: if nobody is logged in, or the subscription is not known.
    """
    chosen = _given("subscriptionId", "ARM_SUBSCRIPTION_ID")
    client, oidc = _given(*CLIENT), _is_on(*OIDC)
    proven = any(_given(*proof) for proof in (*PROOFS, *(TOKENS if oidc else ())))
    if (client and proven) or any(_is_on(*switch) for switch in SWITCHES):
        if not chosen:
            raise pulumi.RunError(f"Azure: which subscription? Set azure-native:subscriptionId: {HOW}")
        return chosen
    if oidc:
        lacking = "token" if client else "id of a client"
        raise pulumi.RunError(f"Azure: {_source(*OIDC)} is set, and no {lacking} with it: {HOW}")
    # the id of a client alone is no login: azure-native goes on to az
    known = _command_line_tool() if shutil.which("az") else []
    if not known and client:
        raise pulumi.RunError(
            f"Azure: {_source(*CLIENT)} is set, and no secret or certificate with it, nor {OIDC[1]}=true and a token: "
            f"{HOW}"
        )
    if not known:
        raise pulumi.RunError(f"not logged in to Azure: {HOW}")
    return chosen or next((s["id"] for s in known if s.get("isDefault")), known[0]["id"])


def _given(setting: str, variable: str) -> str:
    """What azure-native reads."""
    value = pulumi.Config("azure-native").get(setting)
    return os.environ.get(variable, "") if value is None else value


def _is_on(setting: str, variable: str) -> bool:
    # it takes no other spelling
    return _given(setting, variable) == "true"


def _source(setting: str, variable: str) -> str:
    return variable if pulumi.Config("azure-native").get(setting) is None else f"azure-native:{setting}"


def _command_line_tool() -> list[dict[str, str]]:
    """The subscriptions of which az knows, whatever their state: azure-native takes the default one as it is."""
    folder = Path(os.environ.get("AZURE_CONFIG_DIR") or Path.home() / ".azure")
    try:
        # it writes a byte order mark
        listed = json.loads((folder / "azureProfile.json").read_text("utf-8-sig")).get("subscriptions") or []
    except (OSError, ValueError, AttributeError):
        return []
    return [s for s in listed if s.get("id")]
