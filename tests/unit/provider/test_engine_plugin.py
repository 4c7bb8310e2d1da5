"""The managed plugin on an engine that remembers: adopted, refused, exchanged, put right after a kill, left alone."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provider.build import pack
from provider.oneoff import LABEL
from provider.plugin import EnginePlugin
from provider.resource import Failure, Props
from provider.turns import turn
from tests.unit.fake_engine import served
from tests.unit.plugin_engine import STACK, PluginEngine, config, in_order, newer, on_another_machine, props


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginEngine]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with served(PluginEngine(tmp_path / "docker.sock")) as made:
        yield made


def create(engine: PluginEngine) -> None:
    EnginePlugin().create(props(engine))


def test_where_there_is_none_it_is_made_and_enabled(engine: PluginEngine) -> None:
    create(engine)
    assert engine.plugin is not None
    assert engine.plugin["Enabled"]
    assert "POST /plugins/azurefile/set" in engine.done


def test_what_makes_its_folders_has_the_engine_as_the_plugin_will_have_it(engine: PluginEngine, tmp_path: Path) -> None:
    create(engine)
    assert engine.oneoff["Cmd"] == ["prepare"]
    assert f"{tmp_path}:/run/engine:ro" in engine.oneoff["HostConfig"]["Binds"]
    assert engine.oneoff["Env"] == ["ENGINE=/run/engine/docker.sock"]


def test_what_its_folder_knows_of_the_stacks_volumes_from_an_engine_that_is_gone_goes(engine: PluginEngine) -> None:
    """The engine would take it for the one that is asked for, whatever it maps."""
    left = {"Driver": "azurefile:latest", "Labels": None, "Options": None}
    engine.volumes = {
        "logs": {"Name": "logs", **left},
        "mine": {"Name": "mine", **left},
        "config": {"Name": "config", **left, "Options": {"share": "config"}},
        "labelled": {"Name": "labelled", **left, "Labels": STACK},
        "dbs": {"Name": "dbs", **left},
    }
    engine.runs("mydb")
    engine.containers["mydb"]["State"] = "exited"
    EnginePlugin().create(props(engine) | {"volumes": ["logs", "config", "labelled", "dbs"]})
    assert sorted(engine.volumes) == ["config", "dbs", "labelled", "mine"]


@pytest.mark.parametrize(
    ("name", "labels", "left"),
    [("shop-dbs", STACK, True), ("shop-dbs", None, False), ("dbs", STACK, False), ("before", STACK, False)],
)
def test_defaults_that_another_stack_set_stay_as_long_as_it_has_volumes(
    engine: PluginEngine, name: str, labels: dict[str, str] | None, left: bool
) -> None:
    """Else the two stop each other's databases in turn."""
    engine.has(defaults="protocol=smb")
    engine.runs("mydb")
    engine.volumes = {name: {"Name": name, "Driver": "azurefile:latest", "Labels": labels, "Options": {"share": "x"}}}
    wanted = props(engine) | {"volumes": ["dbs"]}
    found = EnginePlugin().read("azurefile", wanted)
    assert found is not None
    assert (found["defaults"] == wanted["defaults"]) == (left or name == "before")
    EnginePlugin().update("azurefile", wanted, wanted | {"volumes": ["before"]})
    assert ("POST /containers/mydb/stop" in engine.done) == (not left)


