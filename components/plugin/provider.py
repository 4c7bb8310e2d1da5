"""Installs, upgrades and removes a managed plugin on an engine.

The Docker provider's own plugin resource pulls from a registry; this one makes the plugin from an image
that is on the engine already (docs.docker.com/engine/extend, "docker plugin create").
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi import dynamic

from components.hosts.sdk import engine_client

if TYPE_CHECKING:
    from docker import DockerClient

OURS = "datadocker/azurefile:"
STACK_LABEL = "io.datadocker.stack"
STOP_SECONDS = 60


class _PluginProvider(dynamic.ResourceProvider):
    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        with engine_client(props["engine"]) as engine:
            _bring_about(engine, props)
        return dynamic.CreateResult(id_=props["driver"], outs=props)

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        replaces = [k for k in ("engine", "driver") if olds.get(k) != news[k]]
        updates = [k for k in ("config", "root", "socket", "defaults", "enabled") if _differs(olds, news, k)]
        return dynamic.DiffResult(
            changes=bool(replaces or updates), replaces=replaces, delete_before_replace=True
        )

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        with engine_client(news["engine"]) as engine:
            _bring_about(engine, news)
        return dynamic.UpdateResult(outs=news)

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        with engine_client(props["engine"]) as engine:
            found = _find(engine, id_)
            if found is None:
                return dynamic.ReadResult("", {})
            seen = dict(props)
            if not found["Enabled"]:
                seen["enabled"] = False
            if not _is_build(found, props["config"]):
                seen["config"] = f"another build: {found['Config']['Description']}"
            return dynamic.ReadResult(id_, seen)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        with engine_client(props["engine"]) as engine:
            found = _find(engine, id_)
            if found is None or not _is_ours(found):
                return
            users = [v["Name"] for v in _volumes(engine, id_)]
            if users:
                pulumi.log.info(f"plugin {id_} stays: volumes of others use it ({', '.join(users[:5])})")
                return
            _remove(engine, id_)


class EnginePlugin(dynamic.Resource, module="plugin", name="EnginePlugin"):
    """A managed plugin made from an image on the engine."""

    driver: pulumi.Output[str]
    root: pulumi.Output[str]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: `engine`, `driver`, `image`, `config` (JSON), `root`, `socket`, `defaults`."""
        super().__init__(_PluginProvider(), name, {**props, "enabled": True}, opts)


def _differs(olds: dict[str, Any], news: dict[str, Any], key: str) -> bool:
    return bool(olds.get(key) != news.get(key))


def _bring_about(engine: DockerClient, props: dict[str, Any]) -> None:
    """Makes the engine have just this plugin, enabled, whatever was there before."""
    driver = props["driver"]
    found = _find(engine, driver)
    if found is not None and not _is_ours(found):
        raise RuntimeError(
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
        except Exception as error:
            if stopped:
                names = ", ".join(c["Names"][0].lstrip("/") for c in stopped)
                raise RuntimeError(f"{error}; stopped meanwhile, and started by the next up: {names}") from error
            raise
    _start_users(engine, driver)


def _install(engine: DockerClient, props: dict[str, Any]) -> None:
    driver = props["driver"]
    container = engine.containers.create(
        props["image"],
        ["prepare"],
        entrypoint=["python3", "-m", "azurefile"],
        # Docker makes a missing folder on the host for a bind; a plugin's mount needs it there
        volumes=[f"{props['root']}:/var/lib/datadocker"],
        network_mode="none",
        labels={STACK_LABEL: "plugin-installation"},
    )
    try:
        container.start()
        status = container.wait(timeout=60)["StatusCode"]
        if status != 0:
            raise RuntimeError(
                f"preparing {props['root']} on the host failed: "
                f"{container.logs(tail=3).decode(errors='replace').strip()}"
            )
        with tempfile.TemporaryFile() as archive:
            _pack(container.export(chunk_size=1 << 20), props["config"], archive)
            archive.seek(0)
            answer = engine.api._post(
                engine.api._url("/plugins/create"), params={"name": driver}, data=archive
            )
            engine.api._raise_for_status(answer)
    finally:
        container.remove(force=True)
    engine.api.configure_plugin(driver, [f"{k}={v}" for k, v in _wanted(props).items()])
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


def _wanted(props: dict[str, Any]) -> dict[str, str]:
    return {
        "root.source": props["root"],
        "engine.source": props["socket"],
        "DEFAULTS": props["defaults"],
    }


def _settings(found: dict[str, Any]) -> dict[str, str]:
    settings = found["Settings"]
    sources = {f"{m['Name']}.source": m["Source"] for m in settings["Mounts"]}
    env = dict(e.split("=", 1) for e in settings["Env"])
    return {k: {**sources, **env}.get(k, "") for k in ("root.source", "engine.source", "DEFAULTS")}


def _find(engine: DockerClient, driver: str) -> dict[str, Any] | None:
    from docker.errors import NotFound

    try:
        found: dict[str, Any] = engine.api.inspect_plugin(driver)
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
        RuntimeError: if a container that is not ours uses one; nothing is stopped then.
    """
    running = [c for c in _users(engine, driver) if c["State"] == "running"]
    others = [c["Names"][0].lstrip("/") for c in running if STACK_LABEL not in c["Labels"]]
    if others:
        raise RuntimeError(
            f"plugin {driver} has to be upgraded, but containers that no stack owns use its volumes: "
            f"stop {', '.join(others)} first"
        )
    for container in running:
        engine.api.stop(container["Id"], timeout=STOP_SECONDS)
    return running


def _start_users(engine: DockerClient, driver: str) -> None:
    """Starts our containers on the plugin's volumes that do not run, also those of an interrupted upgrade."""
    for container in _users(engine, driver):
        if STACK_LABEL in container["Labels"] and container["State"] == "exited":
            engine.api.start(container["Id"])
