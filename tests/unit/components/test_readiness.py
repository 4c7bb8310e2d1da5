"""Waiting for a database: by events, from a look that misses nothing, and with its last words if it fails."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.databases.readiness import _wait
from provider.connection import Engine
from tests.unit.fake_engine import FakeEngine, served

HEALTHY = {"Action": "health_status: healthy", "Actor": {"Attributes": {}}}
DIED = {"Action": "die", "Actor": {"Attributes": {"exitCode": "1"}}}


def wait(engine: FakeEngine, seconds: int = 5) -> None:
    _wait(Engine(url=f"unix://{engine.path}", ssh_opts=[]), "c1", "mydb", seconds, lambda connection: None)


def state(status: str) -> dict[str, Any]:
    return {"State": {"Running": True, "Restarting": False, "Health": {"Status": status}}}


def test_a_stopped_one_is_started(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = {"State": {"Running": False, "Restarting": False}}
    engine.events = [HEALTHY]
    wait(engine)
    assert engine.posted == ["/v1.41/containers/c1/start"]


def test_what_holds_what_a_stopped_one_gets_makes_way_first(engine: FakeEngine) -> None:
    """An update that ended between a new name's container and the old one's removal left both."""
    engine.answers["/containers/c1/json"] = {"State": {"Running": False, "Restarting": False}}
    engine.events = [HEALTHY]
    _wait(Engine(url=f"unix://{engine.path}", ssh_opts=[]), "c1", "mydb", 5, lambda c: c.post("/containers/c2/stop"))
    assert engine.posted == ["/v1.41/containers/c2/stop", "/v1.41/containers/c1/start"]


def test_one_that_was_started_is_not_judged_by_what_it_said_before(engine: FakeEngine) -> None:
    stopped = state("unhealthy")
    stopped["State"] |= {"Running": False, "StartedAt": "2026-11-25T23:42:02Z"}
    stopped["State"]["Health"]["Log"] = [{"Start": "2026-11-25T23:42:03Z", "Output": "ERROR 1045: Access denied"}]
    engine.answers["/containers/c1/json"] = stopped
    engine.events = [HEALTHY]
    wait(engine)
    assert engine.posted == ["/v1.41/containers/c1/start"]


def test_one_that_the_engine_is_about_to_restart_is_not_started_besides(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = {"State": {"Running": False, "Restarting": True}}
    engine.events = [HEALTHY]
    wait(engine)
    assert engine.posted == []


def test_one_that_was_removed_by_hand_is_said_with_what_makes_it_again(engine: FakeEngine) -> None:
    again = r"\./pulumiw up --refresh --stack \S+ makes it again"
    with pytest.raises(pulumi.RunError, match=rf"^the container of database mydb was removed .*: {again}$"):
        wait(engine)


def test_a_healthy_one_is_ready_at_once(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("healthy")
    wait(engine)


def test_a_starting_one_is_ready_when_the_engine_says_so(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("starting")
    engine.events = [{"Action": "health_status: unhealthy", "Actor": {"Attributes": {}}}, HEALTHY]
    wait(engine)


def test_one_that_stops_fails_the_update_with_its_last_words(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("starting")
    engine.events = [DIED]
    engine.log = b"the data is of a newer server\n"
    with pytest.raises(pulumi.RunError, match=r"mydb does not accept logins: .* stopped, exit code 1; .*newer server"):
        wait(engine)


def test_the_first_error_is_told_with_what_came_of_it(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("starting")
    engine.events = [DIED]
    engine.log = b"[ERROR] io_setup() failed\nnote\n[ERROR] two\n[ERROR] three\n[ERROR] Aborting\n"
    with pytest.raises(pulumi.RunError, match=r"says: \[ERROR\] io_setup\(\) failed \| \S+ three \| \S+ Aborting \("):
        wait(engine)


def test_one_that_never_gets_ready_fails_the_update(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("starting")
    engine.log = b"waiting\n"
    with pytest.raises(pulumi.RunError, match="not healthy after 1 s; its log says: waiting"):
        wait(engine, seconds=1)


def test_one_that_never_gets_ready_is_told_with_what_its_health_check_said_last(engine: FakeEngine) -> None:
    running = state("unhealthy")
    running["State"] |= {"StartedAt": "2026-11-25T23:42:02Z"}
    said = "ERROR 1040 (HY000): Too many connections"
    running["State"]["Health"]["Log"] = [{"Start": "2026-11-25T23:42:03Z", "Output": f"{said}\n"}]
    engine.answers["/containers/c1/json"] = running
    engine.log = b"waiting\n"
    told = f"not healthy after 1 s, its health check says: {re.escape(said)}; its log says: waiting"
    with pytest.raises(pulumi.RunError, match=told):
        wait(engine, seconds=1)


class MountingEngine(FakeEngine):
    """Starts a container as long as `silent` is not set."""

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        if method == "POST":
            self.silent.wait(10)
        return None


def test_a_start_that_takes_too_long_is_not_called_a_database_that_never_gets_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.databases.readiness.START_SECONDS", 1)
    with served(MountingEngine(tmp_path / "docker.sock")) as engine:
        engine.answers["/containers/c1/json"] = {"State": {"Running": False, "Restarting": False}}
        with pytest.raises(pulumi.RunError, match=r"the Docker engine .* did not answer within 1 s"):
            wait(engine, seconds=60)


CHECKED = {"Action": "exec_die", "Actor": {"Attributes": {"exitCode": "1"}}}


@pytest.mark.parametrize(
    "said",
    [
        "offline: a statement of init.sql failed",
        "ERROR 1045: Access denied for user",
        "ERROR 1862: Your password has expired. To log in",
    ],
)
def test_what_waiting_does_not_mend_fails_the_update_at_once(engine: FakeEngine, said: str) -> None:
    running = state("starting")
    running["State"] |= {"StartedAt": "2026-11-25T23:42:02.123456789Z"}
    running["State"]["Health"]["Log"] = [{"Start": "2026-11-26T01:42:02.2+02:00", "Output": f"{said}\n"}]
    engine.answers["/containers/c1/json"] = running
    engine.events = [CHECKED]
    with pytest.raises(pulumi.RunError, match=f"mydb does not accept logins: .* running, and says: {said}"):
        wait(engine)


def test_what_an_earlier_start_said_is_not_waited_by(engine: FakeEngine) -> None:
    running = state("starting")
    running["State"] |= {"StartedAt": "2026-11-25T23:42:02.123456789Z"}
    running["State"]["Health"]["Log"] = [{"Start": "2026-11-25T23:42:01.9Z", "Output": "offline: x"}]
    engine.answers["/containers/c1/json"] = running
    engine.events = [CHECKED, HEALTHY]
    wait(engine)


def test_a_paused_one_is_not_waited_for(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = {"State": state("healthy")["State"] | {"Paused": True}}
    with pytest.raises(pulumi.RunError, match="is paused: say docker unpause mydb"):
        wait(engine)


def test_health_checks_alone_are_not_waited_for_for_ever(engine: FakeEngine) -> None:
    engine.answers["/containers/c1/json"] = state("starting")
    engine.events = [CHECKED] * 50_000
    with pytest.raises(pulumi.RunError, match="not healthy after 1 s"):
        wait(engine, seconds=1)


def test_an_engine_that_is_gone_fails_the_update(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match="no Docker engine answers"):
        _wait(Engine(url=f"unix://{tmp_path}/none", ssh_opts=[]), "c1", "mydb", 1, lambda connection: None)
