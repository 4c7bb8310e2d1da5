"""Who must stop because the share did not confirm its lease."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import keeper as keeper_module
from azurefile.errors import ShareError
from azurefile.identity import Host
from azurefile.keeper import Keeper
from azurefile.lease import Lease
from azurefile.leases import RENEWALS, Leases
from azurefile.owner import Owner
from azurefile.protocols.flock import FlockStore
from tests.plugin.harness import eventually
from tests.plugin.shared import TAKEOVER, Forgetful, Machine, MemoryFolder, World, volume

Keep = Callable[..., None]


@pytest.fixture
def keep(one: Machine) -> Iterator[Keep]:
    """Renew the first machine's leases in a thread, which ends with the test."""
    kept: list[Keeper] = []

    def start(takeover: float, lost: Callable[[Lease], None] = lambda _: None) -> None:
        kept.append(Keeper(one.leases, takeover, lost))
        kept[-1].keep(one.store)

    yield start
    for keeper in kept:
        keeper.drop(one.store)


def test_the_keeper_gives_up_what_was_not_confirmed_and_what_was_taken(
    world: World, one: Machine, two: Machine
) -> None:
    lost: list[Lease] = []
    keeper = Keeper(one.leases, TAKEOVER, lost.append)
    one.claim("a", folder="a")
    world.now += TAKEOVER
    two.mount("a", folder="a")
    one.claim("b", folder="b")
    keeper.renew(one.store)
    eventually(lambda: _assert_lost(lost, ["a"]))
    assert (lost[0].lost, lost[0].taken) == ("taken over by two", False)
    world.share_down = True
    world.now += TAKEOVER
    keeper.renew(one.store)
    keeper.look()
    eventually(lambda: _assert_lost(lost, ["a", "b"]))
    assert lost[1].lost == "no renewal for 30 s"
    keeper.look()
    _assert_lost(lost, ["a", "b"])


