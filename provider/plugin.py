"""Installs, upgrades and removes a managed plugin on an engine.

The Docker provider's own plugin resource pulls from a registry; this one makes the plugin from an image
that is on the engine already (docs.docker.com/engine/extend, "docker plugin create").
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from provider import engines, pause
from provider.neighbours import OURS, Listed, in_the_way, is_driver, is_ours, source_of
from provider.oneoff import ran, reap
from provider.owner import owner_of
from provider.resource import EngineResource, Failure, Props, engine_client
from provider.turns import turn

if TYPE_CHECKING:
    from docker import DockerClient

# that the engine waits for each call of the plugin, until it starts again; by the CLI's default it is 30
CALL_SECONDS = 120
# a plugin's setting → the property that decides it
DECIDED_BY = {"root.source": "root", "engine.source": "socket", "ENGINE": "socket", "DEFAULTS": "defaults"}


class EnginePlugin(EngineResource):
    """Props: `engine`, `driver` (its name), `image`, `config` (JSON), `root`, `socket`, `defaults`, `enabled`.

    And `volumes`, names that the stack is going to have.
    """

    replaced_by = ("driver",)
    updated_by = ("engine", "config", "root", "socket", "defaults", "enabled")
    halfway = True

    def check(self, before: Props, props: Props) -> str:
        if before["root"] == props["root"]:
            return ""
        return (
            f"plugin {before['driver']} has its volumes and local shares in {before['root']}, and would find none of "
            f"them in {props['root']}: set datadocker:plugin.root back, or destroy the stack before it changes "
            f"(what shares keep stays in {before['root']})"
        )

    def create(self, props: Props) -> str:
        with turn(props["root"]), engine_client(props["engine"]) as engine:
            if reason := engines.unsuited(engine.info(), props["root"]):
                raise Failure(reason)
            _bring_about(engine, props, engine.api.containers())
        return str(props["driver"])

    def update(self, identity: str, props: Props, before: Props) -> None:
        with turn(props["root"]), engine_client(props["engine"]) as engine:
            # this stack has it already: what runs on it is no reason to leave it where somebody's hand put it
            _bring_about(engine, props | {"volumes": [*_names(props), *_names(before)]}, [])

    def read(self, identity: str, props: Props) -> Props | None:
        with engine_client(props["engine"]) as engine:
            found = _find(engine, identity)
            if found is None:
                return None
            # a run that was killed leaves them so beside a plugin that has nothing wrong
            waiting = found["Enabled"] and pause.stopped(engine, identity)
            others = _other_settings(engine, found, props)
            suits = _is_build(found, props) or _is_newer(engine, found, props)
        seen = dict(props)
        if not found["Enabled"] or waiting:
            seen["enabled"] = False
        if not suits:
            seen["config"] = f"another build: {found['Config']['Description']}"
        for setting, value in others.items():
            seen[DECIDED_BY[setting]] = f"set by hand: {setting}={value}"
        return seen

    def delete(self, identity: str, props: Props) -> None:
        with turn(props["root"]), engine_client(props["engine"]) as engine:
            found = _find(engine, identity)
            reap(engine, props["root"])
            ours = found is not None and is_ours(found)
            if not _volumes(engine, identity):
                pause.forget(engine, identity)
                if ours:
                    _remove(engine, identity)
            # another stack's volumes need it still, and what a killed upgrade stopped may be that stack's
            elif found is not None and found["Enabled"]:
                pause.resume(engine, identity)


def _bring_about(engine: DockerClient, props: Props, running: list[Listed]) -> None:
    """Makes the engine have this build of the plugin, or one that suits, enabled. What is others' stays as it is.

    `running`: containers that keep a plugin of this name from another folder, as its volumes do.
    """
    from docker.errors import DockerException

    driver = props["driver"]
    reap(engine, props["root"])
    plugins = engine.api.plugins()  # type: ignore[no-untyped-call]
    if reason := in_the_way(driver, props["root"], plugins, _volumes(engine, driver), running):
        raise Failure(reason)
    found = _find(engine, driver)
    if found is not None and not found["Enabled"] and _is_newer(engine, found, props):
        # what only failed once, or was disabled by a hand, is no upgrade that failed
        with suppress(DockerException):
            engine.api.enable_plugin(driver, timeout=CALL_SECONDS)
        found = _find(engine, driver)
    wanted = _wanted(engine, found, props)
    if found is None or not (_is_build(found, props) or (found["Enabled"] and _is_newer(engine, found, props))):
        with _made_ready(engine, props, found) as make:
            if found is not None:
                pause.stop_users(engine, driver)
            made = False
            try:
                if found is not None:
                    _remove(engine, driver)
                make()
                made = True
                _set_and_enable(engine, driver, wanted)
            except (DockerException, Failure) as error:
                # another user or machine, whom no turn keeps away, may have made it meanwhile
                if found is None and made:
                    _remove_half_made(engine, driver)
                raise _not_installed(engine, driver, error) from error
        if found is None:
            _forget_left(engine, driver, _names(props))
    elif other := _other_settings(engine, found, props):
        if other.keys() != {"DEFAULTS"}:
            _prepare(engine, props)
        pause.stop_users(engine, driver)
        try:
            if found["Enabled"]:
                engine.api.disable_plugin(driver, force=True)
            _set_and_enable(engine, driver, wanted)
        except DockerException as error:
            raise _not_installed(engine, driver, error) from error
    elif not found["Enabled"]:
        engine.api.enable_plugin(driver, timeout=CALL_SECONDS)
    # also those that a run stopped which was killed or failed
    pause.resume(engine, driver)


def _not_installed(engine: DockerClient, driver: str, error: Exception) -> Failure:
    said = getattr(error, "explanation", None) or str(error)
    stopped = ", ".join(pause.stopped(engine, driver))
    what = f"plugin {driver} was not installed: {said}; say up again when that is mended"
    return Failure(what + (f": it also starts {stopped}, stopped for the upgrade" if stopped else ""))


@contextmanager
def _made_ready(engine: DockerClient, props: Props, found: Listed | None) -> Iterator[Callable[[], None]]:
    """Yields what makes the plugin, not enabled, once all has been done that stops and removes nothing."""
    there = props["engine"]["url"].startswith("ssh:")
    if there and found is None:
        # it prepares all by itself, and nothing has to make way before
        yield lambda: _create_there(engine, props)
        return
    # the plugin's mount needs its folder on the host, which this makes, and the plugin the engine's socket
    with ran(engine, props["image"], props["root"], "prepare", socket=props["socket"]) as container:
        if there:
            yield lambda: _create_there(engine, props)
            return
        with tempfile.TemporaryFile() as archive:
            _pack(container.export(chunk_size=1 << 20), props["config"], archive)
            archive.seek(0)
            yield lambda: _create(engine, props, archive)


def _prepare(engine: DockerClient, props: Props) -> None:
    """Makes the plugin's folder on the host, and finds its engine: it is nothing without them."""
    with ran(engine, props["image"], props["root"], "prepare", socket=props["socket"]):
        pass


