"""Claims of one folder of a share at the same moment, with and without the mutex."""

from collections.abc import Callable
from typing import Any

import pytest

from azurefile.held import Held
from tests.plugin.shared import Machine, MemoryFolder


def overtake(machine: Machine, monkeypatch: pytest.MonkeyPatch, step: Callable[[], object]) -> None:
    """Let `step` happen once, between the machine's look at the records and its own record."""
    records = machine.store.records
    steps = [step]

    def overtaken(**given: Any) -> object:
        found = records(**given)
        if steps:
            steps.pop()()
        return found

    monkeypatch.setattr(machine.store, "records", overtaken)


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
    overtake(one, monkeypatch, two.claim)
    with pytest.raises(Held):
        one.claim()
    assert one.leases.of("dbs") is None
    assert two.leases.of("dbs") is not None


@pytest.mark.parametrize("broken", [True, False])
def test_a_claim_with_the_mutex_looks_again_too(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The connection that had the mutex broke, or its claim stood still until the other went on without."""

    def go_on() -> None:
        if broken:
            del folder.locks["mutex"]
        two.claim()

    overtake(one, monkeypatch, go_on)
    with pytest.raises(Held):
        one.claim()
    assert one.leases.of("dbs") is None
    assert two.leases.of("dbs") is not None


def test_of_two_volumes_of_one_host_that_claim_at_once_only_one_gets_the_folder(
    folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.lock("mutex")
    overtake(one, monkeypatch, lambda: one.claim("b", folder="x"))
    with pytest.raises(Held):
        one.claim("a", folder="x")
    assert one.leases.held() == ["b"]
    for name in ("c", "d"):
        one.claim(name, folder="y", exclusive="false")
