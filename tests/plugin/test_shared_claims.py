"""Claims of a share at the same moment, and while it is away: with and without the mutex."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from azurefile import sharedstore
from azurefile.errors import COMES_BACK, ShareError, ShareSilent
from azurefile.held import Held
from azurefile.owner import Owner
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


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
    with pytest.raises(Held) as refused:
        one.claim()
    # the other may see this one and withdraw, too, so both try again
    assert 0 < refused.value.wait < 1
    assert COMES_BACK in str(refused.value)
    assert one.leases.of("dbs") is None
    assert two.leases.of("dbs") is not None


@pytest.mark.parametrize("listed", [[], ["mutex", "clock"]])
def test_a_listing_that_lacks_the_claims_own_record_lets_nobody_in(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch, listed: list[str]
) -> None:
    """As an NFS server answers for seconds whose files change on another of its heads."""
    one.claim()
    with monkeypatch.context() as patched:
        patched.setattr(folder, "names", lambda: listed)
        with pytest.raises(ShareSilent, match="does not list a record that was just written"):
            two.claim()
    assert two.leases.of("dbs") is None
    with pytest.raises(Held):
        two.claim()


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
    # The one waits for the other, which here is the same thread.
    monkeypatch.setattr(sharedstore, "_QUEUE_SECONDS", 0.1)
    overtake(one, monkeypatch, lambda: one.claim("b", folder="x"))
    with pytest.raises(Held):
        one.claim("a", folder="x")
    assert one.leases.held() == ["b"]
    for name in ("c", "d"):
        one.claim(name, folder="y", exclusive="false")


def test_a_claim_of_this_host_that_is_taken_for_dead_while_it_is_granted_is_seen_at_the_second_look(
    folder: MemoryFolder, one: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection that had its lock broke, so its record looked like one that this process had let go."""
    folder.lock("mutex")
    monkeypatch.setattr(sharedstore, "_QUEUE_SECONDS", 0.1)
    write, take = one.store.write, one.store.take
    written, taken = threading.Event(), threading.Event()
    sibling = threading.Thread(target=one.claim, args=("b",), kwargs={"folder": "x"}, daemon=True)

    def late(owner: Owner) -> None:
        write(owner)
        if owner.volume == "b":
            del folder.locks[f"{owner.key}.lock"]
            written.set()
            assert taken.wait(10)

    def marked(owner: Owner, by: str) -> None:
        take(owner, by)
        taken.set()
        sibling.join(10)

    monkeypatch.setattr(one.store, "write", late)
    monkeypatch.setattr(one.store, "take", marked)
    sibling.start()
    assert written.wait(10)
    with pytest.raises(Held):
        one.claim("a", folder="x")
    assert one.leases.held() == ["b"]


def test_many_claims_that_take_their_time_see_that_a_host_is_gone(world: World, one: Machine, two: Machine) -> None:
    """Each looks at its record seldom, but the share answers all the time."""
    world.ahead = -3600
    for number in range(10):
        one.claim(f"db{number}", folder=str(number))
    granted: set[int] = set()
    for _ in range(20):
        for number in set(range(10)) - granted:
            with contextlib.suppress(Held):
                two.claim(f"db{number}", folder=str(number))
                granted.add(number)
            world.now += 1.5
    assert granted == set(range(10))


def test_while_the_share_is_away_nobody_is_silent(world: World, one: Machine, two: Machine) -> None:
    one.claim()
    world.now += TAKEOVER - 1
    with pytest.raises(Held):
        two.claim()
    world.now += TAKEOVER
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait > 0


def test_a_record_that_is_being_written_is_waited_for(folder: MemoryFolder, one: Machine, two: Machine) -> None:
    one.claim()
    folder.files["id-one.azurefile.dbs.json"] = (b"", 0.0)
    with pytest.raises(ShareSilent, match="is being written"):
        two.claim()


def test_claims_of_one_host_queue(folder: MemoryFolder, one: Machine) -> None:
    """Those that poll for the mutex overtake each other."""
    inside: list[int] = []

    def claim(number: int) -> None:
        with one.store.mutex() as alone:
            inside.append(number)
            time.sleep(0.1)
            assert alone
            assert inside[-1] == number

    with ThreadPoolExecutor(15) as together:
        list(together.map(claim, range(15)))


def test_nothing_opens_a_share_again_that_no_volume_uses(one: Machine) -> None:
    one.store.close()
    with pytest.raises(ShareError, match="no volume uses it any more"):
        one.store.read("key")
