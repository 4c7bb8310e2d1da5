"""An official MySQL image instead of ours: no template, no program of ours in it, and it behaves the same.

What stands in for it has that image's facts: mysqld and the client on PATH, user mysql, an entrypoint of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi import automation as auto

from tests.engine.conftest import CHECKOUT, Project, changes, docker

pytestmark = pytest.mark.engine

DOCKERFILE = """
FROM {ours}
RUN rm -rf /usr/share/mysql-template /usr/local/bin/datadocker-mysql* /etc/mysql/conf.d/*
ENTRYPOINT ["/bin/false"]
HEALTHCHECK NONE
"""


@pytest.fixture(scope="module")
def official(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    import os

    ours, image = f"{project.prefix}mysql-ours", f"{project.prefix}mysql-official"
    base = os.environ["DATADOCKER_TEST_BASE_SID"]
    env = {**os.environ, "DOCKER_BUILDKIT": "0"}
    folder = tmp_path_factory.mktemp("official")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(ours=ours))
    for tag, context, arguments in (
        (ours, CHECKOUT / "images/mysql", ["--build-arg", f"BASE={base}"]),
        (image, Path(folder), []),
    ):
        command = ["docker", "build", "-q", *arguments, "-t", tag, str(context)]
        # a test that ends meanwhile may take away what this has found in the engine's cache
        if subprocess.run(command, check=False, env=env, timeout=900).returncode != 0:
            subprocess.run(command, check=True, env=env, timeout=900)
    yield image
    docker("rmi", "-f", image, ours, check=False)


def test_it_runs_and_is_attached_again(project: Project, official: str) -> None:
    config = project.config(
        stack="databases",
        volumes=["dbs"],
        images={"mysql": official},
        shares={"kind": "local", "retain": False},
    )
    config["databases"][0] |= {"schemas": ["shop"], "users": [{"name": "shop", "schemas": ["shop"]}]}
    stack = project.stack("official", config)
    try:
        stack.up()
        assert "shop" in project.sql(stack, "SHOW DATABASES").split()
        project.sql(stack, "CREATE TABLE shop.t (n INT); INSERT INTO shop.t VALUES (42)")
        assert changes(stack.up()) == {}
        docker("rm", "-f", f"{project.prefix}mydb")
        stack.up(refresh=True)
        assert project.sql(stack, "SELECT n FROM shop.t") == "42"
        started = docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", f"{project.prefix}mydb")
        project.write("official", config | {"images": {"mysql": "127.0.0.1:1/mysql:none"}})
        with pytest.raises(auto.CommandError, match="mysql:none"):
            stack.up()
        assert docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", f"{project.prefix}mydb") == started
        project.write("official", config)
        assert changes(stack.up()) == {}
        # the password is no more in its environment than with our own image
        assert "PASSWORD" not in docker("inspect", f"{project.prefix}mydb")
    finally:
        stack.destroy()
