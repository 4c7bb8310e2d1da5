"""What a full disk and a dead engine do to a stack, with an engine of the test's own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.engine.checkout import Checkout
from tests.engine.conftest import Project, free_port
from tests.engine.own_engine import OwnEngine

pytestmark = [pytest.mark.engine, pytest.mark.exclusive_engine]


@pytest.fixture(scope="module")
def engine(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnEngine]:
    made = OwnEngine(tmp_path_factory.mktemp("own"), f"{project.prefix}engine", megabytes=3000)
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def checkout(project: Project, engine: OwnEngine) -> Checkout:
    config = {
        "stack": "databases",
        "host": {"kind": "local", "socket": str(engine.socket)},
        "plugin": {"name": "azurefile", "root": str(engine.folder / "root/lib")},
        "volumes": ["dbs"],
    }
    (project.folder / "Pulumi.own.yaml").write_text(
        yaml.safe_dump({"config": {f"datadocker:{k}": v for k, v in config.items()}})
    )
    return Checkout(project)


def resources(checkout: Checkout) -> list[str]:
    state = json.loads((checkout.folder / ".state/.pulumi/stacks/datadocker/own.json").read_text())
    return [r["urn"] for r in state["checkpoint"]["latest"].get("resources") or []]


def sql(checkout: Checkout, engine: OwnEngine, statement: str) -> str:
    outputs = checkout.run("stack", "output", "databases", "--show-secrets", "--json", "--stack", "own")
    password = unquote(urlsplit(json.loads(outputs)["mydb"]["url"]).password or "")
    return engine("exec", "-e", f"MYSQL_PWD={password}", "mydb", "mysql", "-uroot", "-N", "-B", "-e", statement)


@pytest.mark.parametrize(
    ("megabytes", "said"),
    [
        (30, "the Docker engine refused: its disk is full ("),
        (400, "no room to build datadocker/azurefile:"),
    ],
)
def test_a_full_disk_is_one_line_and_loses_nothing(
    checkout: Checkout, engine: OwnEngine, megabytes: int, said: str
) -> None:
    engine.fill(leaving=megabytes)
    try:
        output = checkout.run("up", "--yes", "--skip-preview", "--stack", "own", fails=True)
    finally:
        engine.empty()
    lines = [line for line in output.split("Diagnostics:")[1].splitlines() if "error: " in line]
    assert any(said in line and "free some (docker system df shows what is used)" in line for line in lines), output
    assert [line for line in lines if said not in line and "update failed" not in line] == []
    assert "Traceback" not in output
    assert engine("ps", "-aq") == engine("volume", "ls", "-q") == engine("plugin", "ls", "-q") == ""


def test_the_next_up_finishes_the_job(checkout: Checkout, engine: OwnEngine) -> None:
    checkout.run("up", "--yes", "--skip-preview", "--stack", "own")
    assert engine("volume", "ls", "-q") == "dbs"
    # a full disk is no concern of what is built already
    engine.fill(leaving=100)
    try:
        checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "own")
    finally:
        engine.empty()


@pytest.mark.parametrize("command", ["destroy", "refresh", "up"])
def test_a_dead_engine_is_one_line_and_the_state_stays(checkout: Checkout, engine: OwnEngine, command: str) -> None:
    before = resources(checkout)
    engine.kill()
    try:
        output = checkout.run(command, "--yes", "--skip-preview", "--stack", "own", fails=True)
        assert f"no Docker engine answers at {engine.socket}" in output
        assert "start it" in output
        assert "Error pinging" not in output
        # in whatever order the engine was told of them
        assert sorted(resources(checkout)) == sorted(before)
    finally:
        engine.start()


def test_a_database_comes_back_by_itself_under_its_fence(
    checkout: Checkout, engine: OwnEngine, project: Project
) -> None:
    # beside the passphrase, which the CLI keeps there
    file = project.folder / "Pulumi.own.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["config"]["datadocker:databases"] = [{"name": "mydb", "volume": "dbs", "port": free_port()}]
    file.write_text(yaml.safe_dump(settings))
    checkout.run("up", "--yes", "--skip-preview", "--stack", "own")
    sql(checkout, engine, "CREATE DATABASE talk; CREATE TABLE talk.t (n INT); INSERT INTO talk.t VALUES (42)")
    began = engine("inspect", "-f", "{{.State.StartedAt}}", "mydb")
    engine.kill()
    engine.start()
    deadline = time.monotonic() + 120
    # no event announces it to who asks after it may have come
    while engine("inspect", "-f", "{{.State.Health.Status}}", "mydb") != "healthy" or began == engine(
        "inspect", "-f", "{{.State.StartedAt}}", "mydb"
    ):
        assert time.monotonic() < deadline, engine("logs", "--tail", "20", "mydb")
        time.sleep(0.2)
    assert sql(checkout, engine, "SELECT n FROM talk.t") == "42"
    image = engine("inspect", "-f", "{{.Config.Image}}", "mydb")
    said = engine("run", "--rm", "-v", "dbs:/x", "--entrypoint", "true", image, check=False)
    assert 'container "mydb"' in said
    checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "own")


def test_with_the_engine_back_destroy_works(checkout: Checkout, engine: OwnEngine) -> None:
    checkout.run("destroy", "--yes", "--skip-preview", "--stack", "own")
    assert resources(checkout) == []
    assert engine("ps", "-aq") == engine("volume", "ls", "-q") == engine("plugin", "ls", "-q") == ""
    assert engine("images", "-q", "--filter", "label=io.datadocker.stack") == ""
