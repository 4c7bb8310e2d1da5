"""Builds of Go modules: by what, and where."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from toolchain import sources
from toolchain.progress import FREE_SOME, ToolchainError

# stands for Go: tells where it works and what it was given, and makes what it is to make
GO = """#!{python}
import json, os, sys
place = dict(os.environ, HERE=os.getcwd())
open(sys.argv[sys.argv.index("-o") + 1], "w").write(json.dumps(place))
"""


def test_a_build_has_no_settings_of_other_work_and_stays_beside_what_it_makes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go, out = tmp_path / "go", tmp_path / "out"
    go.write_text(GO.format(python=sys.executable))
    go.chmod(0o755)
    out.mkdir()
    for variable in ("GOROOT", "GO111MODULE", "GOFLAGS", "GOTOOLCHAIN"):
        monkeypatch.setenv(variable, "of other work")
    monkeypatch.setenv("GOPROXY", "https://proxy.example")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    sources.build_cli(go, out)
    made = (out / "pulumi").read_text()
    assert "of other work" not in made
    assert "https://proxy.example" in made
    for place in ("HERE", "GOTMPDIR"):
        assert f'"{place}": "{out}/.building-' in made
    assert [file.name for file in out.iterdir()] == ["pulumi"]


def test_a_build_says_how_long_it_took(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    go = tmp_path / "go"
    go.write_text(GO.format(python=sys.executable))
    go.chmod(0o755)
    sources.build_cli(go, tmp_path)
    assert re.fullmatch(
        "pulumiw: building pulumi\npulumiw: building pulumi: done in [0-9]+ s\n", capsys.readouterr().err
    )


def test_where_the_home_can_not_be_written_modules_are_in_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("GOPATH", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", "/nonexistent")
    assert sources.go_environment()["GOPATH"] == f"{tmp_path}/cache/datadocker/go"
    monkeypatch.setenv("GOPATH", str(tmp_path))
    assert sources.go_environment()["GOPATH"] == str(tmp_path)
    monkeypatch.delenv("GOPATH")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "GOPATH" not in sources.go_environment()


def test_what_the_compiler_said_last_is_told(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go: downloading example.com/x v1\necho main.go:1: no such thing >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(ToolchainError) as error:
        sources.build_cli(go, tmp_path)
    assert str(error.value) == "building pulumi failed (exit code 1):\n  main.go:1: no such thing"


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text(
        "#!/bin/sh\necho compile: writing output: write x.a: no space left on device >&2\necho x >&2\nexit 1\n"
    )
    go.chmod(0o755)
    with pytest.raises(ToolchainError) as error:
        sources.build_cli(go, tmp_path)
    assert str(error.value) == f"building pulumi failed: no space left on device: {FREE_SOME}"
