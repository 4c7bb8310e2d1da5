"""Installs, upgrades and removes a managed plugin on an engine.

The Docker provider's own plugin resource pulls from a registry; this one makes the plugin from an image
that is on the engine already (docs.docker.com/engine/extend, "docker plugin create").
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from provider.oneoff import ran, reap
from provider.resource import EngineResource, Failure, Props, engine_client

if TYPE_CHECKING:
    from docker import DockerClient

OURS = "datadocker/azurefile:"
STACK_LABEL = "io.datadocker.stack"
STOP_SECONDS = 60


class EnginePlugin(EngineResource):
    """Props: `engine`, `driver` (its name), `image`, `config` (JSON), `root`, `socket`, `defaults`, `enabled`."""

    replaced_by = ("engine.url", "driver")
    updated_by = ("engine", "config", "root", "socket", "defaults", "enabled")

    def create(self, props: Props) -> str:
        with engine_client(props["engine"]) as engine:
            _bring_about(engine, props)
        return str(props["driver"])

    def update(self, identity: str, props: Props) -> None:
        with engine_client(props["engine"]) as engine:
            _bring_about(engine, props)

    def read(self, identity: str, props: Props) -> Props | None:
        with engine_client(props["engine"]) as engine:
            found = _find(engine, identity)
        if found is None:
            return None
        seen = dict(props)
        if not found["Enabled"]:
            seen["enabled"] = False
        if not _is_build(found, props["config"]):
            seen["config"] = f"another build: {found['Config']['Description']}"
        return seen

    def delete(self, identity: str, props: Props) -> None:
        with engine_client(props["engine"]) as engine:
            found = _find(engine, identity)
            reap(engine, props["root"])
            # another stack's volumes may need it still
            if found is not None and _is_ours(found) and not _volumes(engine, identity):
                _remove(engine, identity)


def _bring_about(engine: DockerClient, props: Props) -> None:
    """Makes the engine have just this build of the plugin, enabled. One that is not ours is left alone."""
    driver = props["driver"]
    reap(engine, props["root"])
    found = _find(engine, driver)
    if found is not None and not _is_ours(found):
        raise Failure(
            f"the engine has a plugin {driver} that is not ours "
            f"({found['Config'].get('Description') or 'no description'}): remove it with "
            f"docker plugin rm {driver}, or set datadocker:plugin.name to another name"
        )
    if found is not None and _is_build(found, props["config"]) and _settings(found) == _wanted(props):
        if not found["Enabled"]:
            engine.api.enable_plugin(driver, timeout=30)
    else:
        stopped = _stop_users(engine, driver) if found is not None else []
        try:
            if found is not None:
                _remove(engine, driver)
            _install(engine, props)
            _start(engine, stopped)
        except Exception as error:
            if stopped:
                names = ", ".join(c["Names"][0].lstrip("/") for c in stopped)
                raise Failure(f"{error}; stopped for the upgrade and still so: {names}") from error
            raise


def _install(engine: DockerClient, props: Props) -> None:
    driver = props["driver"]
    # a plugin's mount needs its folder on the host
    with (
        ran(engine, props["image"], props["root"], "prepare") as container,
        tempfile.TemporaryFile() as archive,
    ):
        _pack(container.export(chunk_size=1 << 20), props["config"], archive)
        archive.seek(0)
        # the SDK's create_plugin packs a folder; ours is packed, with owners that only root could unpack
        answer = engine.api.post(
            f"{engine.api.base_url}/v{engine.api.api_version}/plugins/create", params={"name": driver}, data=archive
        )
        if not answer.ok:
            raise Failure(f"the Docker engine refused the plugin: {answer.json()['message']}")
    wanted = [f"{k}={v}" for k, v in _wanted(props).items()]
    engine.api.configure_plugin(driver, wanted)  # type: ignore[no-untyped-call]
    engine.api.enable_plugin(driver, timeout=30)


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
                packed.addfile(member, files.extractfile(member) if member.isreg() else None)


def _wanted(props: Props) -> dict[str, str]:
    socket = PurePosixPath(props["socket"])
    return {
        "root.source": props["root"],
        # the folder: an engine that starts again makes its socket anew
        "engine.source": str(socket.parent),
        "ENGINE": f"/run/engine/{socket.name}",
        "DEFAULTS": props["defaults"],
    }


def _settings(found: dict[str, Any]) -> dict[str, str]:
    settings = found["Settings"]
    has = {f"{m['Name']}.source": m["Source"] for m in settings["Mounts"]}
    has |= dict(e.split("=", 1) for e in settings["Env"])
    return {k: has.get(k, "") for k in ("root.source", "engine.source", "ENGINE", "DEFAULTS")}


def _find(engine: DockerClient, driver: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = engine.api.inspect_plugin(driver)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    return found


def _is_ours(found: dict[str, Any]) -> bool:
    return OURS in (found["Config"].get("Description") or "")


def _is_build(found: dict[str, Any], config: str) -> bool:
    return bool(found["Config"].get("Description") == json.loads(config)["description"])


def _remove(engine: DockerClient, driver: str) -> None:
    if _find(engine, driver)["Enabled"]:  # type: ignore[index]
        engine.api.disable_plugin(driver, force=True)
    engine.api.remove_plugin(driver, force=True)


def _volumes(engine: DockerClient, driver: str) -> list[dict[str, Any]]:
    listed = engine.api.volumes()["Volumes"] or []
    return [v for v in listed if v["Driver"] in (driver, f"{driver}:latest")]


def _users(engine: DockerClient, driver: str) -> list[dict[str, Any]]:
    names = [v["Name"] for v in _volumes(engine, driver)]
    if not names:
        return []
    return list(engine.api.containers(all=True, filters={"volume": names}))


def _stop_users(engine: DockerClient, driver: str) -> list[dict[str, Any]]:
    """Stops our containers on the plugin's volumes, and returns them.

    Raises:
        Failure: if a container that is not ours uses one; nothing is stopped then.
    """
    running = [c for c in _users(engine, driver) if c["State"] in ("running", "restarting", "paused")]
    others = [c["Names"][0].lstrip("/") for c in running if STACK_LABEL not in c["Labels"]]
    if others:
        raise Failure(
            f"plugin {driver} has to be upgraded, but containers that no stack owns use its volumes: "
            f"stop {', '.join(others)} first"
        )
    for container in running:
        engine.api.stop(container["Id"], timeout=STOP_SECONDS)
    return running


def _start(engine: DockerClient, containers: list[dict[str, Any]]) -> None:
    for container in containers:
        engine.api.start(container["Id"])
