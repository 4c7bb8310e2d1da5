"""The talk on Azure over NFS: a premium account without a key, one story as in test_demo.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.azure.staging import SAID, Staging

pytestmark = [pytest.mark.machines, pytest.mark.incremental]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    made = Staging(tmp_path_factory.mktemp("nfs"))
    for setting, value in (("protocol", "nfs"), ("performance", "premium")):
        made.pulumi("config", "set", "--path", f"datadocker:shares.{setting}", value)
    yield made
    made.close()
    print("\n" + "\n".join(f"{seconds:6.0f} s  ./pulumiw {what}" for what, seconds in made.seconds))


def test_up_ends_with_the_demo_on_nfs(staging: Staging) -> None:
    staging.change("up")
    staging.assert_demo_runs("nfs4", "vers=4.1")
    staging.store_row()
    assert staging.rows() == [SAID]


def test_a_second_up_changes_nothing(staging: Staging) -> None:
    staging.change("up", "--expect-no-changes")


def test_after_destroy_the_next_up_has_yesterdays_data(staging: Staging) -> None:
    yesterday = staging.written()
    staging.change("destroy")
    assert not staging.machines.machines
    staging.change("up")
    assert staging.rows() == [SAID]
    staging.assert_demo_runs("nfs4", "vers=4.1")
    assert all(staging.written()[writer] > before for writer, before in yesterday.items())
