"""./pulumiw as a newcomer uses it: nothing chosen, nothing cleaned up, killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.checkout import Checkout
from tests.engine.conftest import Project, docker, free_port

pytestmark = pytest.mark.engine

CONTAINERS = ("docker1", "docker2", "docker3", "reader", "mydb")


@pytest.fixture(scope="module")
def checkout(project: Project) -> Iterator[Checkout]:
    # the tests' own names in the very file that a newcomer finds
    file = project.folder / "Pulumi.dev.yaml"
    dev = yaml.safe_load(file.read_text())
    names: dict[str, Any] = project.config(shares={"kind": "local", "retain": False})
    dev["config"] |= {f"datadocker:{k}": v for k, v in names.items()}
    file.write_text(yaml.safe_dump(dev))
    made = Checkout(project)
    yield made
    made.run("destroy", "--yes", "--skip-preview")


def test_up_on_a_fresh_clone_brings_up_the_demo_and_changes_no_tracked_file(checkout: Checkout) -> None:
    checkout.run("up", "--yes")
    assert checkout.running() == sorted(CONTAINERS)
    assert checkout.git_status() == ""
    assert "dev*" in checkout.run("stack", "ls")


def test_the_state_is_closed_to_others(checkout: Checkout) -> None:
    assert (checkout.folder / ".state").stat().st_mode & 0o777 == 0o700


def test_a_second_up_changes_nothing_and_a_refresh_finds_nothing(checkout: Checkout) -> None:
    for command in ("up", "refresh"):
        output = checkout.run(command, "--yes", "--skip-preview")
        assert "unchanged" in output
        for change in ("created", "updated", "replaced", "deleted"):
            assert f" {change}\n" not in output


@pytest.mark.parametrize("command", ["up", "refresh"])
def test_a_state_that_a_power_cut_left_half_written_is_the_one_before(checkout: Checkout, command: str) -> None:
    state = checkout.folder / ".state/.pulumi/stacks/datadocker/dev.json"
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    output = checkout.run(command, "--yes", "--skip-preview")
    assert "the state of stack dev was half written: took the one before it" in output
    assert checkout.running() == sorted(CONTAINERS)


@pytest.mark.parametrize("lines", [1, 3, 11, 19, 27, 47])
def test_after_a_destroy_that_was_killed_the_next_up_finishes_the_job(checkout: Checkout, lines: int) -> None:
    checkout.kill_after(lines, "destroy", "--yes", "--skip-preview")
    checkout.run("up", "--yes", "--skip-preview")
    assert checkout.running() == sorted(CONTAINERS)
    checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.parametrize("lines", [1, 5, 33, 45, 57, 75])
def test_after_an_up_that_was_killed_the_next_up_finishes_the_job(checkout: Checkout, lines: int) -> None:
    checkout.run("destroy", "--yes", "--skip-preview")
    checkout.kill_after(lines, "up", "--yes", "--skip-preview")
    checkout.run("up", "--yes", "--skip-preview")
    assert checkout.running() == sorted(CONTAINERS)
    checkout.run("up", "--yes", "--skip-preview", "--expect-no-changes")


@pytest.mark.parametrize("lines", [30, 41, 47, 65])
def test_after_an_up_that_was_killed_a_destroy_leaves_nothing(checkout: Checkout, lines: int) -> None:
    project = checkout.project
    checkout.run("destroy", "--yes", "--skip-preview")
    checkout.kill_after(lines, "up", "--yes", "--skip-preview")
    checkout.run("destroy", "--yes", "--skip-preview")
    assert docker("ps", "-aq", "--filter", f"name={project.prefix}") == ""
    assert docker("ps", "-aq", "--filter", f"label=io.datadocker.oneoff={project.root}") == ""
    assert docker("volume", "ls", "-q", "--filter", f"name={project.prefix}") == ""
    assert project.driver not in docker("plugin", "ls", "--format", "{{.Name}}")
    assert images_of(project) == []


def test_an_image_that_was_tagged_and_in_no_state_is_left_by_no_destroy(checkout: Checkout) -> None:
    checkout.run("destroy", "--yes", "--skip-preview")
    seen = ("--since", str(int(time.time())), "--filter", "event=tag", "--filter", "label=io.datadocker.image-of")
    with subprocess.Popen(
        ["docker", "events", *seen, "--format", "{{json .Actor.Attributes}}"], stdout=subprocess.PIPE, text=True
    ) as events:
        assert events.stdout is not None
        process = checkout.start("up", "--yes", "--skip-preview")
        threading.Thread(target=_end_with, args=(process, events), daemon=True).start()
        assert any(str(checkout.folder) in line for line in events.stdout), "no image was tagged"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        events.terminate()
    checkout.run("destroy", "--yes", "--skip-preview")
    assert images_of(checkout.project) == []


def _end_with(first: subprocess.Popen[str], then: subprocess.Popen[str]) -> None:
    first.wait()
    then.terminate()


def images_of(project: Project) -> list[str]:
    """The tags on the engine that are of the project's stacks."""
    ours = ("--filter", "label=io.datadocker.image-of", "--filter", "dangling=false")
    tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}", *ours).split()
    return [tag for tag in tags if f"{project.folder}#" in docker("image", "inspect", tag, check=False)]