@pytest.mark.parametrize(
    ("info", "root", "says"),
    [
        ({"OperatingSystem": "Docker Desktop"}, "/r", "the engine is Docker Desktop's"),
        ({"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}, "/r", "the engine is rootless"),
        ({"SecurityOptions": ["name=userns"]}, "/r", "the engine has userns-remap"),
        ({"OperatingSystem": "OrbStack", "DockerRootDir": "/var/lib/docker"}, "/r", "OrbStack makes its machine anew"),
        ({"OperatingSystem": "OrbStack", "DockerRootDir": "/var/lib/docker"}, "/var/lib/docker/r", ""),
        (
            {"DockerRootDir": "/var/snap/docker/common/var-lib-docker"},
            "/r",
            "the engine is snap's, which can't write /r",
        ),
        ({"DockerRootDir": "/var/snap/docker/common/var-lib-docker"}, "/var/snap/docker/common/r", ""),
        ({"OperatingSystem": "Debian", "DockerRootDir": "/var/lib/docker", "SecurityOptions": None}, "/r", ""),
        ({"SecurityOptions": ["name=apparmor", "name=cgroupns", "name=selinux"]}, "/r", ""),
    ],
)
def test_an_engine_that_it_can_not_work_on_is_refused_before_anything_is_made(
    engine: PluginEngine, info: dict[str, Any], root: str, says: str
) -> None:
    engine.answers["/info"] = info
    if not says:
        EnginePlugin().create(props(engine, root=root))
        return
    with pytest.raises(Failure, match=f"^{says}[^\n]*: (use|set|take)[^\n]*$"):
        EnginePlugin().create(props(engine, root=root))
    assert engine.done == []


@pytest.fixture
def there(engine: PluginEngine, monkeypatch: pytest.MonkeyPatch) -> Props:
    return on_another_machine(engine, monkeypatch)


def test_on_another_machine_it_is_made_of_what_is_there(engine: PluginEngine, there: Props) -> None:
    EnginePlugin().create(there)
    assert engine.plugin is not None
    assert engine.plugin["Enabled"]
    assert engine.oneoff["Cmd"] == ["install", "azurefile"]
    assert engine.done.count("POST /containers/create") == 1
    host = engine.oneoff["HostConfig"]
    assert "/var/run:/run/engine:ro" in host["Binds"]
    assert "ENGINE=/run/engine/docker.sock" in engine.oneoff["Env"]
    # it looks into the mount tables of the host's processes
    assert (host["PidMode"], host["CapAdd"]) == ("host", ["SYS_PTRACE"])
    assert not any("export" in step or step == "POST /plugins/create" for step in engine.done)


def test_an_identical_one_is_adopted(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    create(engine)
    assert engine.done == []


def test_an_identical_one_that_was_disabled_is_enabled(engine: PluginEngine) -> None:
    engine.has(enabled=False)
    create(engine)
    assert engine.done == ["POST /plugins/azurefile/enable"]


def test_one_of_the_name_that_is_not_ours_is_refused_in_one_line(engine: PluginEngine) -> None:
    engine.has("somebody else's")
    with pytest.raises(Failure) as caught:
        create(engine)
    assert str(caught.value) == (
        "the engine has a plugin azurefile that is not ours (somebody else's): remove it with "
        "docker plugin disable azurefile && docker plugin rm azurefile, or set datadocker:plugin.name to another name"
    )
    assert engine.done == []


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, True),
        ({"Enabled": False}, False),
        ({"Config": {"Description": "somebody else's"}}, False),
        ({"Settings": {"Mounts": [{"Name": "root", "Source": "/elsewhere"}], "Env": []}}, False),
    ],
)
def test_two_plugins_of_ours_can_not_have_one_folder(
    engine: PluginEngine, change: dict[str, Any], refused: bool
) -> None:
    engine.has()
    assert engine.plugin is not None
    engine.neighbour, engine.plugin = engine.plugin | {"Name": "other:latest"} | change, None
    if not refused:
        create(engine)
        return
    with pytest.raises(Failure, match=r"^plugin other uses the folder /r already, .*: set datadocker:plugin.name"):
        create(engine)
    assert engine.done == []


def test_what_has_the_name_is_told_before_what_has_the_folder(engine: PluginEngine) -> None:
    engine.has()
    assert engine.plugin is not None
    engine.neighbour = engine.plugin | {"Name": "other:latest"}
    engine.has("somebody else's")
    with pytest.raises(Failure, match=r"^the engine has a plugin azurefile that is not ours"):
        create(engine)


@pytest.mark.parametrize("build", ["1", "2"])
@pytest.mark.parametrize("used", ["volume theirs", "container mydb"])
def test_one_that_works_in_another_folder_is_not_taken_away_from_what_uses_it(
    engine: PluginEngine, used: str, build: str
) -> None:
    engine.has()
    if used == "container mydb":
        engine.runs("mydb")
    else:
        engine.volumes["theirs"] = {"Name": "theirs", "Driver": "azurefile:latest", "Labels": STACK}
    wanted = props(engine, root="/other", config=config(f"datadocker/azurefile:{build}"))
    with pytest.raises(Failure) as caught:
        EnginePlugin().create(wanted)
    assert str(caught.value) == (
        f"plugin azurefile works in the folder /r for {used}, and would find none of it in /other: set "
        "datadocker:plugin.name to another name, or datadocker:plugin.root to /r"
    )
    assert engine.done == []


