"""The whole demo on a real engine: what stands, what a second `up` finds, and each slide of the talk."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi import automation as auto

from tests.engine.conftest import Project, changes, docker, free_port
from toolchain.engine import LOG

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def demo(project: Project) -> Iterator[auto.Stack]:
    stack = project.stack("demo", project.config(shares={"kind": "local", "retain": False}))
    stack.up()
    yield stack
    stack.destroy()


def lines(project: Project) -> list[str]:
    return docker("exec", f"{project.prefix}reader", "cat", "/logs/testfile").splitlines()


def until(condition: object, what: str, seconds: float = 20) -> None:
    """Waits for something that no event announces."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)


def test_everything_of_the_talk_runs(project: Project, demo: auto.Stack) -> None:
    shown = docker("ps", "--format", "{{.Names}}", "--filter", f"name={project.prefix}").split()
    names = ("docker1", "docker2", "docker3", "reader", "mydb")
    assert sorted(shown) == sorted(project.prefix + n for n in names)


def test_the_outputs_say_how_to_reach_it(project: Project, demo: auto.Stack) -> None:
    outputs = demo.outputs()
    assert outputs["dockerHost"].value == "unix:///var/run/docker.sock"
    assert outputs["volumes"].value == {n: project.prefix + n for n in ("logs", "dbs", "config", "simpledb")}
    database = outputs["databases"].value["mydb"]
    assert (database["host"], database["port"]) == ("127.0.0.1", project.ports[0])
    assert database["url"].startswith("mysql://root:")
    shown = project.cli("stack", "output", "databases", "--stack", "demo").stdout
    assert json.loads(shown)["mydb"]["url"] == "[secret]"


def test_a_second_up_changes_nothing(demo: auto.Stack) -> None:
    assert changes(demo.up()) == {}


def test_a_refresh_finds_no_drift(demo: auto.Stack) -> None:
    assert changes(demo.refresh()) == {}


def test_three_containers_write_one_file_and_one_reads_it(project: Project, demo: auto.Stack) -> None:
    until(lambda: {x.split()[0] for x in lines(project)} == {project.prefix + f"docker{n}" for n in (1, 2, 3)},
          "lines of all three writers")  # fmt: skip
    name, number = lines(project)[-1].split()
    assert name.startswith(f"{project.prefix}docker")
    assert int(number) > 0
    until(
        lambda: f"{project.prefix}docker1 " in docker("logs", f"{project.prefix}reader"),
        "the reader shows it",
    )


def test_the_writers_settings_are_read_while_they_run(project: Project, demo: auto.Stack) -> None:
    settings = "/config/writers.conf"
    docker("exec", f"{project.prefix}docker1", "sh", "-c", f"echo pace=600 > {settings}")
    try:
        until(lambda: _quiet(project), "silence", 30)
    finally:
        docker("exec", f"{project.prefix}docker1", "sh", "-c", f"echo pace=0.2 > {settings}")


def _quiet(project: Project) -> bool:
    before = lines(project)
    time.sleep(1.5)  # silence is no event
    return lines(project) == before


def test_a_killed_container_loses_what_was_in_it_and_nothing_on_a_volume(project: Project, demo: auto.Stack) -> None:
    name = f"{project.prefix}docker1"
    docker("exec", name, "sh", "-c", "echo inside > /inside")
    before = len(lines(project))
    docker("rm", "-f", name)
    assert changes(demo.up(refresh=True)) == {"create": 1}
    assert "No such file" in docker("exec", name, "cat", "/inside", check=False)
    assert len(lines(project)) >= before


def test_a_database_is_found_again_by_a_new_container(project: Project, demo: auto.Stack) -> None:
    project.sql(demo, "CREATE DATABASE talk; CREATE TABLE talk.t (n INT); INSERT INTO talk.t VALUES (42)")
    docker("rm", "-f", f"{project.prefix}mydb")
    assert changes(demo.up(refresh=True)) == {"create": 1}
    assert project.sql(demo, "SELECT n FROM talk.t") == "42"


def test_a_second_server_on_the_same_files_is_refused_and_told_who_holds_them(
    project: Project, demo: auto.Stack
) -> None:
    image = docker("inspect", "-f", "{{.Config.Image}}", f"{project.prefix}mydb")
    started = time.monotonic()
    said = docker(
        "run", "-d", "-v", f"{project.prefix}dbs:/var/lib/mysql", "-p", f"{free_port()}:3306",
        "-e", "MYSQL_ROOT_PASSWORD=mypassword", "--name", f"{project.prefix}mydb2", image, check=False,
    )  # fmt: skip
    # it does not wait for a takeover
    assert time.monotonic() - started < 20
    assert f'container "{project.prefix}mydb"' in said
    assert project.sql(demo, "SELECT 1") == "1"


def test_on_an_unfenced_share_innodbs_own_lock_refuses_as_in_the_talk(project: Project, demo: auto.Stack) -> None:
    image = docker("inspect", "-f", "{{.Config.Image}}", f"{project.prefix}mydb")
    volume, share = f"{project.prefix}plain", f"{project.prefix}plain"
    docker("volume", "create", "--name", volume, "-d", project.driver, "-o", f"share={share}")
    first, second = f"{project.prefix}first", f"{project.prefix}second"
    try:
        for name in (first, second):
            docker("run", "-d", "-v", f"{volume}:/var/lib/mysql", "-e", "MYSQL_ROOT_PASSWORD=mypassword",
                   "--name", name, image)  # fmt: skip
            if name == first:
                until(
                    lambda: docker("inspect", "-f", "{{.State.Health.Status}}", first) == "healthy",
                    "login",
                    60,
                )
        until(lambda: "Unable to lock" in _log(second), "InnoDB's refusal", 60)
    finally:
        docker("rm", "-f", first, second, check=False)
        docker("volume", "rm", volume, check=False)


