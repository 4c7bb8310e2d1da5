"""Shares that only an account for large ones takes, which it then is for good."""

from __future__ import annotations

from pathlib import Path

from tests.azure.clone import Clone
from tests.azure.standin import StandIn

# shares alone, since no machine boots; what a host would be told of them is left out
SHARES = """
from stacks import shares
from stacks.config import read_settings
from components.shares.azure import AzureFileShares

AzureFileShares._key_on_host = lambda files, name: files
shares.file_shares(read_settings(), None, None)
"""


def test_a_large_quota_comes_and_goes(tmp_path: Path, azure: StandIn) -> None:
    clone = Clone(tmp_path, azure, "staging")
    (clone.checkout / "__main__.py").write_text(SHARES)
    for quota, state in ((100, None), (6000, "Enabled"), (100, "Enabled"), (7000, "Enabled")):
        clone.pulumi("config", "set", "--path", "datadocker:shares.quota", str(quota))
        clone.change("up")
        account = azure.cloud.only("storage:StorageAccount")
        assert azure.cloud.get(account.id).get("largeFileSharesState") == state
        assert {s.inputs["shareQuota"] for s in azure.cloud.of_type("storage:FileShare")} == {quota}
        clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
        clone.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    clone.pulumi("config", "set", "--path", "datadocker:shares.quota", "100")
    clone.change("destroy")
    clone.change("up")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
