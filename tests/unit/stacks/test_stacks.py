"""The compositions: what stands together, under which names, and what is exported."""

from __future__ import annotations

import asyncio
import threading
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components import state
from components.databases import readiness
from components.images import base
from provider.owner import CHECKOUT_LABEL, STACK_LABEL
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.conftest import Build, Options, Recorder, opened, waited_for
from tests.unit.fake_engine import FakeEngine

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
TALK: dict[str, Any] = {
    "volumes": ["logs", "dbs", "config", "simpledb"],
    "databases": [{"name": "mydb", "volume": "dbs", "port": 1}],
}


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a database for its health, nor the machine for free ports."""
    monkeypatch.setattr(readiness, "_wait", lambda *_: None)
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)


def stand(build: Build, engine: FakeEngine, exported: dict[str, Any], **change: Any) -> dict[str, Any]:
    raw = TALK | {"host": {"kind": "local", "socket": engine.path}} | change

    def program() -> dict[str, Any]:
        settings = parse(raw, file="f")
        build_stack(settings, *docker_host(settings))
        return exported

    return dict(build(program))


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


@pytest.mark.parametrize(
    ("typ", "name", "kind"), [(CONTAINER, "shop-mydb", "container"), (VOLUME, "shop-dbs", "volume")]
)
def test_a_name_that_would_be_another_resource_from_now_on_is_refused(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    typ: str,
    name: str,
    kind: str,
) -> None:
    """Pulumi would make the new one beside the old one, and the old one's deletion take it or wait for it for ever."""
    known = {"name": name, "labels": [{"label": "io.datadocker.database", "value": name}]}
    monkeypatch.setattr("stacks.hosts.recorded", lambda: {(typ, f"{name}-{kind}"): known})
    stand(build, engine, exported, databases=[])
    of = " of a database" if kind == "container" else ""
    refusal = rf"^{kind} {name} stands as {name}-{kind}{of}, and would be \w+-{kind}{of} from"
    with pytest.raises(pulumi.RunError, match=refusal):
        stand(build, engine, exported, prefix="shop-")


@pytest.mark.parametrize("name", ["reader", "docker1"])
@pytest.mark.parametrize("stands", ["of the demo", "of a database"])
def test_a_name_that_moves_between_the_demo_and_a_database_is_refused(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], name: str, stands: str
) -> None:
    """Both have a resource of that name and type, and it is another one: what holds the name is deleted last."""
    demo: dict[str, Any] = {"stack": "demo"}
    alone = {"stack": "databases", "databases": [{"name": name, "volume": "dbs", "port": 1}]}
    first, then = (demo, alone) if stands == "of the demo" else (alone, demo)
    stand(build, engine, exported, **first)
    recorder.in_state = {(m.typ, m.name): opened(m.inputs) for m in recorder.made if m.typ in (CONTAINER, VOLUME)}
    state._recorded.cache_clear()
    refusal = f"^container {name} stands as {name}-container {stands}, and would be {name}-container of "
    with pytest.raises(pulumi.RunError, match=refusal):
        stand(build, engine, exported, **then)
    # what stays what it is goes on
    stand(build, engine, exported, **first)


@pytest.mark.parametrize("retain", [True, False])
def test_a_volume_whose_data_would_go_with_it_is_taken_out_once_that_is_kept(
    build: Build,
    engine: FakeEngine,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    retain: bool,
) -> None:
    # what is deleted goes by the state, whatever the settings say now
    known = {(VOLUME, "shop-dbs-volume"): {"name": "shop-dbs"}, ("folder", "dbs-share-folder"): {"retain": retain}}
    monkeypatch.setattr("stacks.hosts.recorded", lambda: known)
    first = "" if retain else "set it back and say up with shares.retain: true, then "
    with pytest.raises(
        pulumi.RunError, match=rf"while the first is there: {first}take it out of the settings, say \./"
    ):
        stand(build, engine, exported, prefix="shop-")


@pytest.mark.parametrize("was", [True, False])
def test_a_local_share_that_is_to_be_kept_from_now_on_is_not_dropped_in_the_same_step(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], was: bool
) -> None:
    recorder.in_state = {(state.FOLDER, f"{name}-share-folder"): {"retain": was} for name in ("dbs", "old")}
    loss = r"^share old: its data would be deleted, since shares\.retain was false at the last up: put its volume back"
    with nullcontext() if was else pytest.raises(pulumi.RunError, match=loss):
        stand(build, engine, exported)
    stand(build, engine, exported, shares={"kind": "local", "retain": False})


def test_a_folder_that_no_volume_maps_is_not_deleted_with_one_on_a_server(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    there = {"name": "dbs", "options": {"protocol": "smb", "server": "files.example", "account": "me"}}
    stand(
        build,
        engine,
        exported,
        shares={"kind": "local", "retain": False},
        volumes=["logs", "config", "simpledb", there],
    )
    assert {f["share"]: f["retain"] for f in recorder.all(state.FOLDER).values()} == {
        "logs": False, "config": False, "simpledb": False, "dbs": True,
    }  # fmt: skip


def test_an_image_of_somebody_elses_is_tried_before_a_server_is_touched(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any]
) -> None:
    stand(build, engine, exported)
    assert not recorder.all("datadocker-engine:index:ServerOptions")
    stand(build, engine, exported, images={"mysql": "mariadb:11"})
    tried = recorder.one("datadocker-engine:index:ServerOptions", "mydb-options")
    assert (tried["database"], tried["options"]) == ("mydb", [])


