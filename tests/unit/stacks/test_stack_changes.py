"""What a change of the settings is refused for, and in which order the rest of it happens."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from typing import Any

import pulumi
import pytest

from components import state
from tests.unit.conftest import Build, Options, Recorder, opened, waited_for
from tests.unit.fake_engine import FakeEngine
from tests.unit.stacks.talk import CONTAINER, TALK, VOLUME, stand

pytestmark = pytest.mark.usefixtures("nobody_is_asked")


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
    monkeypatch.setattr("stacks.standing.recorded", lambda: {(typ, f"{name}-{kind}"): known})
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
    monkeypatch.setattr("stacks.standing.recorded", lambda: known)
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
    # nor does anybody who maps such a folder keep the stack from going
    assert recorder.one("datadocker-engine:index:ShareGuard", "shares")["shares"] == ["config", "logs", "simpledb"]
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
    # on another share, one of the same name elsewhere, and where it is
    moved(name, folder=folder, share="other")
    moved(name, folder=folder, options={"protocol": "nfs", "server": "nas"})
    moved(name, folder=was)


@pytest.mark.parametrize(("server", "refused"), [("nas", True), ("NAS", True), ("other", False)])
def test_a_data_directory_on_a_server_is_known_in_any_spelling(
    build: Build, recorder: Recorder, engine: FakeEngine, exported: dict[str, Any], server: str, refused: bool
) -> None:
    def on_server(name: str, **volume: Any) -> None:
        there = {"name": "dbs", "options": {"protocol": "NFS", "server": name}, **volume}
        stand(build, engine, exported, volumes=["logs", "config", "simpledb", there])

    on_server("nas")
    recorder.in_state = {(m.typ, m.name): opened(m.inputs) for m in recorder.made if m.typ in (CONTAINER, VOLUME)}
    state._recorded.cache_clear()
    with pytest.raises(pulumi.RunError, match="would have its data in in") if refused else nullcontext():
        on_server(server, folder="in")


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
