"""MySQLDatabase: what it makes, what is secret, and the statements that reconcile accounts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.databases import MySQLDatabase, MySQLDatabaseArgs, MySQLOptions, MySQLOptionsArgs, readiness
from components.databases.hashes import caching_sha2
from components.databases.statements import Account, literal, pattern, reconcile
from components.hosts import SSHHost
from components.volumes import MappedVolume
from tests.unit.conftest import Build, Options, Recorder, waited_for
from tests.unit.parts import LABELS, volume

CONTAINER = "docker:index/container:Container"
SECRETS = ["/run/secrets/datadocker/root"]
SERVER = "datadocker/unit/mydb"


@pytest.fixture(autouse=True)
def _healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_wait", lambda *_: None)


def database(**change: Any) -> tuple[SSHHost, MappedVolume, MySQLDatabase]:
    host, mapped = volume("dbs", exclusive=True)
    args: dict[str, Any] = {
        "host": host,
        "image": "datadocker/mysql:1",
        "container": "mydb",
        "volume": mapped,
        "port": 6603,
        "labels": LABELS,
    }
    if given := change.pop("options", None):
        asked = {"host": host, "image": args["image"], "container": "mydb", "options": given}
        args["options"] = MySQLOptions("mydb", MySQLOptionsArgs(**asked))  # type: ignore[typeddict-item]
    return host, mapped, MySQLDatabase("mydb", MySQLDatabaseArgs(**(args | change)))  # type: ignore[typeddict-item]


def test_the_container_is_where_the_settings_say(build: Build, recorder: Recorder) -> None:
    build(lambda: database(options={"innodb_buffer_pool_size": "256M"}, memory=512) and None)
    made = recorder.one(CONTAINER, "mydb-container")
    assert made["name"] == "mydb"
    assert made["image"] == "datadocker/mysql:1"
    assert made["ports"] == [{"internal": 3306, "external": 6603, "ip": "127.0.0.1"}]
    assert made["volumes"] == [{"volumeName": "dbs", "containerPath": "/var/lib/mysql"}]
    assert made["command"] == ["mysqld", "--innodb_buffer_pool_size=256M"]
    assert (made["memory"], made["memorySwap"]) == (512, 512)
    labels = {label["label"]: label["value"] for label in made["labels"]}
    assert labels == LABELS | {"io.datadocker.database": "mydb"}


def test_options_are_tried_before_the_container_goes(build: Build, recorder: Recorder, options: Options) -> None:
    build(lambda: database(options={"innodb_buffer_pool_size": "256M"}) and None)
    tried = recorder.one("datadocker-engine:index:ServerOptions", "mydb-options")
    assert tried["options"] == ["--innodb_buffer_pool_size=256M"]
    assert (tried["image"], tried["database"]) == ("datadocker/mysql:1", "mydb")
    assert waited_for(options[CONTAINER, "mydb-container"]) == ["mydb"]


def test_without_options_none_are_tried(build: Build, recorder: Recorder) -> None:
    build(lambda: database() and None)
    assert not recorder.all("datadocker-engine:index:ServerOptions")


def test_a_database_is_given_time_to_stop(build: Build, recorder: Recorder) -> None:
    build(lambda: database() and None)
    made = recorder.one(CONTAINER, "mydb-container")
    assert made["destroyGraceSeconds"] >= 60
    assert made["stopTimeout"] == made["destroyGraceSeconds"]


@pytest.mark.parametrize(("memory", "replaced"), [(None, ["memory", "memorySwap"]), (512, [])])
def test_a_limit_is_changed_in_place_and_goes_with_the_container(
    build: Build, options: Options, memory: int | None, replaced: list[str]
) -> None:
    build(lambda: database(memory=memory) and None)
    assert options[CONTAINER, "mydb-container"].replace_on_changes == ["#initerror", *replaced]


def test_outputs_say_how_to_reach_it_and_the_url_is_secret(build: Build) -> None:
    def program() -> dict[str, Any]:
        made = database(root_password="pa/ss@word")[2]
        return {"host": made.host, "port": made.port, "url": made.url}

    out = build(program)
    assert out["host"] == "127.0.0.1"
    assert out["port"] == 6603
    assert out["url"] == "mysql://root:pa%2Fss%40word@127.0.0.1:6603/"
    assert out["url is secret"] is True
    assert out["host is secret"] is False


def test_a_password_is_a_file_of_mode_0400_and_nowhere_else(build: Build, recorder: Recorder) -> None:
    canary = "canary-4711"
    build(lambda: database(root_password=canary) and None)
    made = recorder.one(CONTAINER, "mydb-container")
    uploads = {u["file"]: u for u in made.pop("uploads")}
    secret = uploads["/run/secrets/datadocker/root"]
    assert secret["content"] == f"{caching_sha2(canary, SERVER, 'root')}\n{canary}"
    assert secret["permissions"] == "0400"
    assert canary not in repr(made)
    assert recorder.is_secret(CONTAINER, "mydb-container", "uploads")


def test_nothing_of_a_database_can_be_had_twice_and_its_files_stay_secret_in_the_state(
    build: Build, options: Options
) -> None:
    build(lambda: database() and None)
    made = options[CONTAINER, "mydb-container"]
    assert made.delete_before_replace is True
    # what the provider answers with is not marked as what it was given is
    assert made.additional_secret_outputs == ["uploads"]


def test_a_password_that_nobody_gave_is_made_and_kept(build: Build, recorder: Recorder, options: Options) -> None:
    build(lambda: database() and None)
    stash = "pulumi:index:Stash", "mydb-root-kept"
    kept = recorder.one(*stash)["input"]
    # every run makes another one
    assert options[stash].ignore_changes == ["input"]
    uploads = recorder.one(CONTAINER, "mydb-container")["uploads"]
    assert len(kept) >= 32
    # validate_password, MEDIUM and STRONG
    assert all(re.search(kind, kept) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))
    assert recorder.is_secret(*stash, "input")
    assert [u["content"].split("\n", 1)[1] for u in uploads if u["file"].endswith("root")] == [kept]


def test_a_preview_makes_no_password_that_a_plan_would_insist_on(build: Build, recorder: Recorder) -> None:
    pulumi.runtime.set_mocks(recorder, project="datadocker", stack="unit", preview=True)
    build(lambda: database() and None)
    kept = recorder.one("pulumi:index:Stash", "mydb-root-kept")["input"]
    assert pulumi.contains_unknowns(kept)


def test_each_user_gets_statements_and_a_password_of_its_own(build: Build, recorder: Recorder) -> None:
    users = [{"name": "shop", "schemas": ["shop"]}, {"name": "audit", "password": "given"}]
    build(lambda: database(schemas=["shop"], users=users) and None)
    uploads = recorder.one(CONTAINER, "mydb-container")["uploads"]
    (sql,) = [u["content"] for u in uploads if u["file"].endswith("init.sql")]
    kept = recorder.one("pulumi:index:Stash", "mydb-shop@%-kept")["input"]
    plugin = "IDENTIFIED WITH caching_sha2_password AS"
    assert f"ALTER USER 'shop'@'%' {plugin} '{caching_sha2(kept, SERVER, 'shop@%')}';" in sql
    assert f"ALTER USER 'audit'@'%' {plugin} '{caching_sha2('given', SERVER, 'audit@%')}';" in sql
    # what a policy of the server would judge at every start
    assert " BY " not in sql


@pytest.mark.parametrize("user", [{"name": "audit", "password": "given"}, {"name": "audit"}])
def test_a_users_password_is_secret_also_one_that_was_given(build: Build, user: dict[str, str]) -> None:
    out = build(lambda: database(users=[user])[2].users)
    assert out["audit@% is secret"] is True


def test_only_an_official_image_is_given_our_programs(build: Build, recorder: Recorder) -> None:
    build(lambda: database() and None)
    assert _uploaded(recorder) == SECRETS


def test_an_official_image_gets_entrypoint_and_health_check(build: Build, recorder: Recorder) -> None:
    build(lambda: database(official=True) and None)
    programs = ["/usr/local/bin/datadocker-mysql", "/usr/local/bin/datadocker-mysql-health"]
    assert _uploaded(recorder) == [*SECRETS, *programs]


@pytest.mark.usefixtures("eight_bits")
def test_it_gets_the_same_ones_in_every_locale(build: Build, recorder: Recorder) -> None:
    build(lambda: database(official=True) and None)
    uploads = recorder.one(CONTAINER, "mydb-container")["uploads"]
    (program,) = [u["content"] for u in uploads if u["file"].endswith("/datadocker-mysql")]
    assert program.encode() == Path("images/mysql/datadocker-mysql").read_bytes()


def test_the_engine_puts_an_init_before_the_server(build: Build, recorder: Recorder) -> None:
    build(lambda: database() and None)
    assert recorder.one(CONTAINER, "mydb-container")["init"] is True


def _uploaded(recorder: Recorder) -> list[str]:
    return [u["file"] for u in recorder.one(CONTAINER, "mydb-container")["uploads"]]


def test_it_is_not_said_to_be_there_before_logins_work(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(readiness, "_wait", lambda *known: asked.append(known))
    build(lambda: {"url": database()[2].url})
    assert [(a[1], a[2]) for a in asked] == [("mydb-container-id", "mydb")]


def test_children_belong_to_the_database(build: Build) -> None:
    def program() -> dict[str, Any]:
        return {"urn": database()[2].urn}

    assert "datadocker:index:MySQLDatabase" in build(program)["urn"]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("back\\slash", r"'back\\slash'"),
        ("two\nlines", r"'two\nlines'"),
        ("nul\0", r"'nul\0'"),
        ("snø ☃", "'snø ☃'"),
        ("'; DROP USER root; --", "'''; DROP USER root; --'"),
    ],
)
def test_literals(text: str, quoted: str) -> None:
    assert literal(text) == quoted


def test_patterns_stand_for_themselves() -> None:
    assert pattern("my_db") == r"`my\_db`"


def test_statements_are_one_a_line_and_drop_nothing() -> None:
    account = Account(name="a", host="%", password="two\nlines", schemas=["s_1"])
    lines = reconcile(SERVER, ["s_1"], [account]).splitlines()
    assert all(line.endswith(";") for line in lines)
    assert "CREATE DATABASE IF NOT EXISTS `s_1`;" in lines
    assert any(r"GRANT ALL PRIVILEGES ON `s\\_1`.* TO ''a''@''%'';" in line for line in lines)
    assert not any("DROP" in line for line in lines)
    # an upload without content is an error of the provider
    assert reconcile(SERVER, [], []) != ""


def test_statements_are_the_same_in_whichever_order_the_settings_are() -> None:
    one = Account(name="a", host="10.%", password="p", schemas=["s", "t"])
    two, three = Account(**{**one, "host": "%"}), Account(**{**one, "name": "b"})
    turned = [Account(**{**account, "schemas": ["t", "s"]}) for account in (three, two, one)]
    assert reconcile(SERVER, ["t", "s"], turned) == reconcile(SERVER, ["s", "t"], [one, two, three])


def test_a_preview_waits_for_nothing(monkeypatch: pytest.MonkeyPatch, build: Build) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(readiness, "_wait", lambda *_: pytest.fail("a preview touched the engine"))
    assert build(lambda: {"url": database(root_password="p")[2].url})["url"].startswith("mysql://root:p@")
