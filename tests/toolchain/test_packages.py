"""Debian's own packages: what is installed by them, and from where root filesystems are made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import bases, packages

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script before the program of its name."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    (tmp_path / "bin").mkdir()

    def write(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return write


def test_an_installation_that_was_killed_is_gone_on_with_first(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    done = tmp_path / "done"
    # as apt does, while an installation is half done
    program("dpkg", f'case "$*" in *"--configure -a") ;; *) exit 1;; esac; read line || echo configured >> {done}')
    program("apt-get", f'grep -q configured {done} && echo "$@" >> {done}')
    packages.install(["mmdebstrap"], "base images")
    assert "mmdebstrap" in done.read_text().splitlines()[-1]


@pytest.mark.parametrize(
    ("of_debian", "of_all", "expected"),
    [
        # others name their suites as Debian does
        ("http://mirror/debian stable bookworm", "http://vendor/apt stable vendor", "http://mirror/debian"),
        ("", "http://vendor/apt vendor vendor\nhttp://snapshot/debian stable bookworm", "http://snapshot/debian"),
        ("", "http://vendor/apt vendor vendor", None),
    ],
)
def test_root_filesystems_come_from_debians_own_mirror(
    program: Program, of_debian: str, of_all: str, expected: str | None
) -> None:
    program("apt-get", f'case "$*" in *"Origin: Debian"*) printf "{of_debian}";; *) printf "{of_all}";; esac')
    assert bases._mirror() == expected
