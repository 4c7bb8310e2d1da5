"""What an image is built of gives it its tag. It is built only where there is room; one that is there needs none."""

from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.hosts import LocalHost
from components.images.context import IMAGE as REMOTE_IMAGE
from components.images.context import ROOM, ContextImage, _can_be_built, context_digest
from tests.unit.conftest import Build, Recorder
from tests.unit.fake_engine import FakeEngine, fake_engine
from tests.unit.parts import LABELS, host

IMAGE, BASE = "datadocker/writer:1", "datadocker/base-bookworm:1"
Usage = namedtuple("Usage", "free")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path) as made:
        made.answers = {"/info": {"DockerRootDir": str(tmp_path)}, f"/images/{BASE}/json": {}}
        yield made


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], dict[str, Any]]:
    known: dict[tuple[str, str], dict[str, Any]] = {}
    monkeypatch.setattr("components.images.context.recorded", lambda: known)
    return known


@pytest.fixture(autouse=True)
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=ROOM - (100 << 20)))


def room(url: str) -> str:
    return _can_be_built([IMAGE, url, BASE], [])


def test_a_full_disk_is_said_before_a_build(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        room(f"unix://{engine.path}")
    assert str(caught.value) == (
        f"no room to build {IMAGE}: the Docker engine's disk has 924 MB left in {tmp_path} and building takes 1024: "
        "free some (docker system df shows what is used) and say up again"
    )


def test_an_image_that_is_there_needs_no_room(engine: FakeEngine) -> None:
    engine.answers[f"/images/{IMAGE}/json"] = {}
    assert room(f"unix://{engine.path}") == IMAGE


def test_the_disk_of_another_machine_is_not_looked_at(engine: FakeEngine) -> None:
    assert room("ssh://ops@box:22") == IMAGE
    engine.answers["/info"] = {"DockerRootDir": "/nowhere/docker"}
    assert room(f"unix://{engine.path}") == IMAGE


def test_a_disk_below_a_private_folder_is_not_looked_at(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    private, stat = "/private/docker", os.stat

    def closed(path: Any, *args: Any, **more: Any) -> os.stat_result:
        if str(path) == private:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), private)
        return stat(path, *args, **more)

    monkeypatch.setattr(os, "stat", closed)
    engine.answers["/info"] = {"DockerRootDir": private}
    assert room(f"unix://{engine.path}") == IMAGE


def test_an_engine_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError, match=r"^no Docker engine answers at .*: start it"):
        room(f"unix://{tmp_path}/none")


def test_an_image_whose_base_was_pruned_is_one_line_that_says_what_brings_it_back(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=ROOM))
    assert room(f"unix://{engine.path}") == IMAGE
    del engine.answers[f"/images/{BASE}/json"]
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert room(f"unix://{engine.path}") == IMAGE
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)
    with pytest.raises(
        pulumi.RunError, match=rf"^the image {BASE}, .* is gone .*: \./pulumiw up --refresh --stack \S+ makes"
    ):
        room(f"unix://{engine.path}")


@pytest.mark.parametrize(("built", "preview"), [(True, False), (False, True), (False, False)])
def test_an_image_that_the_engine_has_lost_costs_no_container(
    build: Build, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, built: bool, preview: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=ROOM))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    engine.answers["/_ping"] = "OK"
    register = Recorder.new_resource

    def make(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> Any:
        if built and args.typ == REMOTE_IMAGE:
            engine.answers[f"/images/{args.inputs['name']}/json"] = {}
        return register(self, args)

    def program() -> dict[str, Any]:
        on = LocalHost("host", {"socket": engine.path})
        args = {"context": str(tmp_path), "base": BASE, "labels": LABELS}
        return {"built": ContextImage("writer", {"host": on, **args}).built}  # type: ignore[typeddict-item]

    monkeypatch.setattr(Recorder, "new_resource", make)
    if built or preview:
        assert build(program)["built"].startswith("datadocker/")
        return
    # to Pulumi it is what it was
    with pytest.raises(
        pulumi.RunError, match=r"^the image datadocker/\S+ is gone .*: \./pulumiw up --refresh --stack unit makes"
    ):
        build(program)


def test_other_files_are_another_resource_and_one_of_before_that_stays_keeps_its_name(
    build: Build, recorder: Recorder, state: dict[tuple[str, str], dict[str, Any]], tmp_path: Path
) -> None:
    """Pulumi deletes by a tag what it replaces, at the end, and an older checkout may have made that tag again."""

    def made(file: str) -> tuple[str, dict[str, Any]]:
        (tmp_path / "Dockerfile").write_text(file)
        recorder.made.clear()
        args = {"context": str(tmp_path), "base": BASE, "labels": LABELS}
        build(lambda: ContextImage("writer", {"host": host(), **args}) and None)  # type: ignore[typeddict-item]
        ((name, inputs),) = recorder.all(REMOTE_IMAGE).items()
        return name, inputs

    (one, inputs), (other, _) = made("1"), made("2")
    assert len({one, other, "writer-image"}) == 3
    assert one.startswith("writer-image-")
    # before names had a digest
    state[REMOTE_IMAGE, "writer-image"] = inputs
    assert [made(file)[0] for file in ("1", "2")] == ["writer-image", other]
    # what somebody put into the state by hand is not looked into
    state[REMOTE_IMAGE, "writer-image"] = {"name": inputs["name"]}
    assert made("1")[0] == one


def test_what_is_not_sent_to_the_engine_is_not_part_of_a_plugins_identity(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("**/__pycache__\nREADME.md\n")
    (tmp_path / "program.py").write_text("1")
    before = context_digest(tmp_path)
    (tmp_path / "README.md").write_text("words")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/program.pyc").write_text("x")
    # of an editor that has the program open
    (tmp_path / ".program.py.swp").write_text("x")
    (tmp_path / "program.py~").write_text("x")
    assert context_digest(tmp_path) == before
    (tmp_path / "program.py").write_text("2")
    assert context_digest(tmp_path) != before


def test_another_dockerfile_is_another_image_though_it_is_not_to_be_in_it(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("Dockerfile\n")
    (tmp_path / "Dockerfile").write_text("FROM one")
    before = context_digest(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM another")
    assert context_digest(tmp_path) != before


def test_a_program_that_can_be_run_is_another_image(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    before = context_digest(tmp_path)
    # what a checkout's umask decides makes no other image
    program.chmod(0o664)
    assert context_digest(tmp_path) == before
    program.chmod(0o755)
    assert context_digest(tmp_path) != before
