"""A stand-in, and a project that talks to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure.cloud import Cloud
from tests.azure.project import Project
from tests.azure.samples import furnish
from tests.azure.standin import StandIn


@pytest.fixture
def azure() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def project(tmp_path: Path, azure: StandIn) -> Project:
    return Project(tmp_path, azure)


@pytest.fixture
def cloud() -> Cloud:
    """A cloud with one of everything."""
    made = Cloud()
    furnish(made)
    return made
