"""What a user of a fresh clone meets before a machine answers."""

from __future__ import annotations

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
    code, said = clone.run("up", "--yes")
    assert code
    # the CLI shows each error twice
    (line,) = {line.partition("error: ")[2] for line in said.splitlines() if "not logged in" in line}
    assert "say az login" in line
    assert "Traceback" not in said
    # Azure was asked for nothing, so nothing was waited for
    assert not [kind for kind in clone.resources() if kind.startswith("azure-native:")]


def test_an_up_that_no_jump_host_lets_in_has_made_azures_part_and_says_so(tmp_path: Path, azure: StandIn) -> None:
    clone = Clone(tmp_path, azure, "prod")
    # nobody listens there
    clone.pulumi("config", "set", "--path", "datadocker:host.jumpHost", "jump@127.0.0.1:9")
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "ssh to datadocker@10.60.1.4 failed: ssh: connect to host 127.0.0.1 port 9: Connection refused; mend" in said
    assert azure.cloud.only("compute:VirtualMachineRunCommandByVirtualMachine")
    assert clone.seconds[-1][1] < 120
