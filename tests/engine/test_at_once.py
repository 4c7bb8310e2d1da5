"""Several runs at once, and a plugin's upgrade that is killed: the stacks are right at the end, without hands."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.checkout import Checkout
from tests.engine.conftest import Project, docker

pytestmark = pytest.mark.engine

CONTAINERS = ["docker1", "docker2", "docker3", "mydb", "reader"]


@pytest.fixture(scope="module")
def one(project: Project) -> dict[str, Any]:
    return project.config(shares={"kind": "local", "retain": False})


@pytest.fixture(scope="module")
def two(project: Project) -> dict[str, Any]:
    return project.config(stack="databases", prefix=f"{project.prefix}b-", volumes=["dbs"])


@pytest.fixture(scope="module")
def checkout(project: Project, one: dict[str, Any], two: dict[str, Any]) -> Iterator[Checkout]:
    project.write("one", one)
    project.write("two", two)
    made = Checkout(project)
    yield made
    for stack in ("one", "two"):
        made.run("destroy", "--yes", "--skip-preview", "--stack", stack)


def both(checkout: Checkout, *stacks: str) -> list[tuple[int, str]]:
    started = [checkout.start("up", "--yes", "--skip-preview", "--stack", stack) for stack in stacks]
    said = [process.communicate(timeout=400)[0] for process in started]
    return [(process.returncode, output) for process, output in zip(started, said, strict=True)]


def test_two_stacks_at_once_share_one_plugin(checkout: Checkout) -> None:
    for code, output in both(checkout, "one", "two"):
        assert code == 0, output
    assert checkout.running() == sorted([*CONTAINERS, "b-mydb"])
    assert docker("plugin", "ls", "--format", "{{.Name}}").count(checkout.project.driver) == 1
    for stack in ("one", "two"):
        checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", stack)


def test_of_two_runs_of_one_stack_one_waits_for_the_other(checkout: Checkout) -> None:
    checkout.run("destroy", "--yes", "--skip-preview", "--stack", "two")
    checkout.run("stack", "rm", "two", "--yes", "--preserve-config")
    ended = both(checkout, "two", "two")
    assert [code for code, _ in ended] == [0, 0], ended
    assert sum("another pulumiw is changing stack two: waiting for it" in output for _, output in ended) == 1
    assert "b-mydb" in checkout.running()
    checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "two")
    assert not list((checkout.folder / ".state/.pulumi/locks").rglob("*.json"))


def until(event: str, checkout: Checkout, process: subprocess.Popen[str]) -> None:
    """Waits for what the engine says of the plugin that a run exchanges."""
    said = ("--since", str(int(time.time())), "--filter", "type=plugin", "--filter", f"event={event}")
    with subprocess.Popen(
        ["docker", "events", *said, "--format", "{{.Actor.Attributes.name}}"], stdout=subprocess.PIPE, text=True
    ) as events:
        assert events.stdout is not None
        threading.Thread(target=_end_with, args=(process, events), daemon=True).start()
        assert any(line.startswith(checkout.project.driver) for line in events.stdout), f"no {event} of the plugin"
        events.terminate()


def _end_with(first: subprocess.Popen[str], then: subprocess.Popen[str]) -> None:
    first.wait()
    then.terminate()


@pytest.mark.parametrize(("event", "with_wrapper"), [("remove", False), ("enable", True)])
def test_an_upgrade_that_was_killed_is_finished_by_the_next_up(
    checkout: Checkout, event: str, with_wrapper: bool
) -> None:
    (checkout.folder / "azurefile/NEW").write_text(f"built for {event}\n")
    running = checkout.running()
    assert {*CONTAINERS} <= {*running}
    process = checkout.start("up", "--yes", "--skip-preview", "--stack", "one")
    until(event, checkout, process)
    kill(checkout, process.pid)
    process.communicate()
    assert checkout.running() != running
    if with_wrapper:
        checkout.run("up", "--yes", "--skip-preview", "--stack", "one")
    else:
        checkout.run("cancel", "--yes", "--stack", "one")
        plain = checkout.run_plain("up", "--yes", "--skip-preview", "--stack", "one", "--non-interactive")
        assert "updated" in plain
    assert checkout.running() == running
    assert docker("volume", "ls", "-q", "--filter", f"label=io.datadocker.paused-for={checkout.project.driver}") == ""


def kill(checkout: Checkout, group: int) -> None:
    """Kills the run and its providers, which have groups of their own."""
    os.killpg(group, signal.SIGKILL)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours = Path(os.readlink(process / "cwd")) == checkout.folder
            if ours and b"pulumi" in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def test_what_the_last_up_said_of_the_data_is_what_destroy_does(
    checkout: Checkout, project: Project, two: dict[str, Any]
) -> None:
    data = project.root / "shares" / f"{project.prefix}b-dbs"
    for retain in (True, False):
        for setting in (not retain, retain):
            project.write("two", two | {"shares": {"kind": "local", "retain": setting}})
            checkout.run("up", "--yes", "--skip-preview", "--stack", "two")
        assert (data / "ibdata1").exists()
        checkout.run("destroy", "--yes", "--skip-preview", "--stack", "two")
        assert (data / "ibdata1").exists() == data.exists() == retain