def test_ctrl_c_ends_an_up_and_the_next_one_goes_on(checkout: Checkout) -> None:
    checkout.run("destroy", "--yes", "--skip-preview")
    process = checkout.start("up", "--yes", "--skip-preview")
    assert process.stdout is not None
    assert any(" docker:index:Volume" in line for line in process.stdout), "it came to the volumes"
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode != 0
    checkout.run("up", "--yes", "--skip-preview")
    assert checkout.running() == sorted(CONTAINERS)


def test_a_stack_whose_file_exists_is_created(checkout: Checkout) -> None:
    (checkout.folder / "Pulumi.mine.yaml").write_text(
        json.dumps({"config": {"datadocker:stack": "databases", "datadocker:plugin": {
            "name": checkout.project.driver, "root": str(checkout.project.root)}}})
    )  # fmt: skip
    output = checkout.run("up", "--yes", "--stack", "mine")
    assert "creating stack mine" in output
    assert "dev*" in checkout.run("stack", "ls")
    checkout.run("destroy", "--yes", "--stack", "mine")
    checkout.run("stack", "rm", "mine", "--yes")
    (checkout.folder / "Pulumi.mine.yaml").unlink(missing_ok=True)


def test_a_stack_without_a_file_is_pulumis_own_error(checkout: Checkout) -> None:
    output = checkout.run("up", "--yes", "--stack", "nobody", fails=True)
    assert "no stack named 'nobody' found" in output
    assert "write Pulumi.nobody.yaml" in output


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("datadocker:databases[0].port", "99999", "databases[0].port: 99999: should be at most 65535"),
        ("datadocker:volmues", "[]", "volmues: no such setting; did you mean volumes?"),
        ("datadocker:host.socket", "/nowhere/docker.sock", "this stack stands on unix://"),
    ],
)
def test_bad_settings_are_one_line_and_change_nothing(checkout: Checkout, setting: str, value: str, said: str) -> None:
    file = checkout.folder / "Pulumi.dev.yaml"
    before, running = file.read_text(), checkout.running()
    try:
        checkout.run("config", "set", "--path", setting, value)
        output = checkout.run("up", "--yes", "--skip-preview", fails=True)
        assert said in output
        assert "Traceback" not in output
        assert checkout.running() == running
    finally:
        file.write_text(before)


def test_a_port_in_use_is_one_line_and_changes_nothing(checkout: Checkout) -> None:
    import socket

    file = checkout.folder / "Pulumi.dev.yaml"
    before, running, port = file.read_text(), checkout.running(), free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        try:
            checkout.run("config", "set", "--path", "datadocker:databases[0].port", str(port))
            output = checkout.run("up", "--yes", "--skip-preview", fails=True)
        finally:
            file.write_text(before)
    assert f"port {port} for {checkout.project.prefix}mydb is in use on 127.0.0.1" in output
    assert "Traceback" not in output
    assert checkout.running() == running


def test_a_plugin_of_the_name_that_is_not_ours_is_left_alone(checkout: Checkout, tmp_path: Path) -> None:
    name = f"{checkout.project.prefix}foreign"
    rootfs = tmp_path / "plugin/rootfs"
    rootfs.mkdir(parents=True)
    (tmp_path / "plugin/config.json").write_text(
        json.dumps({"description": "somebody else's", "entrypoint": ["/x"],
                    "interface": {"types": ["docker.volumedriver/1.0"], "socket": "x.sock"}})
    )  # fmt: skip
    docker("plugin", "create", name, str(tmp_path / "plugin"))
    (checkout.folder / "Pulumi.foreign.yaml").write_text(
        json.dumps({"config": {"datadocker:stack": "databases", "datadocker:plugin": {
            "name": name, "root": str(checkout.project.root)}}})
    )  # fmt: skip
    try:
        output = checkout.run("up", "--yes", "--skip-preview", "--stack", "foreign", fails=True)
        assert f"the engine has a plugin {name} that is not ours (somebody else's)" in output
        assert "somebody else's" in docker("plugin", "inspect", name)
    finally:
        checkout.run("destroy", "--yes", "--stack", "foreign")
        docker("plugin", "rm", "-f", name)
        checkout.run("stack", "rm", "foreign", "--yes")
        (checkout.folder / "Pulumi.foreign.yaml").unlink(missing_ok=True)
