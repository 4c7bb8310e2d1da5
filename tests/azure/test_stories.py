"""What pytest says of a story at the end: how long it took."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
STORY = """
import pytest

pytestmark = pytest.mark.incremental

def test_one():
    pass

def test_two():
    assert False
"""


def test_a_story_ends_with_how_long_it_took(tmp_path: Path) -> None:
    (tmp_path / "test_story.py").write_text(STORY)
    (tmp_path / "test_alone.py").write_text("def test_it():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "tests.azure.conftest"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", tmp_path], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    told = re.findall(r"^ +\d+ s  \S*test_(\w+)\.py$", done.stdout, re.MULTILINE)
    assert told == ["story"], done.stdout + done.stderr