def test_one_that_nobody_uses_gets_another_folder_that_is_there(engine: PluginEngine) -> None:
    engine.has()
    EnginePlugin().create(props(engine, root="/other"))
    assert engine.oneoff["Cmd"] == ["prepare"]
    assert "/other:/var/lib/datadocker" in engine.oneoff["HostConfig"]["Binds"]
    assert in_order(
        engine, "POST /containers/oneoff/start", "POST /plugins/azurefile/disable", "POST /plugins/azurefile/set",
        "POST /plugins/azurefile/enable",
    )  # fmt: skip


def test_one_that_a_hand_put_into_another_folder_comes_back_to_what_runs_on_it(engine: PluginEngine) -> None:
    engine.has()
    engine.runs("mydb")
    wanted = props(engine, root="/own")
    EnginePlugin().update("azurefile", wanted, wanted)
    assert in_order(engine, "POST /containers/mydb/stop", "POST /plugins/azurefile/set", "POST /containers/mydb/start")


@pytest.mark.parametrize("step", ["plugins/azurefile/set", "plugins/azurefile/enable"])
def test_a_first_installation_that_fails_leaves_no_plugin(engine: PluginEngine, step: str) -> None:
    engine.broken = step
    with pytest.raises(Failure, match="no space left on device"):
        create(engine)
    assert engine.plugin is None


def test_one_that_somebody_else_made_meanwhile_stays(engine: PluginEngine) -> None:
    """Of another user, or on another machine: no turn keeps them away."""
    engine.overtaken = True
    with pytest.raises(Failure, match=r"plugin azurefile was not installed: .* already exists; say up again"):
        create(engine)
    assert engine.plugin is not None
    assert engine.plugin["Enabled"]
    create(engine)


@pytest.mark.parametrize(("labels", "said"), [(None, True), (STACK, False)])
def test_that_it_stays_for_volumes_made_by_hand_is_said(
    engine: PluginEngine, capsys: pytest.CaptureFixture[str], labels: dict[str, str] | None, said: bool
) -> None:
    """For those of another stack its destroy takes it."""
    engine.has()
    engine.volumes = {"scratch": {"Name": "scratch", "Driver": "azurefile:latest", "Labels": labels}}
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.plugin is not None
    assert ("when they may go, docker volume rm scratch and, if no other stack has" in capsys.readouterr().err) == said


