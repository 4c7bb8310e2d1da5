"""The talk on Azure from its first `up` to the next day's, in real machines and over real SMB.

One story, told in order: each test goes on where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.azure import effects
from tests.azure.staging import CLIENT, SAID, VM, WRITERS, Staging

# what `retain` names: data's group, account and shares
RETAINED = {
    "resources:ResourceGroup": 1,
    "storage:StorageAccount": 1,
    "storage:FileServiceProperties": 1,
    "storage:FileShare": 4,
}

pytestmark = [pytest.mark.machines, pytest.mark.incremental]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    made = Staging(tmp_path_factory.mktemp("staging"))
    yield made
    made.close()
    print("\n" + "\n".join(f"{seconds:6.0f} s  ./pulumiw {what}" for what, seconds in made.seconds))


def test_up_ends_with_the_talks_demo_running(staging: Staging) -> None:
    staging.have_no_plugin(True)
    staging.change("up")
    staging.have_no_plugin(False)
    staging.assert_demo_runs()
    staging.store_row()
    assert staging.rows() == [SAID]


def test_dockers_client_finds_the_engine_by_the_lines_of_the_outputs(staging: Staging) -> None:
    outputs = staging.outputs()
    staging.docker(outputs["dockerContext"])
    for way in ("--context datadocker-staging", f"-H {outputs['dockerHost']}"):
        assert "mydb" in staging.docker(f"docker {way} ps --format '{{{{.Names}}}}'").splitlines()


def test_ssh_alone_is_open_and_to_the_named_range_alone(staging: Staging) -> None:
    ports = (22, 2375, 2376, 3306, 6603)
    assert [port for port in ports if staging.lets_in(port)] == [22]
    staging.come_from("198.51.100.7")
    assert not any(staging.lets_in(port) for port in ports)
    with pytest.raises(AssertionError, match="Connection refused"):
        staging.ssh("true")
    staging.come_from(CLIENT)
    staging.ssh("true")


def test_a_second_up_and_a_refresh_change_nothing(staging: Staging) -> None:
    staging.change("up", "--expect-no-changes")
    staging.change("refresh", "--expect-no-changes")


def test_the_other_key_changes_its_file_alone_and_all_goes_on_with_it(staging: Staging) -> None:
    staging.pulumi("config", "set", "--path", "datadocker:shares.key", "key2")
    said = staging.change("up")
    assert "AccountKey files-key updated" in said
    assert "~ 1 updated" in said
    assert "replaced" not in said
    # the first one is made anew, and what it had opened ends
    staging.shares.key = 1
    (account,) = staging.shares.servers
    effects.regenerate_key(staging.cloud, account, 0)
    staging.server.disconnect()
    staging.assert_demo_runs()
    # which waits for the database
    staging.change("up", "--expect-no-changes")
    assert staging.rows() == [SAID]


def test_destroy_leaves_what_is_retained_and_nothing_else(staging: Staging) -> None:
    staging.change("destroy")
    assert staging.resources() == []
    assert not staging.machines.machines
    left = [r.kind.token.removeprefix("azure-native:") for r in staging.cloud.resources.values()]
    assert {token: left.count(token) for token in left} == RETAINED
    assert all(
        "-data" in r.id or r.kind.token.endswith("FileServiceProperties") for r in staging.cloud.resources.values()
    )
    assert set(staging.written()) == WRITERS


def test_the_next_up_has_yesterdays_data(staging: Staging) -> None:
    yesterday = staging.written()
    staging.change("up")
    assert staging.rows() == [SAID]
    staging.assert_demo_runs()
    assert all(staging.written()[w] > yesterday[w] for w in WRITERS)


def test_a_database_is_open_to_the_named_network_alone(staging: Staging) -> None:
    assert not staging.lets_in(6603)
    staging.pulumi("config", "set", "--path", "datadocker:databases[0].allowFrom[0]", f"{CLIENT}/32")
    staging.change("up")
    assert "tunnel" not in staging.outputs()["databases"]["mydb"]
    assert staging.rows() == [SAID]
    assert not staging.lets_in(3306)
    staging.come_from("198.51.100.7")
    assert not staging.lets_in(6603)
    staging.come_from(CLIENT)


def test_another_zone_replaces_the_machine_and_the_data_is_back_in_the_same_up(staging: Staging) -> None:
    before = staging.cloud.only(VM).facts["vmId"]
    staging.pulumi("config", "set", "--path", "datadocker:host.zone", "1")
    staging.change("up")
    assert staging.cloud.only(VM).facts["vmId"] != before
    assert staging.rows() == [SAID]
    # it was stopped, not cut off
    assert "crash recovery" not in staging.ssh("docker logs mydb")
    staging.assert_demo_runs()
    staging.change("up", "--expect-no-changes")


def test_a_machine_that_was_deleted_behind_our_back_is_made_anew(staging: Staging) -> None:
    machine = staging.cloud.only(VM)
    before = machine.facts["vmId"]
    staging.cloud.remove(machine.id)
    staging.change("up", "--refresh")
    assert staging.cloud.only(VM).facts["vmId"] != before
    assert staging.rows() == [SAID]
    staging.assert_demo_runs()


def test_destroy_needs_no_machine_that_answers(staging: Staging) -> None:
    staging.machine.pause()
    staging.change("destroy")
    assert staging.resources() == []
    assert not staging.machines.machines
