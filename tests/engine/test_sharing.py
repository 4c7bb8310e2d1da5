"""An engine that others use too: another checkout's stack of the same name, and containers made by hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from tests.engine.conftest import Project, _clean, changes, docker, free_port

pytestmark = pytest.mark.engine

# images are found by it, and a run that was killed leaves its own
NAME = f"same-{os.getpid()}"


@pytest.fixture(scope="module")
def config(project: Project) -> dict[str, Any]:
    return project.config(stack="databases", volumes=["dbs", "files"], shares={"kind": "local", "retain": False})


@pytest.fixture(scope="module")
def first(project: Project, config: dict[str, Any]) -> Iterator[auto.Stack]:
    stack = project.stack(NAME, config)
    stack.up()
    project.sql(stack, "CREATE DATABASE talk; CREATE TABLE talk.t (n INT); INSERT INTO talk.t VALUES (42)")
    yield stack
    stack.destroy()


@pytest.fixture(scope="module")
def second(project: Project, first: auto.Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("second") / "checkout"
    shutil.copytree(project.folder, folder, symlinks=True, ignore=shutil.ignore_patterns("backend", "workspaces"))
    (folder / "backend").mkdir()
    made = replace(project, folder=folder)
    yield made
    _clean(replace(made, prefix=f"{project.prefix}b-"))


def there(prefix: str) -> list[str]:
    """Ids of all containers and names of all volumes and image tags of ours; tests that failed leave untagged ones."""
    containers = docker("ps", "-aq", "--no-trunc", "--filter", f"name={prefix}").split()
    volumes = docker("volume", "ls", "-q", "--filter", f"name={prefix}").split()
    tags = docker(
        "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"label=io.datadocker.stack=datadocker/{NAME}"
    )
    return sorted(containers + volumes + [tag for tag in tags.split() if "<none>" not in tag])


@pytest.mark.parametrize("command", ["preview", "up"])
def test_a_name_that_another_checkouts_stack_has_is_one_line_and_changes_nothing(
    project: Project, second: Project, config: dict[str, Any], command: str
) -> None:
    before = there(project.prefix)
    second.stack(NAME, config)
    done = second.cli(command, "--stack", NAME, *(["--yes", "--skip-preview"] if command == "up" else []))
    assert done.returncode != 0
    diagnostics = done.stdout.split("Diagnostics:")[1]
    said = [line for line in diagnostics.splitlines() if "taken on this engine by" in line]
    assert len(said) == 1, done.stdout + done.stderr
    for thing in (f"container {project.prefix}mydb", f"volume {project.prefix}dbs", f"port {project.ports[0]}"):
        assert thing in said[0]
    assert f"by stack datadocker/{NAME} of " in said[0]
    assert f":{project.folder}: destroy that stack first, or give this stack names" in said[0]
    assert "Traceback" not in done.stdout + done.stderr
    assert there(project.prefix) == before


def test_another_checkouts_port_is_one_line_and_its_database_is_not_stopped(
    project: Project, first: auto.Stack, second: Project, config: dict[str, Any]
) -> None:
    second.stack(NAME, config | {"prefix": f"{project.prefix}b-"})
    done = second.cli("up", "--yes", "--skip-preview", "--stack", NAME)
    assert done.returncode != 0
    assert f"port {project.ports[0]}: taken on this engine by stack datadocker/{NAME} of " in done.stdout
    assert project.sql(first, "SELECT n FROM talk.t") == "42"


def plugin_changed(project: Project, config: dict[str, Any], **change: str) -> str:
    """What an up says that is refused, with the plugin changed so; all that stands still does, and runs."""
    before = there(project.prefix), docker("ps", "-q", "--filter", f"name={project.prefix}")
    plugin = docker("plugin", "inspect", project.driver)
    project.write(NAME, config | {"plugin": config["plugin"] | change})
    try:
        done = project.cli("up", "--yes", "--skip-preview", "--stack", NAME)
    finally:
        project.write(NAME, config)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert before == (there(project.prefix), docker("ps", "-q", "--filter", f"name={project.prefix}"))
    assert docker("plugin", "inspect", project.driver) == plugin
    return done.stdout


@pytest.fixture(scope="module")
def alone(project: Project, first: auto.Stack) -> list[str]:
    """What is there of the first stack, before the second stands beside it."""
    return there(project.prefix)


@pytest.fixture(scope="module")
def beside(project: Project, config: dict[str, Any], alone: list[str]) -> dict[str, Any]:
    """Settings by which the second stack stands beside the first."""
    databases = [{"name": "mydb", "volume": "dbs", "port": free_port()}]
    return config | {"prefix": f"{project.prefix}b-", "databases": databases}


def test_a_plugin_is_not_taken_into_another_folder_while_a_stack_has_volumes_of_it(
    project: Project, first: auto.Stack, second: Project, beside: dict[str, Any]
) -> None:
    second.stack(NAME, beside)
    said = plugin_changed(second, beside, root=f"{project.root}/other")
    assert f"plugin {project.driver} works in the folder {project.root} for volume {project.prefix}dbs, " in said
    assert project.sql(first, "SELECT n FROM talk.t") == "42"


def test_nor_does_it_get_another_name_while_another_stack_has_some(
    project: Project, first: auto.Stack, second: Project, config: dict[str, Any], beside: dict[str, Any]
) -> None:
    second.stack(NAME, beside).up()
    said = plugin_changed(project, config, name=f"{project.driver}2")
    assert f"plugin {project.driver} stays, since others have volumes of it ({project.prefix}b-dbs, " in said
    assert project.sql(first, "SELECT n FROM talk.t") == "42"


def test_under_another_prefix_both_stand_and_one_that_goes_leaves_the_other(
    project: Project, first: auto.Stack, second: Project, alone: list[str], beside: dict[str, Any]
) -> None:
    plugin = docker("plugin", "inspect", "-f", "{{.Id}}", project.driver)
    other = replace(second, prefix=f"{project.prefix}b-")
    stack = second.stack(NAME, beside)
    stack.up()
    assert "talk" not in other.sql(stack, "SHOW DATABASES").split()
    assert project.sql(first, "SELECT n FROM talk.t") == "42"
    assert set(alone) < set(there(project.prefix))
    stack.destroy()
    assert there(project.prefix) == alone
    assert docker("plugin", "inspect", "-f", "{{.Id}}", project.driver) == plugin
    # the image's tag, the plugin and the volume are all still good for a start
    docker("restart", f"{project.prefix}mydb")
    assert changes(first.refresh()) == changes(first.up()) == {}


def refused_volume(project: Project, volume: str, data: str, *options: str) -> None:
    before = there(project.prefix)
    done = project.cli("up", "--yes", "--skip-preview", *options, "--stack", NAME)
    assert done.returncode != 0
    assert (
        f"volume {volume}: taken on this engine by a volume made by hand: remove it first (docker volume rm {volume}; "
        f"{data})"
    ) in done.stdout
    assert "Traceback" not in done.stdout
    assert there(project.prefix) == before


def test_a_volume_by_hand_of_a_name_that_the_settings_take_is_not_taken_over(
    project: Project, first: auto.Stack, config: dict[str, Any]
) -> None:
    volume = f"{project.prefix}new"
    docker("volume", "create", "--name", volume, "-d", project.driver, "-o", "share=mine")
    project.write(NAME, config | {"volumes": ["dbs", "files", "new"]})
    try:
        refused_volume(project, volume, "its share keeps the data")
    finally:
        project.write(NAME, config)
        docker("volume", "rm", volume)


def test_nor_is_one_removed_that_has_the_place_of_a_volume_of_the_stack(project: Project, first: auto.Stack) -> None:
    volume = f"{project.prefix}dbs"
    docker("rm", "-f", f"{project.prefix}mydb")
    docker("volume", "rm", volume)
    docker("volume", "create", "--name", volume)
    refused_volume(project, volume, "its data goes, too", "--refresh")
    docker("volume", "rm", volume)
    first.up(refresh=True)
    assert project.sql(first, "SELECT n FROM talk.t") == "42"


def test_a_volume_whose_labels_the_engine_lost_while_the_plugin_was_away_is_still_the_stacks(
    project: Project, first: auto.Stack
) -> None:
    volume = f"{project.prefix}dbs"
    (known,) = project.root.rglob(f"volumes/{volume}.json")
    kept = known.read_text()
    docker("rm", "-f", f"{project.prefix}mydb")
    docker("volume", "rm", volume)
    docker("plugin", "disable", "-f", project.driver)
    # an engine that started without the plugin has forgotten it, as this one has
    known.write_text(kept)
    docker("plugin", "enable", project.driver)
    assert docker("volume", "inspect", "-f", "{{.Labels}} {{.Options}}", volume) == "map[] map[]"
    assert changes(first.up(refresh=True))["replace"] > 0
    assert docker("volume", "inspect", "-f", "{{.Options.exclusive}}", volume) == "true"
    assert project.sql(first, "SELECT n FROM talk.t") == "42"


@pytest.fixture
def by_hand(project: Project, first: auto.Stack) -> Iterator[str]:
    name = f"{project.prefix}byhand"
    image = docker("inspect", "-f", "{{.Config.Image}}", f"{project.prefix}mydb")
    docker("run", "-d", "--name", name, "-v", f"{project.prefix}files:/x", "--entrypoint", "sleep", image, "600")
    yield name
    docker("rm", "-f", name, check=False)


def refused(project: Project, used: str, by_hand: str, *command: str) -> None:
    before = there(project.prefix)
    done = project.cli(*command, "--yes", "--skip-preview", "--stack", NAME)
    assert done.returncode != 0
    assert project.prefix + used in done.stdout
    assert f"remove what uses them (docker rm -f {by_hand}) and say it again" in done.stdout
    assert "Traceback" not in done.stdout
    assert there(project.prefix) == before


def test_a_destroy_is_refused_at_once_while_a_container_by_hand_has_a_volume(project: Project, by_hand: str) -> None:
    refused(project, f"files by {by_hand} (made by hand, running)", by_hand, "destroy")


def test_so_is_an_up_that_no_longer_has_the_volume(project: Project, by_hand: str, config: dict[str, Any]) -> None:
    project.write(NAME, config | {"volumes": ["dbs"]})
    try:
        refused(project, f"files by {by_hand} (made by hand, running)", by_hand, "up")
    finally:
        project.write(NAME, config)


def test_a_volume_that_others_use_does_not_keep_others_from_being_added(
    project: Project, by_hand: str, config: dict[str, Any], first: auto.Stack
) -> None:
    project.write(NAME, config | {"volumes": ["dbs", "files", "more"]})
    done = project.cli("preview", "--stack", NAME)
    assert "VolumeGuard volumes update" in " ".join(done.stdout.split()), done.stdout
    assert changes(first.up()) == {"create": 4, "update": 2}
    project.write(NAME, config)
    assert changes(first.up()) == {"delete": 4, "update": 2}


def test_a_volume_that_others_use_is_not_changed_and_its_database_stays(
    project: Project, config: dict[str, Any], first: auto.Stack
) -> None:
    name, database = f"{project.prefix}leftover", f"{project.prefix}mydb"
    image = docker("inspect", "-f", "{{.Config.Image}}", database)
    docker("create", "--name", name, "-v", f"{project.prefix}dbs:/x", image)
    project.write(NAME, config | {"volumes": [{"name": "dbs", "options": {"dirmode": "0700"}}, "files"]})
    try:
        refused(project, f"dbs by {project.prefix}leftover (made by hand, created)", name, "up")
        docker("rm", "-f", name)
        # the volume, the container and the guard
        assert changes(first.up()) == {"replace": 3}
        assert "dirmode:0700" in docker("volume", "inspect", "-f", "{{.Options}}", f"{project.prefix}dbs")
        assert project.sql(first, "SELECT n FROM talk.t") == "42"
    finally:
        docker("rm", "-f", name, check=False)
        project.write(NAME, config)


def test_nor_is_any_other_that_is_changed_with_it(project: Project, by_hand: str, config: dict[str, Any]) -> None:
    changed = [{"name": name, "options": {"dirmode": "0711"}} for name in ("files", "dbs")]
    project.write(NAME, config | {"volumes": changed})
    try:
        refused(project, f"files by {by_hand} (made by hand, running)", by_hand, "up")
    finally:
        project.write(NAME, config)


def test_nothing_goes_while_a_volume_by_hand_maps_the_data_that_would_go_with_it(
    project: Project, first: auto.Stack, config: dict[str, Any]
) -> None:
    volume, said = f"{project.prefix}mine", "shares of this stack are deleted with it (shares.retain is false), and"
    share = docker("volume", "inspect", "-f", "{{.Status.share}}", f"{project.prefix}files")
    first.up()
    docker("volume", "create", "--name", volume, "-d", project.driver, "-o", f"share={share}")
    before = there(project.prefix)
    try:
        for command, volumes in (("destroy", ["dbs", "files"]), ("up", ["dbs"])):
            project.write(NAME, config | {"volumes": volumes})
            done = project.cli(command, "--yes", "--skip-preview", "--stack", NAME)
            assert done.returncode != 0
            assert f"{said} others map them: {share} by volume {volume}: remove these (docker volume rm" in done.stdout
            assert there(project.prefix) == before
        # the other guard was deleted before, and what changes a volume takes no share
        project.write(NAME, config)
        assert changes(first.up()) == {"create": 1}
        changed = [{"name": "dbs", "options": {"dirmode": "0750"}}, "files"]
        project.write(NAME, config | {"volumes": changed})
        assert changes(first.up()) == {"replace": 3}
        project.write(NAME, config | {"volumes": ["dbs", "files"]})
        assert changes(first.up()) == {"replace": 3}
    finally:
        docker("volume", "rm", volume, check=False)
        project.write(NAME, config)


def test_the_destroy_works_once_it_is_gone(project: Project, first: auto.Stack) -> None:
    first.destroy()
    assert there(project.prefix) == []
    assert project.driver not in docker("plugin", "ls")
    assert not list(Path(project.root, "shares").glob("*"))
