"""What `./test` runs, and what it makes ready."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import testing


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"ddtest-{os.getpid()}-base"
    monkeypatch.setattr(testing, "TEST_IMAGE", name)
    yield name
    for image in images(name):
        subprocess.run(["docker", "rmi", "-f", image], capture_output=True, check=True)


def images(repository: str) -> set[str]:
    listed = subprocess.run(
        ["docker", "images", "--no-trunc", "--format", "{{.ID}}", repository],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listed.stdout.split())


def toolchain_with(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "file").write_bytes(content)
    for suite in ("bookworm", "sid"):
        with tarfile.open(folder / f"{suite}.tar", "w") as archive:
            archive.add(folder / "file", suite)
    made = folder.with_name(f"toolchain-{folder.name}")
    made.mkdir()
    (made / "bases").symlink_to(folder)
    return made


@pytest.mark.engine
def test_a_base_is_imported_once_and_another_one_takes_its_place(tmp_path: Path, repository: str) -> None:
    first, second = toolchain_with(tmp_path / "bases-1", b"1"), toolchain_with(tmp_path / "bases-2", b"2")
    names = testing._import_bases(first)
    assert list(names.values()) == [f"{repository}:bookworm", f"{repository}:sid"]
    imported = images(repository)
    assert testing._import_bases(first) == names
    assert images(repository) == imported
    testing._import_bases(second)
    assert not images(repository) & imported
    left = subprocess.run(["docker", "image", "inspect", *imported], capture_output=True, text=True, check=False)
    assert left.stderr.count("No such image") == 2


def test_the_words_of_pytests_own_options_are_no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], list[str]]] = []

    def run(parts: list[str], rest: list[str]) -> int:
        ran.append((parts, rest))
        return 0

    monkeypatch.setattr(testing, "_run", run)
    for words in (["unit", "-k", "plugin"], ["unit", "engine", "-q"], ["-k", "azure"]):
        with pytest.raises(SystemExit, match="0"):
            testing.main(words)
    assert ran == [
        (["unit"], ["-k", "plugin"]),
        (["unit", "engine"], ["-q"]),
        (list(testing.PARTS), ["-k", "azure"]),
    ]
