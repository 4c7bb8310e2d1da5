"""Claims of one folder of a share at the same moment, with and without the mutex."""

from typing import Any

import pytest

from azurefile.held import Held
from tests.plugin.shared import Machine, MemoryFolder


def test_a_claim_goes_on_without_a_mutex_that_a_vanished_host_holds(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    folder.lock("mutex")
    one.claim()
    with pytest.raises(Held):
        two.claim()


def test_of_two_claims_without_a_mutex_at_most_one_stays(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock("mutex")
    records = one.store.records
    raced: list[object] = []

    def overtaken(**given: Any) -> object:
        found = records(**given)
        if not raced:
            # What the other one writes between this one's look and its own record.
            raced.append(two.claim())
        return found

    monkeypatch.setattr(one.store, "records", overtaken)
    with pytest.raises(Held):
        one.claim()
    assert one.leases.of("dbs") is None
    assert two.leases.of("dbs") is not None


@pytest.mark.parametrize("broken", [True, False])
def test_a_claim_with_the_mutex_looks_again_too(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The connection that had the mutex broke, or its claim stood still until the other went on without."""
    records = one.store.records
    raced: list[object] = []

    def overtaken(**given: Any) -> object:
        found = records(**given)
        if not raced:
            if broken:
                del folder.locks["mutex"]
            raced.append(two.claim())
        return found

    monkeypatch.setattr(one.store, "records", overtaken)
    with pytest.raises(Held):
        one.claim()
    assert one.leases.of("dbs") is None
    assert two.leases.of("dbs") is not None


def test_of_two_volumes_of_one_host_that_claim_at_once_only_one_gets_the_folder(
    folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock("mutex")
    records = one.store.records
    raced: list[object] = []

    def overtaken(**given: Any) -> object:
        found = records(**given)
        if not raced:
            raced.append(None)
            one.claim("b", folder="x")
        return found

    monkeypatch.setattr(one.store, "records", overtaken)
    with pytest.raises(Held):
        one.claim("a", folder="x")
    assert one.leases.held() == ["b"]
    for name in ("c", "d"):
        one.claim(name, folder="y", exclusive="false")
