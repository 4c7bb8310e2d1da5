"""Containers that stand still while the plugin of their volumes is exchanged.

Each is noted on the engine first, by an empty volume with labels: after a run that was killed or failed in between,
the next one starts them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from provider.connection import STOP_SECONDS
from provider.neighbours import is_driver
from provider.owner import name_of, owner_of
from provider.resource import Failure

if TYPE_CHECKING:
    from docker import DockerClient

PLUGIN_LABEL = "io.datadocker.paused-for"
NAME_LABEL = "io.datadocker.paused"


def stop_users(engine: DockerClient, driver: str) -> None:
    """Stops our containers on the plugin's volumes.

    Raises:
        Failure: if a container that is not ours uses one; nothing is stopped then.
    """
    running = {
        name_of(c): c
        for c in engine.api.containers()
        if any(is_driver(driver, mount.get("Driver")) for mount in c["Mounts"])
    }
    others = [name for name, c in running.items() if not owner_of(c["Labels"])]
    if others:
        raise Failure(
            f"plugin {driver} has to be upgraded, but containers that no stack owns use its volumes: "
            f"stop {', '.join(sorted(others))} first"
        )
    for name in running:
        engine.api.create_volume(f"{driver}-paused-{name}", labels={PLUGIN_LABEL: driver, NAME_LABEL: name})
    for container in running.values():
        engine.api.stop(container["Id"], timeout=STOP_SECONDS)


def stopped(engine: DockerClient, driver: str) -> list[str]:
    """Returns the names of the containers that were stopped and not started again."""
    return sorted(_notes(engine, driver).values())


def resume(engine: DockerClient, driver: str) -> None:
    """Starts them, where they are still there.

    Raises:
        Failure: if some do not start, once all were tried; those stay noted.
    """
    from docker.errors import DockerException

    failed: list[str] = []
    for note, name in _notes(engine, driver).items():
        if engine.api.containers(all=True, filters={"name": f"^/{name}$"}):
            try:
                engine.api.start(name)
            except DockerException as error:
                said = getattr(error, "explanation", None) or str(error)
                failed.append(f"container {name}, stopped for the plugin's upgrade, does not start: {said}")
                continue
        engine.api.remove_volume(note)
    if failed:
        raise Failure("; ".join(failed))


def forget(engine: DockerClient, driver: str) -> None:
    """Removes the notes."""
    for note in _notes(engine, driver):
        engine.api.remove_volume(note)


def _notes(engine: DockerClient, driver: str) -> dict[str, str]:
    """Volume that is the note → name of the container."""
    listed = engine.api.volumes(filters={"label": f"{PLUGIN_LABEL}={driver}"})["Volumes"] or []
    return {v["Name"]: v["Labels"][NAME_LABEL] for v in listed}
