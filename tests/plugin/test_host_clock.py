"""The host's wall clock is set while containers start, as at a boot: by NTP, or a hardware clock in local time."""

import math
import threading
import time
from collections.abc import Callable

import pytest

from azurefile.engine import Engine
from azurefile.held import Held
from azurefile.watcher import Watcher
from tests.plugin.fake_engine import FakeContainer, FakeEngine
from tests.plugin.harness import eventually
from tests.plugin.shared import Machine

STEPS = [-3600.0, -3.0, 3600.0]

SetClock = Callable[[float], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets this process's wall clock off by so many seconds."""
    wall, wall_ns = time.time, time.time_ns

    def off_by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: wall() + seconds)
        monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + int(seconds * 1e9))

    return off_by


@pytest.fixture
def watcher(one: Machine, engine: FakeEngine) -> Watcher:
    return Watcher(Engine(str(engine.path)), one.leases.held, one.holders)


@pytest.mark.parametrize("step", STEPS)
def test_a_listed_container_is_named_across_a_step(
    one: Machine, engine: FakeEngine, watcher: Watcher, set_clock: SetClock, step: float
) -> None:
    """An engine that starts mounts before it tells of events, so nothing but the list names these."""
    lease = one.claim()
    set_clock(step)
    engine.containers.append(FakeContainer("mydb", "dbs"))
    watcher._catch_up(threading.Event())
    assert [container.name for container in lease.owner.containers] == ["mydb"]


def test_a_list_of_before_the_grant_names_nobody_across_a_step(
    one: Machine, engine: FakeEngine, watcher: Watcher, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.containers.append(FakeContainer("old", "dbs"))
    listed = Engine.containers

    def granted_meanwhile(asked: Engine) -> object:
        found = listed(asked)
        set_clock(-3600)
        one.claim()
        return found

    monkeypatch.setattr(Engine, "containers", granted_meanwhile)
    watcher._catch_up(threading.Event())
    lease = one.leases.of("dbs")
    assert lease is not None
    assert lease.owner.containers == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", ["volume", "container"])
def test_an_event_names_the_holder_across_a_step(
    one: Machine, engine: FakeEngine, watcher: Watcher, set_clock: SetClock, kind: str, step: float
) -> None:
    lease = one.claim()
    set_clock(step)
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    watcher._handle(_event(kind, mydb))
    assert [container.name for container in lease.owner.containers] == ["mydb"]


@pytest.mark.parametrize("step", STEPS)
def test_an_event_of_before_the_grant_names_nobody_after_a_step(
    one: Machine,
    engine: FakeEngine,
    watcher: Watcher,
    set_clock: SetClock,
    step: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # by the event alone: that of a list would be a container that runs
    monkeypatch.setattr(watcher, "_list", lambda: None)
    set_clock(step)
    old = FakeContainer("old", "dbs")
    engine.containers.append(old)
    late = _event("container", old)
    lease = one.claim()
    watcher._handle(late)
    assert lease.owner.containers == []


def test_an_event_of_the_future_is_one_of_now(
    one: Machine, engine: FakeEngine, watcher: Watcher, set_clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was set back while it was on its way; what is granted while its container is looked at is another's."""
    # by the event alone: a list would look at the container, too
    monkeypatch.setattr(watcher, "_list", lambda: None)
    one.claim()
    old = FakeContainer("old", "dbs")
    engine.containers.append(old)
    event = _event("container", old)
    set_clock(-3600)
    inspect = Engine.inspect

    def granted_meanwhile(asked: Engine, identifier: str) -> object:
        found = inspect(asked, identifier)
        one.leases.release("dbs")
        one.claim()
        return found

    monkeypatch.setattr(Engine, "inspect", granted_meanwhile)
    watcher._handle(event)
    lease = one.leases.of("dbs")
    assert lease is not None
    assert lease.owner.containers == []


@pytest.mark.parametrize("step", STEPS)
def test_an_event_that_a_step_overtook_has_the_containers_listed_again(
    one: Machine, engine: FakeEngine, watcher: Watcher, set_clock: SetClock, step: float
) -> None:
    lease = one.claim()
    mydb = FakeContainer("mydb", "dbs")
    engine.containers.append(mydb)
    event = _event("container", mydb)
    set_clock(step)
    watcher._handle(event)

    def is_named() -> None:
        assert [container.name for container in lease.owner.containers] == ["mydb"]

    eventually(is_named)


# infinite: who asks does not wait, and is started once the engine answers
@pytest.mark.parametrize(("step", "wait"), [(-3600.0, math.inf), (-3.0, math.inf), (0.0, 10.0)])
def test_a_holder_without_a_name_is_waited_for_no_longer_after_a_step(
    one: Machine, set_clock: SetClock, step: float, wait: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.claim()
    monkeypatch.setattr(one.fence, "_running", lambda _: None)
    one.holders.engine_left()
    set_clock(step)
    with pytest.raises(Held) as refused:
        one.claim("other")
    assert refused.value.wait == pytest.approx(wait, abs=1)
    assert ("it may be free in 10 s" in str(refused.value)) == (wait == 10)


def _event(kind: str, container: FakeContainer) -> dict[str, object]:
    volume = {"Type": "volume", "Action": "mount", "Actor": {"ID": "dbs", "Attributes": {"container": container.id}}}
    start = {"Type": "container", "Action": "start", "Actor": {"ID": container.id, "Attributes": {}}}
    return {**(volume if kind == "volume" else start), "timeNano": time.time_ns()}
