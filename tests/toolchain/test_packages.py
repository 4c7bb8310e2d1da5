"""Debian's own packages: what is installed by them, and from where root filesystems are made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import bases, packages
from toolchain.progress import ToolchainError

Program = Callable[[str, str], None]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script before the program of its name, for root with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    (tmp_path / "bin").mkdir()

    def write(name: str, script: str) -> None:
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)

    return write


def test_an_installation_that_was_killed_is_gone_on_with_first(program: Program, tmp_path: Path) -> None:
    done = tmp_path / "done"
    # as apt does, while an installation is half done
    program("dpkg", f'case "$*" in *"--configure -a") ;; *) exit 1;; esac; read line || echo configured >> {done}')
    program("apt-get", f'grep -q configured {done} && echo "$@" >> {done}')
    packages.install(["mmdebstrap"], "base images")
    assert "mmdebstrap" in done.read_text().splitlines()[-1]


def test_dpkg_has_what_only_root_has_in_its_path(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a shell by su."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    program("dpkg", f"echo $PATH > {tmp_path}/path")
    program("apt-get", "")
    packages.install(["mmdebstrap"], "base images")
    assert (tmp_path / "path").read_text() == f"{tmp_path}/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin\n"


def test_what_not_every_release_has_is_asked_for_by_a_pattern(program: Program, tmp_path: Path) -> None:
    """In one go with the rest: a run that ends between two would be the end of the second."""
    done = tmp_path / "done"
    program("dpkg", "")
    program("apt-get", f'echo "$@" >> {done}')
    packages.require(["nowhere"], ["docker.io"], "the engine", ["docker-cli"])
    assert done.read_text().endswith(" docker.io ?exact-name(docker-cli)\n")


LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"


@pytest.mark.parametrize("locked", ["update", "install"])
def test_another_apt_is_waited_for(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str
) -> None:
    held, done = tmp_path / "held", tmp_path / "done"
    held.touch()
    program("dpkg", "")
    program(
        "apt-get",
        f'case "$*" in *" {locked}"*) [ ! -e {held} ] || {{ echo "{LOCKED}"; exit 100; }};; esac; echo "$@" >> {done}',
    )
    said: list[str] = []

    def end_the_other(line: str) -> None:
        said.append(line)
        held.unlink()

    monkeypatch.setattr(packages, "say", end_the_other)
    monkeypatch.setattr(packages, "AGAIN_SECONDS", 0)
    packages.install(["mmdebstrap"], "base images")
    assert ["update" in line for line in done.read_text().splitlines()] == [True, False]
    assert said == ["another apt is at work: waiting for it, 300 s at most"]


@pytest.mark.parametrize("said", [LOCKED, "E: The repository is not signed"])
def test_what_apt_can_not_do_ends_it(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr(packages, "LOCK_SECONDS", 0)
    program("dpkg", "")
    program("apt-get", f'echo "{said}"; exit 100')
    with pytest.raises(ToolchainError, match=rf"^reading the package lists failed .*\n  {said[:9]}"):
        packages.install(["mmdebstrap"], "base images")


@pytest.mark.parametrize(
    ("of_debian", "of_all", "expected"),
    [
        # others name their suites as Debian does
        ("http://mirror/debian stable bookworm", "http://vendor/apt stable vendor", "http://mirror/debian"),
        ("", "http://vendor/apt vendor vendor\nhttp://snapshot/debian stable bookworm", "http://snapshot/debian"),
        ("", "http://vendor/apt vendor vendor", None),
        ("file:/media/debian stable bookworm", "http://vendor/apt stable bookworm", None),
        # of Debian's cloud images
        ("mirror+file:/LIST/ stable bookworm", "", "https://listed/debian"),
        ("mirror+file:///LIST stable bookworm", "", "https://listed/debian"),
        ("mirror+file:/nowhere stable bookworm", "http://vendor/apt stable bookworm", None),
    ],
)
def test_root_filesystems_come_from_debians_own_mirror(
    program: Program, tmp_path: Path, of_debian: str, of_all: str, expected: str | None
) -> None:
    (tmp_path / "list").write_text("# mirrors\nfile:/media\nhttps://listed/debian\tpriority:1\nhttp://other/debian\n")
    of_debian = of_debian.replace("/LIST", str(tmp_path / "list"))
    program("apt-get", f'case "$*" in *"Origin: Debian"*) printf "{of_debian}";; *) printf "{of_all}";; esac')
    assert packages.mirror() == expected


def test_a_mirror_with_a_password_is_refused_without_it(program: Program) -> None:
    program("apt-get", "echo 'https://me:hidden@mirror/debian stable bookworm'")
    with pytest.raises(ToolchainError, match=r"^apt's sources name Debian's mirror with a password") as refused:
        packages.mirror()
    assert "hidden" not in str(refused.value)


def test_root_filesystems_have_another_name_with_other_local_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's own change with its updates, which would replace every container."""
    bundle, local = tmp_path / "bundle.crt", tmp_path / "local"
    monkeypatch.setattr(bases, "BUNDLE", bundle)
    monkeypatch.setattr(bases, "LOCAL_CERTIFICATES", local)
    local.mkdir()
    before = bases._name()
    bundle.write_text("Debian's")
    assert bases._name() == before
    (local / "company.crt").write_text("ours")
    assert bases._name() != before
