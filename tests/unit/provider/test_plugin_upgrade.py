"""The managed plugin is exchanged: containers stand still for it and start again, also after a kill or a failure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider import pause
from provider.plugin import EnginePlugin
from provider.resource import Failure, Props, engine_client
from tests.unit.fake_engine import served
from tests.unit.plugin_engine import (
    INHERITED,
    INITIAL,
    OURS,
    STACK,
    PluginEngine,
    config,
    in_order,
    newer,
    on_another_machine,
    props,
)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginEngine]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with served(PluginEngine(tmp_path / "docker.sock")) as made:
        yield made


def upgrade(engine: PluginEngine) -> None:
    EnginePlugin().update("azurefile", newer(engine), newer(engine))


def pause_and_die(engine: PluginEngine) -> None:
    with engine_client(props(engine)["engine"]) as client:
        pause.stop_users(client, "azurefile")


@pytest.fixture
def there(engine: PluginEngine, monkeypatch: pytest.MonkeyPatch) -> Props:
    return on_another_machine(engine, monkeypatch)


def test_on_another_machine_it_is_upgraded_with_what_is_there(engine: PluginEngine, there: Props) -> None:
    engine.has()
    engine.runs("mydb")
    EnginePlugin().update("azurefile", there, there)
    assert engine.plugin is not None
    assert engine.plugin["Config"]["Description"] == "datadocker/azurefile:2"
    assert engine.oneoff["Cmd"] == ["install", "azurefile"]
    assert not any("export" in step or step == "POST /plugins/create" for step in engine.done)
    assert in_order(engine, "POST /containers/mydb/stop", "DELETE /plugins/azurefile", "POST /containers/mydb/start")


def test_an_image_that_does_not_run_there_leaves_the_plugin_as_it_was(engine: PluginEngine, there: Props) -> None:
    engine.has()
    engine.runs("mydb")
    engine.broken = "POST /containers/oneoff/start"
    with pytest.raises(Failure, match="no space left on device"):
        EnginePlugin().update("azurefile", there, there)
    assert engine.plugin is not None
    assert engine.running() == ["mydb"]


def test_other_settings_make_no_new_plugin(engine: PluginEngine) -> None:
    engine.has(defaults="protocol=smb")
    engine.runs("mydb")
    EnginePlugin().update("azurefile", props(engine), props(engine))
    assert in_order(
        engine, "POST /containers/mydb/stop", "POST /plugins/azurefile/disable", "POST /plugins/azurefile/set",
        "POST /plugins/azurefile/enable", "POST /containers/mydb/start",
    )  # fmt: skip
    assert "DELETE /plugins/azurefile" not in engine.done


def test_another_spelling_of_the_engines_socket_stops_nothing(engine: PluginEngine, tmp_path: Path) -> None:
    link = tmp_path / "var-run"
    link.symlink_to(tmp_path)
    engine.has()
    engine.runs("mydb")
    spelt = props(engine) | {"socket": str(link / "docker.sock")}
    EnginePlugin().update("azurefile", spelt, props(engine))
    assert engine.done == []
    assert EnginePlugin().read("azurefile", spelt) == spelt


def test_a_socket_that_the_plugin_does_not_find_stops_nothing(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    engine.code, engine.log = 1, b"nothing answers there"
    with pytest.raises(Failure, match="nothing answers there"):
        EnginePlugin().update("azurefile", props(engine) | {"socket": "/elsewhere/docker.sock"}, props(engine))
    assert engine.oneoff["Cmd"] == ["prepare"]
    assert engine.running() == ["mydb"]
    assert "POST /plugins/azurefile/disable" not in engine.done


def test_an_upgrade_stops_our_containers_on_its_volumes_and_starts_them_again(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    engine.runs("elsewhere", driver="local")
    upgrade(engine)
    assert engine.plugin is not None
    assert engine.plugin["Config"]["Description"] == "datadocker/azurefile:2"
    assert in_order(
        engine, "POST /containers/mydb/stop", "POST /plugins/azurefile/disable", "DELETE /plugins/azurefile",
        "POST /plugins/create", "POST /plugins/azurefile/enable", "POST /containers/mydb/start",
    )  # fmt: skip
    assert engine.graces == {"mydb": "60"}
    assert engine.volumes == {}


@pytest.mark.parametrize(
    ("has", "wanted", "theirs", "enabled", "stays"),
    [
        ("2.aa", "1.bb", STACK, True, True),
        ("10.aa", "9.bb", STACK, True, True),
        ("1.aa", "12ab", STACK, True, True),
        ("2.aa", "2.bb", STACK, True, False),
        ("1.aa", "2.bb", STACK, True, False),
        ("12ab", "1.bb", STACK, True, False),
        ("2.aa", "1.bb", None, True, False),
        # disabled by a hand, or one that failed to come up once
        ("2.aa", "1.bb", STACK, False, True),
        ("1.aa", "2.bb", STACK, False, False),
    ],
)
def test_a_newer_one_that_works_for_another_stack_stays(
    engine: PluginEngine, has: str, wanted: str, theirs: dict[str, str] | None, enabled: bool, stays: bool
) -> None:
    """An older fence would guard what it does not know, and two checkouts would exchange it in turn."""
    engine.has(f"datadocker/azurefile:{has}", enabled=enabled)
    engine.runs("mydb")
    engine.volumes = {name: {"Name": name, "Driver": "azurefile:latest", "Labels": STACK} for name in ("dbs", "kept")}
    if theirs:
        engine.volumes["theirs"] = {"Name": "theirs", "Driver": "azurefile", "Labels": theirs}
    ours = props(engine, config=config(f"datadocker/azurefile:{wanted}"), volumes=["dbs"])
    before = ours | {"volumes": ["kept"]}
    found = EnginePlugin().read("azurefile", ours | {"volumes": ["dbs", "kept"]})
    assert found is not None
    assert (found["config"] == ours["config"]) == stays
    EnginePlugin().update("azurefile", ours, before)
    assert engine.plugin is not None
    assert engine.plugin["Config"]["Description"] == f"datadocker/azurefile:{has if stays else wanted}"
    assert ("POST /containers/mydb/stop" in engine.done) == (not stays)


def test_a_newer_one_that_does_not_come_up_is_taken_back(engine: PluginEngine) -> None:
    engine.has("datadocker/azurefile:2.aa", enabled=False)
    engine.volumes = {"theirs": {"Name": "theirs", "Driver": "azurefile:latest", "Labels": STACK}}
    engine.failing = "2.aa"
    EnginePlugin().update("azurefile", props(engine), props(engine))
    assert engine.plugin is not None
    assert engine.plugin["Config"]["Description"] == json.loads(props(engine)["config"])["description"]
    assert engine.plugin["Enabled"]


def test_a_refresh_after_one_that_found_another_build_finds_it_again(engine: PluginEngine) -> None:
    engine.has("datadocker/azurefile:0123")
    found = EnginePlugin().read("azurefile", props(engine))
    assert found is not None
    assert found["config"] == "another build: datadocker/azurefile:0123"
    assert EnginePlugin().read("azurefile", found) == found


def test_a_newer_one_is_adopted_as_it_is(engine: PluginEngine) -> None:
    engine.has("datadocker/azurefile:2.aa")
    engine.runs("mydb")
    engine.volumes = {"theirs": {"Name": "theirs", "Driver": "azurefile:latest", "Labels": STACK}}
    EnginePlugin().create(props(engine))
    assert engine.done == []


def test_an_upgrade_keeps_what_a_hand_set_and_the_new_build_has(engine: PluginEngine) -> None:
    engine.has()
    engine.set(TAKEOVER_SECONDS="90", ENGINE="/elsewhere.sock", GONE="1")
    upgrade(engine)
    assert engine.settings() == INITIAL | {"TAKEOVER_SECONDS": "90"}


def test_what_was_set_by_nobody_is_as_the_new_build_has_it(
    engine: PluginEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.has()
    monkeypatch.setitem(INITIAL, "TAKEOVER_SECONDS", "45")
    upgrade(engine)
    assert engine.settings()["TAKEOVER_SECONDS"] == "45"


@pytest.mark.parametrize("shared", [True, False])
def test_an_upgrade_keeps_the_first_stacks_defaults_while_another_has_volumes(
    engine: PluginEngine, shared: bool
) -> None:
    engine.has(defaults="protocol=smb")
    volume = "theirs" if shared else "dbs"
    engine.volumes = {volume: {"Name": volume, "Driver": "azurefile:latest", "Labels": STACK}}
    wanted = newer(engine) | {"volumes": ["dbs"]}
    EnginePlugin().update("azurefile", wanted, wanted)
    assert engine.settings()["DEFAULTS"] == ("protocol=smb" if shared else "protocol=local")
    assert EnginePlugin().read("azurefile", wanted) == wanted


@pytest.mark.parametrize("labels", [{}, INHERITED])
def test_an_upgrade_is_refused_while_containers_of_nobodys_stack_use_its_volumes(
    engine: PluginEngine, labels: dict[str, str]
) -> None:
    engine.has()
    engine.runs("mydb")
    engine.runs("byhand", labels=labels)
    with pytest.raises(Failure, match=r"^plugin azurefile has to be upgraded, but .*: stop byhand first$"):
        upgrade(engine)
    assert engine.running() == ["byhand", "mydb"]
    assert engine.plugin is not None


def test_what_can_not_be_packed_leaves_the_plugin_and_its_containers_as_they_were(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    engine.broken = "GET /containers/oneoff/export"
    with pytest.raises(Failure, match="no space left on device"):
        upgrade(engine)
    assert engine.plugin is not None
    assert "POST /containers/mydb/stop" not in engine.done


@pytest.mark.parametrize("step", ["POST /plugins/create", "plugins/azurefile/enable"])
def test_a_failed_upgrade_says_what_to_do_and_the_next_one_starts_what_it_stopped(
    engine: PluginEngine, step: str
) -> None:
    engine.has()
    engine.runs("mydb")
    engine.runs("docker1")
    engine.broken = step
    with pytest.raises(Failure) as caught:
        upgrade(engine)
    assert re.fullmatch(
        r"plugin azurefile was not installed: .*no space left on device; say up again when that is mended: "
        "it also starts docker1, mydb, stopped for the upgrade",
        str(caught.value),
    )
    assert engine.running() == []
    engine.broken = ""
    upgrade(engine)
    assert engine.running() == ["docker1", "mydb"]
    assert engine.volumes == {}


def test_a_failed_upgrade_leaves_the_next_one_what_a_hand_set(engine: PluginEngine) -> None:
    engine.has()
    engine.set(TAKEOVER_SECONDS="90")
    engine.broken = "plugins/azurefile/enable"
    with pytest.raises(Failure):
        upgrade(engine)
    engine.broken = ""
    upgrade(engine)
    assert engine.settings()["TAKEOVER_SECONDS"] == "90"


def test_settings_that_can_not_be_set_are_said_with_what_was_stopped_for_them(engine: PluginEngine) -> None:
    engine.has(defaults="protocol=smb")
    engine.runs("mydb")
    engine.broken = "plugins/azurefile/enable"
    with pytest.raises(Failure, match=r"^plugin azurefile was not installed: .*: it also starts mydb, stopped for"):
        EnginePlugin().update("azurefile", props(engine), props(engine))
    engine.broken = ""
    EnginePlugin().update("azurefile", props(engine), props(engine))
    assert engine.running() == ["mydb"]


@pytest.mark.parametrize("step", ["POST /plugins/create", "plugins/azurefile/enable", "containers/mydb/start"])
def test_a_failed_upgrade_is_taken_back_by_who_has_the_build_before(engine: PluginEngine, step: str) -> None:
    engine.has()
    engine.runs("mydb")
    engine.broken = step
    with pytest.raises(Failure):
        upgrade(engine)
    engine.broken = ""
    EnginePlugin().update("azurefile", props(engine), props(engine))
    assert engine.plugin is not None
    assert (engine.plugin["Config"]["Description"], engine.plugin["Enabled"]) == (OURS, True)
    assert engine.running() == ["mydb"]
    assert engine.volumes == {}


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.mark.parametrize("step", ["containers/mydb/stop", "plugins/azurefile/disable", "plugins/create",
                                  "plugins/azurefile/enable", "containers/docker1/start"])  # fmt: skip
def test_after_an_upgrade_that_was_killed_the_next_one_finishes_it(
    engine: PluginEngine, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    engine.has()
    engine.runs("docker1")
    engine.runs("mydb")
    engine.runs("byhand", labels={})
    engine.containers["byhand"]["State"] = "exited"

    def killed(_: Any, url: str, *args: Any, **more: Any) -> Any:
        if url.endswith(step):
            raise Killed
        return send(_, url, *args, **more)

    from docker import APIClient

    send = APIClient.post
    with monkeypatch.context() as patched:
        patched.setattr(APIClient, "post", killed)
        with pytest.raises(Killed):
            upgrade(engine)
    upgrade(engine)
    assert engine.running() == ["docker1", "mydb"]
    assert engine.volumes == {}


def test_a_refresh_after_an_upgrade_that_was_killed_finds_what_it_stopped(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    pause_and_die(engine)
    found = EnginePlugin().read("azurefile", props(engine))
    assert found == props(engine, enabled=False)
    # also where the settings are those of before
    EnginePlugin().update("azurefile", props(engine), found)
    assert engine.running() == ["mydb"]
    assert EnginePlugin().read("azurefile", props(engine)) == props(engine)


def test_what_was_stopped_and_is_gone_is_not_missed(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    engine.broken = "plugins/create"
    with pytest.raises(Failure):
        upgrade(engine)
    engine.broken = ""
    engine.containers.clear()
    engine.runs("mydb2")
    upgrade(engine)
    assert engine.volumes == {}


def test_one_that_does_not_start_is_named_and_keeps_no_other_down(engine: PluginEngine) -> None:
    engine.has()
    for name in ("docker1", "mydb", "reader"):
        engine.runs(name)
    engine.broken = "containers/mydb/start"
    with pytest.raises(
        Failure, match="container mydb, stopped for the plugin's upgrade, does not start: no space left"
    ):
        upgrade(engine)
    assert engine.running() == ["docker1", "reader"]
    engine.broken = ""
    upgrade(engine)
    assert engine.running() == ["docker1", "mydb", "reader"]


@pytest.mark.parametrize(("volumes", "running"), [(["theirs"], ["docker1", "mydb"]), ([], [])])
def test_what_an_upgrade_that_was_killed_stopped_starts_again_when_its_stack_is_destroyed_and_others_stay(
    engine: PluginEngine, volumes: list[str], running: list[str]
) -> None:
    engine.has()
    engine.runs("docker1")
    engine.runs("mydb")
    pause_and_die(engine)
    engine.volumes |= {name: {"Name": name, "Driver": "azurefile:latest", "Labels": STACK} for name in volumes}
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.running() == running
    assert sorted(engine.volumes) == volumes


def test_what_can_not_start_without_its_plugin_stays_noted(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    pause_and_die(engine)
    engine.volumes["theirs"] = {"Name": "theirs", "Driver": "azurefile", "Labels": STACK}
    engine.plugin = None
    EnginePlugin().delete("azurefile", props(engine))
    assert sorted(engine.volumes) == ["azurefile-paused-mydb", "theirs"]
