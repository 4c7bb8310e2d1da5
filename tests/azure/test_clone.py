"""What a user of a fresh clone meets before anything is made."""

from __future__ import annotations

import time
from pathlib import Path

from tests.azure.clone import Clone
from tests.azure.standin import StandIn


def test_a_preview_of_prod_lists_what_it_would_make_and_makes_nothing(tmp_path: Path, azure: StandIn) -> None:
    said = Clone(tmp_path, azure, "prod").pulumi("preview")
    # the one tracked file that changes, and what to do about it
    assert "Pulumi.prod.yaml has the salt of this checkout's own passphrase now: leave that line out of commits" in said
    for kind in ("compute:VirtualMachine", "network:NatGateway", "storage:StorageAccount", "storage:FileShare"):
        assert f"azure-native:{kind}" in said
    assert "docker:index:Container mydb-container create" in said.replace("  ", " ")
    assert azure.cloud.resources == {}


def test_who_is_not_logged_in_hears_in_one_line_what_to_do(tmp_path: Path) -> None:
    clone = Clone(tmp_path, None, "staging")
    started = time.monotonic()
    code, said = clone.run("up", "--yes")
    assert code
    # the CLI shows each error twice
    (line,) = {line.partition("error: ")[2] for line in said.splitlines() if "not logged in" in line}
    assert "say az login" in line
    assert "Traceback" not in said
    # with a new stack, and other things running beside it
    assert time.monotonic() - started < 20