@pytest.mark.parametrize(
    ("was", "folder"), [(None, "customers/one"), ("customers/one", None), ("customers", "customers/one")]
)
@pytest.mark.parametrize("name", ["mydb", "renamed"])
def test_a_data_directory_inside_another_one_is_refused(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    exported: dict[str, Any],
    was: str | None,
    folder: str,
    name: str,
) -> None:
    """Of the two the outer server would never start again, and each would be found out when its container is gone."""

    def moved(database: str, **volume: Any) -> None:
        volumes = ["logs", "config", "simpledb", {"name": "dbs", **volume}]
        databases = [{"name": database, "volume": "dbs", "port": 1}]
        stand(build, engine, exported, volumes=volumes, databases=databases)

    moved("mydb", folder=was)
    recorder.in_state = {(m.typ, m.name): opened(m.inputs) for m in recorder.made if m.typ in (CONTAINER, VOLUME)}
    state._recorded.cache_clear()
    recorder.made.clear()
    there = f"in {folder or 'the root'} of share dbs, and container mydb has its own in {was or 'the root'}:"
    with pytest.raises(
        pulumi.RunError, match=f"^database {name} would have its data {there} .* volume dbs another share"
    ):
        moved(name, folder=folder)
    assert not recorder.all(VOLUME)
    # on another share, and where it is
    moved(name, folder=folder, share="other")
    moved(name, folder=was)


def test_a_database_is_made_after_every_volume_that_it_may_have_had(
    build: Build, engine: FakeEngine, exported: dict[str, Any], options: Options
) -> None:
    stand(build, engine, exported)
    assert waited_for(options[CONTAINER, "mydb-container"]) == sorted(TALK["volumes"])


def test_no_server_is_touched_before_the_options_of_all_have_been_tried(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal ends the update: another's container would be deleted by then, and not made again."""
    make, made = Recorder.new_resource, threading.Event()

    def refusing(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> Any:
        if args.name == "mydb-container":
            made.set()
        if args.name == "other-options":
            # there is time for all that does not wait for this
            made.wait(0.5)
            raise ValueError("refused")
        return make(self, args)

    monkeypatch.setattr(Recorder, "new_resource", refusing)
    other = {"name": "other", "volume": "more", "port": 2, "options": {"max_conections": 5}}
    with pytest.raises(Exception, match="refused"):
        stand(build, engine, exported, volumes=[*TALK["volumes"], "more"], databases=[*TALK["databases"], other])
    assert not made.is_set()
    assert "mydb-container" not in recorder.all(CONTAINER)


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


def test_while_a_volume_is_changed_no_other_that_changes_is_touched(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uses a volume is deleted with it: so the first that the guard refuses is the only one."""
    stand(build, engine, exported)
    recorder.in_state = {(VOLUME, name): volume for name, volume in recorder.all(VOLUME).items()}
    for name in ("dbs-volume", "config-volume"):
        recorder.in_state[VOLUME, name] |= {"driverOpts": {"share": "another"}}
    recorder.made.clear()
    state._recorded.cache_clear()
    make, last = Recorder.new_resource, threading.Event()

    def refusing(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> Any:
        made = make(self, args)
        if args.name == "simpledb-volume":
            last.set()
        if args.name == "dbs-volume":
            # the program ends with the refusal, whatever else is on its way
            last.wait(60)
            raise ValueError("in use")
        return made

    monkeypatch.setattr(Recorder, "new_resource", refusing)
    with pytest.raises(Exception, match="in use"):
        stand(build, engine, exported)
    # those that stay as they are wait for nobody
    assert sorted(recorder.all(VOLUME)) == ["dbs-volume", "logs-volume", "simpledb-volume"]


@pytest.mark.parametrize("refused", ["mydb-options", "mysql-pull"])
def test_no_volume_is_replaced_before_image_and_options_of_all_databases_are_there(
    build: Build,
    recorder: Recorder,
    engine: FakeEngine,
    exported: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    refused: str,
) -> None:
    """Its containers go with it, and a refusal ends the update without them."""
    stand(build, engine, exported)
    recorder.in_state = {(VOLUME, name): volume for name, volume in recorder.all(VOLUME).items()}
    recorder.in_state[VOLUME, "logs-volume"] |= {"driverOpts": {"share": "another"}}
    # they wait for nobody
    unchanged = ["config-volume", "dbs-volume", "simpledb-volume"]
    recorder.made.clear()
    state._recorded.cache_clear()
    make, replaced, others = Recorder.new_resource, threading.Event(), threading.Event()

    def refusing(self: Recorder, args: pulumi.runtime.MockResourceArgs) -> Any:
        if args.name == "logs-volume":
            replaced.set()
        if args.name == refused:
            # the program ends with the refusal, whatever else is on its way
            others.wait(60)
            # there is time for one that does not wait for this
            replaced.wait(0.5)
            raise ValueError("refused")
        made = make(self, args)
        if len(self.all(VOLUME)) == len(unchanged):
            others.set()
        return made

    monkeypatch.setattr(Recorder, "new_resource", refusing)
    database = TALK["databases"][0] | {"options": {"max_conections": 5}}
    with pytest.raises(Exception, match="refused"):
        stand(build, engine, exported, databases=[database], images={"mysql": "mysql:9.7.0"})
    assert sorted(recorder.all(VOLUME)) == unchanged


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
