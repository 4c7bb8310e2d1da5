"""A stack that stands, under variables that mean another engine or another builder: they change nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pulumi import automation as auto

from tests.engine.conftest import Project, changes, docker

pytestmark = pytest.mark.engine

NAME = "environment"
MISLEADING = {
    "DOCKER_CONTEXT": "nowhere",
    "DOCKER_CERT_PATH": "/nowhere",
    "DOCKER_TLS_VERIFY": "1",
    "DOCKER_CERT_MATERIAL": "none",
    "BUILDX_BUILDER": "nobody",
}


@pytest.fixture(scope="module")
def stack(project: Project) -> Iterator[auto.Stack]:
    config = project.config(stack="databases", volumes=["files"], databases=[])
    project.stack(NAME, config).up()
    project.more_env |= MISLEADING
    made = project.stack(NAME)
    yield made
    made.destroy()


def test_nothing_is_made_anew_for_another_builder(stack: auto.Stack) -> None:
    assert changes(stack.up()) == {}


def test_a_refresh_asks_the_engine_that_the_stack_stands_on(stack: auto.Stack) -> None:
    assert changes(stack.refresh()) == {}


def test_a_destroy_goes_to_that_engine_too(project: Project, stack: auto.Stack) -> None:
    assert changes(stack.destroy())["delete"] > 0
    assert docker("volume", "ls", "-q", "--filter", f"name={project.prefix}") == ""
    assert project.driver not in docker("plugin", "ls")
