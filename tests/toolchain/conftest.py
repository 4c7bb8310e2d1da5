"""What tests of the toolchain have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.toolchain.killed import Killed


@pytest.fixture
def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Killed:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return Killed(tmp_path)