def _log(name: str) -> str:
    done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_mydb_killed_comes_back_under_its_fence(project: Project, demo: auto.Stack) -> None:
    name = f"{project.prefix}mydb"
    pid = docker("inspect", "-f", "{{.State.Pid}}", name)
    subprocess.run(["kill", "-9", pid], check=True)
    until(lambda: docker("inspect", "-f", "{{.State.Pid}}", name) not in ("0", pid), "another process")
    until(lambda: docker("inspect", "-f", "{{.State.Health.Status}}", name) == "healthy", "login", 60)
    said = docker("run", "--rm", "-v", f"{project.prefix}dbs:/x", "--entrypoint", "true",
                  docker("inspect", "-f", "{{.Config.Image}}", name), check=False)  # fmt: skip
    assert f'container "{name}"' in said


def test_secrets_are_nowhere_in_plain_and_a_canary_is_found_everywhere(
    project: Project, demo: auto.Stack, tmp_path: Path
) -> None:
    generated, given, canary = _password(project, demo), secrets.token_urlsafe(16), f"canary{secrets.token_hex(4)}"
    file = project.folder / "Pulumi.demo.yaml"
    before, image = file.read_text(), docker("inspect", "-f", "{{.Config.Image}}", f"{project.prefix}mydb")
    by_hand = f"{project.prefix}{canary}-by-hand"
    try:
        user = "datadocker:databases[0].users[0]"
        project.cli("config", "set", "--path", f"{user}.name", "app", "--stack", "demo")
        project.cli("config", "set", "--path", f"{user}.password", given, "--secret", "--stack", "demo")
        # a name goes wherever a careless design lets a secret go
        project.cli("config", "set", "--path", "datadocker:volumes[4]", canary, "--stack", "demo")
        docker("plugin", "create", by_hand, _plugin(tmp_path, canary))
        docker("volume", "create", "-d", project.driver, "-o", f"share={canary}", by_hand)
        docker("run", "-d", "--name", by_hand, "-v", f"{by_hand}:/x", "-e", f"P={canary}", "--entrypoint", "sh", image,
               "-c", "echo $P; sleep 600; true")  # fmt: skip
        until(lambda: canary in _log(by_hand), "it runs")
        searched = places(project)
        assert [place for place, text in searched.items() if canary not in text] == []
        assert [place for place, text in searched.items() if generated in text or given in text] == []
    finally:
        docker("rm", "-f", by_hand, check=False)
        docker("volume", "rm", by_hand, check=False)
        docker("plugin", "rm", by_hand, check=False)
        file.write_text(before)
        demo.up()


def places(project: Project) -> dict[str, str]:
    """All that may show what the demo was told, by what it is."""
    said = {
        command[0]: project.cli(*command, "--stack", "demo")
        for command in (["preview", "--diff"], ["up", "--yes", "--skip-preview"])
    }
    kept = project.folder / "backend/.pulumi"
    containers = docker("ps", "-aq", "--filter", f"name={project.prefix}").split()
    volumes = docker("volume", "ls", "-q", "--filter", f"name={project.prefix}").split()
    plugins = [n for n in docker("plugin", "ls", "--format", "{{.Name}}").split() if n.startswith(project.prefix)]
    return {
        **{command: done.stdout + done.stderr for command, done in said.items()},
        "state": project.state("demo"),
        "state before it": (kept / "stacks/datadocker/demo.json.bak").read_text(),
        "history": _texts(kept / "history"),
        "backups": _texts(kept / "backups"),
        "containers": docker("inspect", *containers),
        "volumes": docker("volume", "inspect", *volumes),
        "plugin": docker("plugin", "inspect", *plugins),
        "plugin's files": _texts(project.root / "azurefile"),
        "containers' logs": "".join(map(_log, containers)),
        "engine's log": LOG.read_text(errors="replace") if LOG.exists() else _journal(),
        "processes": "\n".join(
            (called + b"\n" + _read(p / "environ")).decode(errors="replace")
            for p in Path("/proc").glob("[0-9]*")
            if b"pytest" not in (called := _read(p / "cmdline"))
        ),
    }


def _password(project: Project, demo: auto.Stack) -> str:
    return project.root_url(demo).split(":", 2)[2].rsplit("@", 1)[0]


def _plugin(folder: Path, description: str) -> str:
    (folder / "plugin/rootfs").mkdir(parents=True)
    interface = {"types": ["docker.volumedriver/1.0"], "socket": "x.sock"}
    config = {"description": description, "entrypoint": ["/x"], "interface": interface}
    (folder / "plugin/config.json").write_text(json.dumps(config))
    return str(folder / "plugin")


def _texts(folder: Path) -> str:
    return "\n".join(f.read_text(errors="replace") for f in folder.rglob("*") if f.is_file())


def _journal() -> str:
    shown = ["journalctl", "-u", "docker", "--no-pager", "--since", "-1h"]
    return subprocess.run(shown, capture_output=True, text=True, check=True).stdout


def _read(path: Path) -> bytes:
    """Nothing, if its process has ended."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_state_is_json_that_names_what_is_secret(project: Project, demo: auto.Stack) -> None:
    assert json.loads(project.state("demo"))["checkpoint"]["latest"]["secrets_providers"]["type"] == "passphrase"
