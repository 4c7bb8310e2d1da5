"""A host that has no thread left: what needs one gets it later."""

import threading

import pytest

from azurefile.keeper import Keeper
from azurefile.lease import Lease
from azurefile.leases import RENEWALS
from tests.plugin.harness import eventually
from tests.plugin.shared import TAKEOVER, Machine


def test_a_host_without_a_thread_for_a_share_gets_one_later(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = one.claim()
    keeper = Keeper(one.leases, 0.3 * RENEWALS, lambda _: None)

    def full(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            keeper.keep(one.store)
    confirmed = lease.confirmed
    one.world.now += 1
    keeper.keep(one.store)

    def renewed() -> None:
        assert lease.confirmed > confirmed

    try:
        eventually(renewed)
    finally:
        keeper.drop(one.store)


def test_a_host_without_a_thread_for_it_gives_a_lease_up_later(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = one.claim()
    lost: list[Lease] = []
    keeper = Keeper(one.leases, TAKEOVER, lost.append)

    def full(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        with pytest.raises(RuntimeError):
            keeper.give_up(lease, "no renewal for 30 s")
    assert not lease.lost
    keeper.give_up(lease, "no renewal for 30 s")

    def given_up() -> None:
        assert lost == [lease]

    eventually(given_up)
