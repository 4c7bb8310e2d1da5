"""What a server refuses of its options is found out by a container that does nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from provider.options import ServerOptions
from provider.resource import Failure, Props
from tests.unit.fake_engine import FakeEngine, served

SAID = """2026-11-26T20:00:00.000000Z 0 [ERROR] [MY-000067] [Server] unknown variable 'innodb_bufer_pool_size=256M'.
2026-11-26T20:00:00.000000Z 0 [Warning] [MY-000000] [Server] something else.
2026-11-26T20:00:00.000000Z 0 [ERROR] [MY-010119] [Server] Aborting
"""


class OneOff(FakeEngine):
    """Makes one container, which ends with `code` and `said`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.code, self.said, self.removed = 0, "", False
        # why it does not start
        self.unable = ""
        # what is said if another has removed it
        self.gone = 0
        self.made: dict[str, Any] = {}
        # those that killed runs left, by the mark
        self.left: dict[str, str] = {}

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        if "/containers/json" in path:
            found = [{"Id": name} for name, mark in self.left.items() if quote(f"={mark}") + "%22" in path]
            return 200, json.dumps(found).encode()
        made: dict[str, Any] = {"Id": "oneoff", "Config": {"Tty": True}}
        name = path.partition("/containers/")[2].partition("?")[0].partition("/")[0]
        if path.split("?")[0].endswith("/containers/create"):
            self.made = json.loads(body)
        elif path.endswith("/wait"):
            made = {"StatusCode": self.code}
        elif path.endswith("/start") and self.unable:
            return 400, json.dumps({"message": self.unable}).encode()
        elif "/logs" in path:
            return 200, self.said.encode()
        elif name in self.left and method == "DELETE":
            del self.left[name]
        elif name in self.left:
            made = {"Id": name}
        elif method == "DELETE":
            self.removed = "v=True" in path
            if self.gone:
                return self.gone, b'{"message": "no such container"}'
        elif "/containers/" not in path:
            return None
        return 201, json.dumps(made).encode()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OneOff]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with served(OneOff(tmp_path / "docker.sock")) as running:
        yield running


def props(engine: OneOff, *options: str) -> Props:
    at = {"url": f"unix://{engine.path}", "ssh_opts": []}
    return {"engine": at, "image": "datadocker/mysql:1", "database": "mydb", "options": list(options)}


def test_options_are_tried_by_the_servers_own_program(engine: OneOff) -> None:
    given = props(engine, "--innodb_buffer_pool_size=256M")
    assert ServerOptions().create(given) == "mydb"
    assert engine.made["Entrypoint"] == ["mysqld"]
    assert engine.made["Cmd"][0] == "--innodb_buffer_pool_size=256M"
    assert engine.made["User"] == "mysql"
    assert engine.made["HostConfig"]["NetworkMode"] == "none"
    assert not engine.made["HostConfig"].get("Binds")
    # by which one that a killed run left is found
    assert engine.made["Labels"] == {"io.datadocker.oneoff": "mydb"}
    assert engine.removed


def test_a_trial_that_a_killed_run_left_goes_before_the_next(engine: OneOff) -> None:
    engine.left = {"ended": "mydb", "others": "mydb2"}
    ServerOptions().create(props(engine))
    assert engine.left == {"others": "mydb2"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (
            SAID,
            "refuses them: unknown variable 'innodb_bufer_pool_size=256M' (one of a plugin that SQL installed is "
            "written loose_NAME): mend databases[].options",
        ),
        (
            "0 [ERROR] [MY-000077] [Server] /usr/sbin/mysqld: Error while setting value 'x' to 'sql_mode'.",
            "refuses them: Error while setting value 'x' to 'sql_mode': mend",
        ),
        ("exec: mysqld: not found", "refuses them: exec: mysqld: not found: mend"),
        ("", "refuses them: : mend"),
    ],
)
def test_what_it_refuses_is_one_line(engine: OneOff, said: str, expected: str) -> None:
    engine.code, engine.said = 1, said
    given = props(engine, "--innodb_bufer_pool_size=256M")
    with pytest.raises(Failure) as caught:
        ServerOptions().update("mydb", given, props(engine))
    assert str(caught.value).startswith("options of database mydb: mysqld ")
    assert expected in str(caught.value)
    assert "Aborting" not in str(caught.value)
    assert engine.removed


def test_an_image_that_is_no_mysql_is_one_line(engine: OneOff) -> None:
    engine.code, engine.said = 1, "mysqld: unknown variable 'validate-config'"
    with pytest.raises(Failure, match=r"^image \S+ is no MySQL that starts: .*: mend datadocker:images\.mysql$"):
        ServerOptions().create(props(engine))


@pytest.mark.parametrize(
    "why", ['exec: "mysqld": executable file not found in $PATH', "unable to find user mysql: no matching entries"]
)
def test_an_image_without_the_server_is_one_line_whatever_the_options(engine: OneOff, why: str) -> None:
    engine.unable = why
    with pytest.raises(Failure) as caught:
        ServerOptions().create(props(engine, "--max_connections=5"))
    assert str(caught.value) == (
        f"image {props(engine)['image']} is no MySQL that starts: {why}: mend datadocker:images.mysql"
    )
    assert engine.removed


@pytest.mark.parametrize("answer", [404, 409])
def test_one_that_another_users_run_has_removed_is_no_error(engine: OneOff, answer: int) -> None:
    engine.gone = answer
    assert ServerOptions().create(props(engine)) == "mydb"
    assert engine.removed
