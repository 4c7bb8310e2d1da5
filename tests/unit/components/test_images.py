"""An image is built only where there is room for it; one that is there needs none."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from components.hosts.engine import Engine
from components.images.context import ROOM, _can_be_built
from tests.unit.fake_engine import FakeEngine, fake_engine

IMAGE, BASE = "datadocker/writer:1", "datadocker/base-bookworm:1"
Usage = namedtuple("Usage", "free")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    with fake_engine(tmp_path) as made:
        made.answers = {"/info": {"DockerRootDir": str(tmp_path)}, f"/images/{BASE}/json": {}}
        yield made


@pytest.fixture(autouse=True)
def _full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=ROOM - (100 << 20)))


def room(url: str) -> str:
    return _can_be_built([IMAGE, Engine(url=url, ssh_opts=[]), BASE])


def test_a_full_disk_is_said_before_a_build(engine: FakeEngine, tmp_path: Path) -> None:
    with pytest.raises(pulumi.RunError) as caught:
        room(f"unix://{engine.path}")
    assert str(caught.value) == (
        f"no room to build {IMAGE}: the Docker engine's disk has 924 MB left in {tmp_path} and building takes 1024: "
        "free some (docker system df shows what is used) and say pulumi up again"
    )


def test_an_image_that_is_there_needs_no_room(engine: FakeEngine) -> None:
    engine.answers[f"/images/{IMAGE}/json"] = {}
    assert room(f"unix://{engine.path}") == IMAGE


def test_the_disk_of_another_machine_is_not_looked_at(engine: FakeEngine) -> None:
    assert room("ssh://ops@box:22") == IMAGE
    engine.answers["/info"] = {"DockerRootDir": "/nowhere/docker"}
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
    with pytest.raises(pulumi.RunError, match=rf"^the image {BASE}, .* is gone .*: pulumi up --refresh"):
        room(f"unix://{engine.path}")
