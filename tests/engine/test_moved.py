"""A stack whose host is changed while it stands: refused, and all that it has stays where the state says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest
from pulumi import automation as auto

from tests.engine.conftest import Project, changes, docker
from tests.engine.own_engine import OwnEngine

pytestmark = [pytest.mark.engine, pytest.mark.exclusive_engine]

NAME = "moved"


@pytest.fixture(scope="module")
def other(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    made = OwnEngine(tmp_path_factory.mktemp("own"), f"{project.prefix}engine", megabytes=2000)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def stack(project: Project, other: OwnEngine) -> Iterator[auto.Stack]:
    config = project.config(stack="databases", volumes=["files"], databases=[])
    made = project.stack(NAME, config)
    made.up()
    project.write(NAME, config | {"host": {"kind": "local", "socket": str(other.socket)}})
    yield made
    made.destroy()


@pytest.mark.parametrize("command", ["preview", "up"])
def test_another_engine_is_refused_in_one_line_and_nothing_changes(
    project: Project, stack: auto.Stack, other: OwnEngine, command: str
) -> None:
    before = resources(project)
    done = project.cli(command, "--stack", NAME, *(["--yes", "--skip-preview"] if command == "up" else []))
    assert done.returncode != 0
    diagnostics = done.stdout.split("Diagnostics:")[1]
    said = {line.partition("error: ")[2] for line in diagnostics.splitlines() if "this stack stands on" in line}
    assert said == {
        f"this stack stands on unix://{os.path.realpath('/var/run/docker.sock')}: to move it to unix://{other.socket} "
        "destroy it first (what shares keep stays there: copy local ones before the first up on the other), or set "
        "datadocker:host or DOCKER_HOST back"
    }, done.stdout
    assert "Traceback" not in done.stdout
    assert resources(project) == before
    assert other("images", "-q") == other("volume", "ls", "-q") == other("plugin", "ls", "-q") == ""


def test_destroy_still_cleans_where_it_stands_and_then_it_may_stand_elsewhere(
    project: Project, stack: auto.Stack
) -> None:
    assert changes(stack.destroy())["delete"] > 0
    assert docker("volume", "ls", "-q", "--filter", f"name={project.prefix}") == ""
    assert project.driver not in docker("plugin", "ls")
    done = project.cli("preview", "--stack", NAME)
    assert done.returncode == 0, done.stdout


def resources(project: Project) -> dict[str, object]:
    """URN → id and inputs of all that the state has."""
    state = json.loads(project.state(NAME))
    return {r["urn"]: (r.get("id"), r.get("inputs")) for r in state["checkpoint"]["latest"].get("resources") or []}
