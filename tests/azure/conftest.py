"""A stand-in, and a project that talks to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.runner import CallInfo

from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.project import Project
from tests.azure.samples import furnish
from tests.azure.standin import StandIn

# the stack's host without what stands on it, since no machine boots
HOST = """
from stacks.config import read_settings
from stacks.hosts import docker_host

docker_host(read_settings())
"""


@pytest.fixture
def azure() -> Iterator[StandIn]:
    with StandIn() as standin:
        yield standin


@pytest.fixture
def clone(tmp_path: Path, azure: StandIn) -> Clone:
    """Stack staging with its host alone."""
    made = Clone(tmp_path, azure, "staging")
    (made.checkout / "__main__.py").write_text(HOST)
    return made


@pytest.fixture
def project(tmp_path: Path, azure: StandIn) -> Project:
    return Project(tmp_path, azure)


@pytest.fixture
def cloud() -> Cloud:
    """A cloud with one of everything."""
    made = Cloud()
    furnish(made)
    return made


# a story: each test goes on where the one before it ended, so after a failure the rest has nothing to tell
# (docs.pytest.org, "incremental testing - test steps")
_broken: dict[str, str] = {}


def pytest_runtest_makereport(item: pytest.Item, call: CallInfo[None]) -> None:
    if (
        "incremental" in item.keywords
        and call.excinfo is not None
        and not call.excinfo.errisinstance(pytest.skip.Exception)
    ):
        _broken.setdefault(str(item.path), item.name)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if before := _broken.get(str(item.path)):
        pytest.skip(f"{before} failed before it")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each story took, its machines' beginning and end included; what it prints itself is captured."""
    took: dict[str, float] = {}
    for report in itertools.chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport) and "incremental" in report.keywords:
            took[report.location[0]] = took.get(report.location[0], 0) + report.duration
    for story, seconds in took.items():
        terminalreporter.write_line(f"{seconds:6.0f} s  {story}")
