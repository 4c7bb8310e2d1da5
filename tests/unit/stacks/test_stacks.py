"""The compositions: what stands together, under which names, and what is exported."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.images import base
from provider.owner import CHECKOUT_LABEL, STACK_LABEL
from tests.unit.conftest import Build, Options, Recorder, waited_for
from tests.unit.fake_engine import FakeEngine
from tests.unit.stacks.talk import CONTAINER, IMAGE, TALK, VOLUME, stand

pytestmark = pytest.mark.usefixtures("nobody_is_asked")


def test_the_demo_is_the_talk(build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]) -> None:
    out = stand(build, engine, exported)
    assert sorted(c["name"] for c in recorder.all(CONTAINER).values()) == [
        "docker1", "docker2", "docker3", "mydb", "reader",
    ]  # fmt: skip
    assert sorted(v["name"] for v in recorder.all(VOLUME).values()) == ["config", "dbs", "logs", "simpledb"]
    assert out["dockerHost"] == f"unix://{engine.path}"
    assert out["volumes"] == {n: n for n in ("logs", "dbs", "config", "simpledb")}
    assert out["databases"]["mydb"]["url"].startswith("mysql://root:")
    assert out["volumes is secret"] is False


def test_only_a_databases_volume_is_exclusive(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported)
    options = {v["name"]: v["driverOpts"] for v in recorder.all(VOLUME).values()}
    assert options["dbs"] == {"protocol": "local", "share": "dbs", "exclusive": "true", "for": "database"}
    assert options["logs"] == {"protocol": "local", "share": "logs", "for": "files"}


def test_writers_write_logs_by_the_settings_on_config_and_the_reader_only_reads(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported)
    made = {c["name"]: c for c in recorder.all(CONTAINER).values()}
    for name in ("docker1", "docker2", "docker3"):
        assert made[name]["hostname"] == name
        # what has no network can't lock up an engine by leaving it
        assert made[name]["networkMode"] == "none"
        assert made[name]["volumes"] == [
            {"volumeName": "logs", "containerPath": "/logs"},
            {"volumeName": "config", "containerPath": "/config"},
        ]
    assert made["reader"]["volumes"] == [{"volumeName": "logs", "containerPath": "/logs", "readOnly": True}]
    for container in made.values():
        assert container["restart"] == "always"
        assert (container["logDriver"], container["logOpts"]["max-size"]) == ("json-file", "10m")


def test_a_writer_that_ends_by_no_signal_is_not_waited_for_long(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported)
    made = {c["name"]: c["destroyGraceSeconds"] for c in recorder.all(CONTAINER).values()}
    assert {made[name] for name in ("docker1", "docker2", "docker3", "reader")} == {5}


def test_options_that_are_true_or_false_are_written_as_their_readers_spell_them(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    volumes = ["logs", "config", "simpledb", {"name": "dbs", "options": {"create": True, "uid": 7}}]
    database = TALK["databases"][0] | {"options": {"slow_query_log": False, "long_query_time": 0.5}}
    stand(build, engine, exported, volumes=volumes, databases=[database])
    given = recorder.one(VOLUME, "dbs-volume")["driverOpts"]
    assert (given["create"], given["uid"]) == ("true", "7")
    command = recorder.one(CONTAINER, "mydb-container")["command"]
    assert command == ["mysqld", "--slow_query_log=false", "--long_query_time=0.5"]


def test_an_option_in_any_spelling_is_given_to_the_driver_once(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    given = {"Protocol": "smb", "For": "database", "UID": 999, "server": "files.example", "Account": "abc"}
    volumes = ["logs", "config", "simpledb", {"name": "dbs", "options": given}]
    stand(build, engine, exported, volumes=volumes)
    made = recorder.one(VOLUME, "dbs-volume")["driverOpts"]
    assert made == {name.lower(): str(value) for name, value in given.items()} | {"share": "dbs", "exclusive": "true"}


def test_databases_alone_have_no_writers(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported, stack="databases", volumes=["dbs"])
    assert [c["name"] for c in recorder.all(CONTAINER).values()] == ["mydb"]


def test_a_prefix_is_before_every_name_on_the_engine(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    out = stand(build, engine, exported, prefix="two-")
    names = [x["name"] for kind in (CONTAINER, VOLUME) for x in recorder.all(kind).values()]
    assert all(name.startswith("two-") for name in names)
    assert out["databases"].keys() == {"mydb"}


def test_two_checkouts_share_no_tag_and_no_label_of_a_container(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    tags, labels = [], []
    for _ in range(2):
        recorder.made.clear()
        stand(build, engine, exported)
        images = [*recorder.all(IMAGE).values(), *recorder.all("datadocker-engine:index:ImportedImage").values()]
        tags.append({i.get("reference") or i["name"] for i in images if not i.get("keepLocally")})
        containers = [*recorder.all(CONTAINER).values(), *recorder.all(VOLUME).values()]
        labels.append({label["value"] for c in containers for label in c["labels"] if label["label"] == CHECKOUT_LABEL})
        # what an image has, a container made by hand from it has too
        assert all(CHECKOUT_LABEL not in i["build"]["label"] for i in images if "build" in i)
    assert len(labels[0]) == len(labels[1]) == 1
    assert not labels[0] & labels[1]
    assert len(tags[0]) >= 4
    assert not tags[0] & tags[1]


def test_nothing_is_deleted_before_the_guards_are(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], options: Options
) -> None:
    stand(build, engine, exported, prefix="two-")
    data, guard = recorder.made[-2:]
    assert guard.typ == "datadocker-engine:index:VolumeGuard"
    # in whichever order the file has them
    assert guard.inputs["volumes"] == ["two-config", "two-dbs", "two-logs", "two-simpledb"]
    assert guard.inputs["labels"].keys() == {STACK_LABEL, CHECKOUT_LABEL}
    # what is always the same, as long as no volume is replaced
    assert guard.inputs["made"] is True
    assert data.typ == "datadocker-engine:index:ShareGuard"
    assert data.inputs["volumes"] == data.inputs["shares"] == guard.inputs["volumes"]
    assert (data.inputs["driver"], data.inputs["retain"]) == ("azurefile", True)
    users = ["mydb", "docker1", "docker2", "docker3", "reader"]
    assert waited_for(options[data.typ, data.name]) == sorted([*TALK["volumes"], *users])
    # what refuses more often goes first
    assert waited_for(options[guard.typ, guard.name]) == sorted([*TALK["volumes"], *users, "shares"])


def test_the_volumes_guard_is_made_of_the_volumes(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr("stacks.build.VolumeGuard", lambda name, props, opts: given.append(props))
    stand(build, engine, exported)
    made = asyncio.get_event_loop().run_until_complete(given[0]["made"].resources())
    assert sorted(resource._name for resource in made) == sorted(f"{name}-volume" for name in TALK["volumes"])


def test_an_official_image_is_used_as_it_is(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported, images={"mysql": "mysql:9.7.0"})
    assert recorder.one(CONTAINER, "mydb-container")["image"] == "mysql:9.7.0"
    assert not any(name.startswith("mysql-image") for name in recorder.all(IMAGE))
    # before the container that waits for it is touched; and it is not ours to remove
    pulled = recorder.one(IMAGE, "mysql-pull")
    assert (pulled["name"], pulled["keepLocally"]) == ("mysql:9.7.0", True)
    names = [made.name for made in recorder.made]
    assert names.index("mysql-pull") < names.index("mydb-container")


def test_accounts_passwords_are_outputs(build: Build, engine: FakeEngine, exported: dict[str, Any]) -> None:
    database = TALK["databases"][0] | {"schemas": ["shop"], "users": [{"name": "shop", "schemas": ["shop"]}]}
    out = stand(build, engine, exported, databases=[database])
    assert len(out["databases"]["mydb"]["users"]["shop@%"]) >= 24


def test_each_output_that_has_a_password_is_secret_and_no_other_of_a_database(
    build: Build, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    users = [{"name": "shop"}, {"name": "audit", "password": "given"}]
    stand(build, engine, exported, databases=[TALK["databases"][0] | {"users": users}])
    reached = exported["databases"]["mydb"]
    leaves = reached | reached.pop("users")
    assert {*leaves} > {"host", "port"}
    assert {name for name, leaf in leaves.items() if is_secret(leaf)} == {"url", "shop@%", "audit@%"}


def is_secret(value: Any) -> bool:
    return asyncio.get_event_loop().run_until_complete(pulumi.Output.from_input(value).is_secret())


def test_where_there_is_no_root_filesystem_debian_is_pulled(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(base, "ROOT_FILESYSTEMS", tmp_path / "none")
    stand(build, engine, exported)
    pulled = recorder.one(IMAGE, "bookworm-pull")
    assert pulled["name"].startswith("debian:bookworm")
    # other people's image is not ours to remove
    assert pulled["keepLocally"] is True


def test_root_filesystems_are_imported_under_a_tag_of_what_went_into_them(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    tags = []
    for key in ("bases-1", "bases-2"):
        (tmp_path / key).mkdir()
        (tmp_path / key / "bookworm.tar").touch()
        (tmp_path / key / "sid.tar").touch()
        monkeypatch.setattr(base, "ROOT_FILESYSTEMS", tmp_path / key)
        recorder.made.clear()
        stand(build, engine, exported)
        tags.append(recorder.one("datadocker-engine:index:ImportedImage", "sid-import")["reference"])
        bases = {made["build"]["buildArgs"]["BASE"] for name, made in recorder.all(IMAGE).items() if "mysql" in name}
        assert bases == {tags[-1]}
    assert tags[0] != tags[1]
    assert all(tag.startswith("datadocker/base-sid:") for tag in tags)
