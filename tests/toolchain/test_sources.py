"""Builds of Go modules: by what, and where."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from toolchain import sources

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
    sources.build_cli(go, out, print)
    made = (out / "pulumi").read_text()
    assert "of other work" not in made
    assert "https://proxy.example" in made
    for place in ("HERE", "GOTMPDIR"):
        assert f'"{place}": "{out}/.building-' in made
    assert [file.name for file in out.iterdir()] == ["pulumi"]