def _create_there(engine: DockerClient, props: Props) -> None:
    """Makes it without its files leaving the host: over the network they would take longer than all the rest."""
    arguments = ("install", props["driver"])
    with ran(engine, props["image"], props["root"], *arguments, socket=props["socket"], CONFIG=props["config"]):
        pass


def _create(engine: DockerClient, props: Props, archive: Any) -> None:
    # the SDK's create_plugin packs a folder; ours is packed, with owners that only root could unpack
    answer = engine.api.post(
        f"{engine.api.base_url}/v{engine.api.api_version}/plugins/create",
        params={"name": props["driver"]},
        data=archive,
    )
    if not answer.ok:
        raise Failure(f"the Docker engine refused the plugin: {answer.json()['message']}")


def _set_and_enable(engine: DockerClient, driver: str, settings: dict[str, str]) -> None:
    engine.api.configure_plugin(driver, [f"{k}={v}" for k, v in settings.items()])  # type: ignore[no-untyped-call]
    engine.api.enable_plugin(driver, timeout=CALL_SECONDS)


def _pack(exported: Any, config: str, archive: Any) -> None:
    """Writes the archive that /plugins/create takes: config.json and the filesystem under rootfs/."""
    with (
        tempfile.TemporaryFile() as flat,
        tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as packed,
    ):
        for chunk in exported:
            flat.write(chunk)
        flat.seek(0)
        entry = tarfile.TarInfo("config.json")
        entry.size = len(config.encode())
        packed.addfile(entry, io.BytesIO(config.encode()))
        with tarfile.open(fileobj=flat) as files:
            for member in files:
                if member.islnk():
                    member.linkname = f"rootfs/{member.linkname}"
                member.name = f"rootfs/{member.name}"
                # they repeat a long or non-ASCII name as it was, and would win
                member.pax_headers = {}
                packed.addfile(member, files.extractfile(member) if member.isreg() else None)