def test_an_engine_that_falls_silent_meanwhile_is_no_engine_to_start(
    engine: PluginEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.has()
    engine.runs("mydb")
    engine.runs("other")
    monkeypatch.setattr("provider.resource.ENGINE_SECONDS", 0.2)
    monkeypatch.setattr("provider.pause.STOP_SECONDS", 0)
    engine.hanging = "POST /containers/other/stop"
    with pytest.raises(Failure, match=r"stopped answering while plugin azurefile was being installed: .* say up again"):
        EnginePlugin().update("azurefile", newer(engine), props(engine))
    assert engine.running() == ["other"]


@pytest.mark.parametrize(
    ("there", "differs"),
    [
        ({}, {}),
        ({"enabled": False}, {"enabled": False}),
        ({"description": "datadocker/azurefile:0"}, {"config": "another build: datadocker/azurefile:0"}),
        ({"defaults": "protocol=nfs"}, {"defaults": "set by hand: DEFAULTS=protocol=nfs"}),
    ],
)
def test_a_refresh_finds_what_drifted(engine: PluginEngine, there: dict[str, Any], differs: dict[str, Any]) -> None:
    engine.has(**there)
    wanted = props(engine)
    found = EnginePlugin().read("azurefile", wanted)
    assert found is not None
    assert {k: v for k, v in found.items() if v != wanted[k]} == differs
    assert all(k in EnginePlugin.updated_by for k in differs)


def test_a_refresh_finds_that_it_was_removed(engine: PluginEngine) -> None:
    assert EnginePlugin().read("azurefile", props(engine)) is None


def test_it_is_removed_with_the_stack(engine: PluginEngine) -> None:
    engine.has()
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.plugin is None


@pytest.mark.parametrize("driver", ["azurefile", "azurefile:latest"])
def test_it_is_left_alone_while_another_stacks_volume_uses_it(engine: PluginEngine, driver: str) -> None:
    engine.has()
    engine.volumes["theirs"] = {"Name": "theirs", "Driver": driver, "Labels": STACK}
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.plugin is not None
    assert engine.done == []


def test_one_that_is_not_ours_is_not_removed(engine: PluginEngine) -> None:
    engine.has("somebody else's")
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.plugin is not None


def test_one_that_is_gone_already_is_no_error(engine: PluginEngine) -> None:
    EnginePlugin().delete("azurefile", props(engine))
    assert engine.done == []


@pytest.mark.parametrize("bring_about", [True, False])
def test_what_a_killed_run_left_on_its_folder_goes_and_what_works_there_stays(
    engine: PluginEngine, bring_about: bool
) -> None:
    for name, root, state in (
        ("ended", "/r", "exited"), ("made", "/r", "created"), ("works", "/r", "running"), ("other", "/r2", "exited"),
    ):  # fmt: skip
        engine.runs(name, {LABEL: root}, driver="local")
        engine.containers[name]["State"] = state
    if bring_about:
        create(engine)
    else:
        EnginePlugin().delete("azurefile", props(engine))
    assert sorted(engine.containers) == ["other", "works"]


def test_runs_that_share_a_plugin_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    entered: list[str] = []

    def enter(name: str, root: str, shared: bool) -> threading.Thread:
        def inside() -> None:
            with turn(root, shared=shared):
                entered.append(name)

        thread = threading.Thread(target=inside)
        thread.start()
        return thread

    with turn("/r"):
        waiting = enter("waits", "/r", False)
        enter("elsewhere", "/other", False).join(10)
        waiting.join(0.2)
        assert entered == ["elsewhere"]
    waiting.join(10)
    with turn("/r", shared=True):
        enter("beside", "/r", True).join(10)
        waiting = enter("alone", "/r", False)
        waiting.join(0.2)
        assert entered == ["elsewhere", "waits", "beside"]
    waiting.join(10)
    assert entered[-1] == "alone"


@pytest.mark.parametrize("operation", ["create", "update", "delete"])
def test_whatever_changes_a_plugin_waits_for_its_turn(engine: PluginEngine, operation: str) -> None:
    engine.has()
    resource, wanted = EnginePlugin(), props(engine, defaults="protocol=smb")
    given = {"create": (wanted,), "update": ("azurefile", wanted, wanted), "delete": ("azurefile", wanted)}
    # what the first call imports takes its time
    resource.read("azurefile", wanted)
    changes = threading.Thread(target=getattr(resource, operation), args=given[operation])
    with turn("/r"):
        changes.start()
        changes.join(0.5)
        assert changes.is_alive()
        assert engine.done == []
    changes.join(10)
    assert engine.done


def test_a_lock_that_can_not_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    with (
        pytest.raises(Failure, match=r"plugin-r\.lock can't be written: Not a directory; set XDG_CACHE_HOME"),
        turn("/r"),
    ):
        pass


def test_a_full_disk_says_what_to_do(engine: PluginEngine) -> None:
    engine.broken = "POST /containers/create"
    with pytest.raises(
        Failure, match=r"^the Docker engine refused: its disk is full \(.*\): free some \(docker system df"
    ):
        create(engine)


def test_every_file_is_packed_below_rootfs_whatever_its_name() -> None:
    exported, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=exported, mode="w", format=tarfile.PAX_FORMAT) as files:
        for name in ("plain", "Főtanúsítvány.crt", "l" * 150):
            files.addfile(tarfile.TarInfo(name))
    pack([exported.getvalue()], "{}", packed)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as files:
        assert files.getnames() == ["config.json", "rootfs/plain", "rootfs/Főtanúsítvány.crt", f"rootfs/{'l' * 150}"]