def test_who_writes_is_stopped_although_nobody_reads_the_log(
    one: Machine, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    stopped = threading.Event()
    order: list[bool] = []

    class Stuck(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            order.append(stopped.wait(10))

    keeper = Keeper(one.leases, TAKEOVER, lambda _: stopped.set())
    one.claim()
    world.now += TAKEOVER
    stuck = Stuck()
    keeper_module.log.addHandler(stuck)
    try:
        keeper.look()
    finally:
        keeper_module.log.removeHandler(stuck)
    assert order == [True]


def test_who_was_frozen_itself_renews_before_anything_is_given_up(world: World, one: Machine) -> None:
    """The share is well, and nobody may have taken the folder."""
    lease, lost = one.claim(), list[Lease]()
    keeper = Keeper(one.leases, TAKEOVER, lost.append, clock=lambda: world.now)
    keeper.keep(one.store)
    try:
        keeper.look()
        world.now += TAKEOVER * 0.6
        keeper.look()
        assert lease.lost == ""
        eventually(lambda: _assert_confirmed(lease, world.now))
    finally:
        keeper.drop(one.store)
    world.now += 1
    keeper.look()
    assert lease.lost == ""


@pytest.mark.parametrize(
    ("takeover", "frozen"), [(60.0, [40.0]), (60.0, [31.0, 3.0]), (60.0, [31.0, 2.9, 6.2]), (20.0, [10.1])]
)
def test_who_was_frozen_stops_early_enough_before_another_host_may_take_the_folder(
    world: World, folder: MemoryFolder, takeover: float, frozen: list[float]
) -> None:
    one = Machine(world, folder, "one", takeover=takeover)
    lease = one.claim()
    keeper = Keeper(one.leases, takeover, lambda _: None, clock=lambda: world.now)
    keeper.look()
    for seconds in frozen:
        assert lease.lost == ""
        world.now += seconds
        keeper.look()
    assert lease.lost.startswith("no renewal")


def test_who_is_not_frozen_waits_for_no_renewal_beyond_half_of_the_time(world: World, one: Machine) -> None:
    lease = one.claim()
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None, clock=lambda: world.now)
    for second in range(round(TAKEOVER) // 2 + 3):
        assert (lease.lost != "") == (second > TAKEOVER / 2 + 1)
        keeper.look()
        world.now += 1


def test_what_is_being_given_back_is_not_given_up(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage the share is told for longer than a hold lasts; its volume's next hold would be stopped for it."""
    lease, lost, write = one.claim(), list[Lease](), one.store.write
    keeper = Keeper(one.leases, TAKEOVER, lost.append)

    def late(owner: Owner) -> None:
        keeper.give_up(lease, "no renewal")
        write(owner)

    monkeypatch.setattr(one.store, "write", late)
    one.leases.release("dbs")
    assert lease.lost == ""
    assert one.leases.all() == []


@pytest.mark.parametrize("error", [ShareError("the share does not answer"), RuntimeError("can't start new thread")])
def test_a_renewal_that_failed_is_tried_again_long_before_the_next_is_due(
    one: Machine, keep: Keep, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Else an outage of a few seconds around the time when one is due lasts for periods."""
    one.claim()
    times: list[float] = []
    tried = threading.Event()

    def renew(_: Lease) -> None:
        times.append(time.monotonic())
        if len(times) <= 2:
            raise error
        tried.set()

    monkeypatch.setattr(one.leases, "renew", renew)
    lost: list[Lease] = []
    period = 2.0
    started = time.monotonic()
    keep(period * RENEWALS, lost.append)
    assert tried.wait(30)
    assert times[0] - started >= period
    # two more periods otherwise
    assert times[2] - times[0] < 1.75 * period
    assert lost == []


@pytest.mark.parametrize("error", [ShareError("the share does not answer"), RuntimeError("can't start new thread")])
def test_a_change_that_was_not_written_is_tried_again_after_a_moment(
    one: Machine, keep: Keep, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    lease = one.claim()
    times: list[float] = []
    tried = threading.Event()

    def renew(_: Lease) -> None:
        times.append(time.monotonic())
        if len(times) == 3:
            tried.set()
        raise error

    monkeypatch.setattr(one.leases, "renew", renew)
    lease.changed = True
    keep(100 * RENEWALS)
    assert tried.wait(60)
    assert times[2] - times[0] > 1.5


def test_what_no_other_host_reaches_needs_no_renewal(world: World, tmp_path: Path) -> None:
    leases = Leases("azurefile", Host("one", "id-one", TAKEOVER), Forgetful(), clock=lambda: world.now)
    lease, lost = leases.grant(volume("dbs", protocol="local"), FlockStore(tmp_path)), list[Lease]()
    keeper = Keeper(leases, TAKEOVER, lost.append, clock=lambda: world.now)
    keeper.look()
    world.now += TAKEOVER
    keeper.look()
    assert lease.lost == ""


def test_a_restarted_plugin_waits_a_moment_for_its_locks(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = one.claim()
    keeper = Keeper(one.leases, TAKEOVER, lambda _: None)
    lease.changed = True
    monkeypatch.setattr(keeper_module, "_SETTLE_SECONDS", 60)
    settled = threading.Thread(target=keeper.settle)
    settled.start()
    settled.join(0.2)
    assert settled.is_alive()
    one.leases.renew(lease)
    settled.join(30)
    assert not settled.is_alive()
    # a share that is away keeps nobody waiting
    monkeypatch.setattr(keeper_module, "_SETTLE_SECONDS", 0.1)
    lease.changed = True
    keeper.settle()


def test_a_watch_that_fails_goes_on(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper, looked = Keeper(one.leases, 0.04, lambda _: None), threading.Event()
    failures = [RuntimeError("can't start new thread")]

    def look() -> None:
        if failures:
            raise failures.pop()
        looked.set()
        # its thread ends with the process
        threading.Event().wait()

    monkeypatch.setattr(keeper, "look", look)
    keeper.start()
    assert looked.wait(5)


def test_a_renewal_that_takes_long_does_not_delay_the_next(
    one: Machine, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.claim()
    times: list[float] = []
    tried = threading.Event()

    def renew(_: Lease) -> None:
        times.append(time.monotonic())
        if len(times) == 2:
            tried.set()
        tried.wait(1.6)

    monkeypatch.setattr(one.leases, "renew", renew)
    keep(1.8 * RENEWALS)
    assert tried.wait(30)
    # 3.4 s if one were added to the other
    assert times[1] - times[0] < 3.3


def test_changes_of_one_hold_put_no_others_renewal_off(
    one: Machine, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where short containers come and go on a volume of the share: a database beside them was stopped for it."""
    busy, quiet = one.claim("busy", folder="busy"), one.claim("quiet", folder="quiet")
    renewed: list[str] = []

    def renew(lease: Lease) -> None:
        renewed.append(lease.owner.volume)
        # the next change comes before this round is over
        with one.leases.changes:
            busy.changed = True
            one.leases.changes.notify_all()
        time.sleep(0.05)

    monkeypatch.setattr(one.leases, "renew", renew)
    keep(1 * RENEWALS)
    busy.changed = True

    def both() -> None:
        assert renewed.count(quiet.owner.volume) >= 2

    eventually(both)
    assert renewed.count(busy.owner.volume) > renewed.count(quiet.owner.volume)


def _assert_confirmed(lease: Lease, when: float) -> None:
    assert lease.confirmed == when


def _assert_lost(lost: list[Lease], volumes: list[str]) -> None:
    assert [lease.owner.volume for lease in lost] == volumes


def test_a_hold_with_a_shorter_takeover_time_than_is_set_now_is_renewed_in_its_own(one: Machine, keep: Keep) -> None:
    """The plugin's setting was raised while containers ran."""
    lease = one.claim()
    lease.owner.takeover = 0.3 * RENEWALS
    confirmed = lease.confirmed
    one.world.now += 1
    keep(100 * RENEWALS)

    def renewed() -> None:
        assert lease.confirmed > confirmed

    eventually(renewed)


def test_a_hold_of_the_plugins_last_life_is_renewed_at_once_beside_others_of_its_share(
    one: Machine, keep: Keep
) -> None:
    one.claim("a", folder="a")
    keep(100 * RENEWALS)
    lease = one.claim("b", folder="b")
    one.world.now += 1
    lease.changed = True
    one.leases.adopt(lease)

    def renewed() -> None:
        assert lease.confirmed == one.world.now

    eventually(renewed)