def _wanted(engine: DockerClient, found: dict[str, Any] | None, props: Props) -> dict[str, str]:
    """What it is to have set: what the stack decides, and beside that what a hand set on the one that is `found`.

    The defaults are the first stack's. They are for volumes that are made by hand; two stacks that set them in turn
    would stop each other's databases for it.
    """
    socket = PurePosixPath(props["socket"])
    wanted = {
        "root.source": props["root"],
        # the folder: an engine that starts again makes its socket anew
        "engine.source": str(socket.parent),
        "ENGINE": f"/run/engine/{socket.name}",
        "DEFAULTS": props["defaults"],
    }
    if found is None:
        return wanted
    has = _environment(found)
    if "DEFAULTS" in has and _is_shared(engine, props):
        wanted["DEFAULTS"] = has["DEFAULTS"]
    initial = {e["Name"]: e["Value"] for e in found["Config"]["Env"] or []}
    known = {e["name"] for e in _config(props)["env"]}
    return {k: v for k, v in has.items() if k in known and v != initial.get(k)} | wanted


def _names(props: Props) -> list[str]:
    # a stack of an older state names none
    return [*(props.get("volumes") or [])]


def _other_settings(engine: DockerClient, found: dict[str, Any], props: Props) -> dict[str, str]:
    """What it has set that is not as wanted."""
    has, wanted = _settings(found), _wanted(engine, found, props)
    folder = "engine.source"
    # /var/run is a link to /run: another spelling is no reason to stop what uses the plugin
    if os.path.realpath(has[folder]) == os.path.realpath(wanted[folder]):
        has[folder] = wanted[folder]
    return {k: v for k, v in has.items() if v != wanted[k]}


def _is_shared(engine: DockerClient, props: Props) -> bool:
    """Whether another stack has volumes on it."""
    ours = _names(props)
    return any(owner_of(v["Labels"]) and v["Name"] not in ours for v in _volumes(engine, props["driver"]))


def _settings(found: Listed) -> dict[str, str]:
    has = {f"{mount}.source": source_of(found, mount) for mount in ("root", "engine")}
    has |= _environment(found)
    return {k: has.get(k, "") for k in DECIDED_BY}


def _environment(found: Listed) -> dict[str, str]:
    return dict(e.split("=", 1) for e in found["Settings"]["Env"])


def _find(engine: DockerClient, driver: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = engine.api.inspect_plugin(driver)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    return found


def _config(props: Props) -> dict[str, Any]:
    """The build's own; after a refresh that found another build the state has that one's description instead."""
    text: str = props["config"]
    config: dict[str, Any] = json.loads(text) if text.startswith("{") else {"description": text, "env": []}
    return config


def _is_build(found: dict[str, Any], props: Props) -> bool:
    return bool(found["Config"].get("Description") == _config(props)["description"])


def _is_newer(engine: DockerClient, found: dict[str, Any], props: Props) -> bool:
    """Whether it is a newer build that another stack needs, too: an older fence would not know its holds."""
    has, wanted = found["Config"].get("Description") or "", _config(props)["description"]
    return _number(has) > _number(wanted) and _is_shared(engine, props)


def _number(description: str) -> int:
    """The number before a build's hash; builds of old have none."""
    found = re.search(f"{OURS}([0-9]+)[.]", description)
    return int(found[1]) if found else 0


def _remove(engine: DockerClient, driver: str) -> None:
    if _find(engine, driver)["Enabled"]:  # type: ignore[index]
        engine.api.disable_plugin(driver, force=True)
    engine.api.remove_plugin(driver, force=True)


def _remove_half_made(engine: DockerClient, driver: str) -> None:
    """Removes what a first installation left: it is in no state, so no destroy would."""
    from docker.errors import DockerException

    with suppress(DockerException):
        if _find(engine, driver):
            _remove(engine, driver)


def _forget_left(engine: DockerClient, driver: str, names: list[str]) -> None:
    """Removes what the plugin's folder knows of volumes that the engine does not, before the stack makes them.

    An engine that was made anew takes one that its driver has for the one that it is asked for, whatever that maps.
    What is on shares stays, and so does what a container has.
    """
    used = {mount.get("Name") for container in engine.api.containers(all=True) for mount in container["Mounts"]}
    for volume in _volumes(engine, driver):
        if volume["Name"] in names and volume["Name"] not in used and not (volume["Labels"] or volume["Options"]):
            engine.api.remove_volume(volume["Name"])


def _volumes(engine: DockerClient, driver: str) -> list[dict[str, Any]]:
    listed = engine.api.volumes()["Volumes"] or []
    return [v for v in listed if is_driver(driver, v["Driver"])]
