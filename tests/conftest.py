"""Skips what this machine can't run: pyproject.toml says what each mark needs, and here is seen whether it is there."""

import io
import locale
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache

import pytest


def _root() -> bool:
    return os.geteuid() == 0


@cache
def _engine() -> bool:
    # `./test` has seen to one: if that is gone since, its tests fail
    if "DATADOCKER_TEST_BASE_BOOKWORM" in os.environ:
        return True
    if not shutil.which("docker"):
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0


POSSIBLE: dict[str, Callable[[], bool]] = {
    "root": _root,
    "engine": _engine,
    "exclusive_engine": lambda: _root() and bool(shutil.which("dockerd")),
    "machines": lambda: _root() and _engine(),
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    reasons = dict(line.split(": ", 1) for line in config.getini("markers"))
    for item in items:
        for mark, possible in POSSIBLE.items():
            if item.get_closest_marker(mark) and not possible():
                item.add_marker(pytest.mark.skip(reason=reasons[mark]))


@pytest.fixture
def eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locale whose texts have eight bits for each letter, where nothing says otherwise."""
    monkeypatch.setattr(io, "text_encoding", lambda encoding, _=2: encoding or "iso-8859-1")
    monkeypatch.setattr(locale, "getencoding", lambda: "iso-8859-1")
