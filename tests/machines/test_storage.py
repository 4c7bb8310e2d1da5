"""The cache of images and snapshots does not grow for ever."""

import os
import time
from pathlib import Path

import pytest

from tests.machines import storage
from toolchain import cache

DAY = 24 * 3600


def test_what_was_used_last_of_each_kind_is_kept_for_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    used_days_ago = {"machine-0a": 8, "machine-1b": 6, "machine-mysql-2c.part-77": 1, "other-3d": 30}
    used_days_ago |= {f"machine-mysql-{number}": number for number in range(6)}
    for name, days in used_days_ago.items():
        (cache.root() / name / "folder").mkdir(parents=True)
        os.utime(cache.root() / name, times=(time.time() - days * DAY,) * 2)
    storage.use(cache.root() / "machine-mysql-5")
    assert {entry.name for entry in cache.root().iterdir()} == {
        "machine-1b",
        "machine-mysql-2c.part-77",
        "other-3d",
        *(f"machine-mysql-{number}" for number in (5, 0, 1, 2)),
    }
