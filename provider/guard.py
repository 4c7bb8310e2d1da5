"""Checks, before anything of a stack is deleted, that nobody else uses its volumes or the data that goes with it."""

from __future__ import annotations

from collections.abc import Iterable

from provider import neighbours
from provider.connection import EngineConnection, NotThereError, connect
from provider.owner import is_of
from provider.resource import EngineResource, Failure, Props


class VolumeGuard(EngineResource):
    """Props: `engine`, `volumes` (names on the engine), `labels` (of the stack's containers), `made` (always true).

    The engine refuses to remove a volume that a container has, and the Docker provider asks it for half a minute.
    """

    # in the program it is an output of every volume: Pulumi does not know it where one is going to be replaced, and so
    # deletes the guard first, before the containers that have the volume
    replaced_by = ("made",)
    updated_by = ("engine", "volumes", "labels")

    def create(self, props: Props) -> str:
        return "volumes"

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def update(self, identity: str, props: Props, before: Props) -> None:
        # Pulumi deletes what the stack no longer has after all updates
        _refuse_if_used(props, set(before["volumes"]) - set(props["volumes"]))

    def delete(self, identity: str, props: Props) -> None:
        _refuse_if_used(props, props["volumes"])


class ShareGuard(EngineResource):
    """Props: as a `VolumeGuard`'s, but `made`; `driver` (the plugin), `shares` (local ones), `retain` (keep them).

    The plugin refuses to delete a share that a volume maps, when all but the share is gone. Another resource than the
    volumes' guard, which is deleted with a volume that is replaced: no share is.
    """

    updated_by = ("engine", "driver", "volumes", "labels", "shares", "retain")

    def create(self, props: Props) -> str:
        return "shares"

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def update(self, identity: str, props: Props, before: Props) -> None:
        if not props["retain"] and not before["retain"]:
            own = {*before["volumes"], *props["volumes"]}
            _refuse_if_mapped(props, set(before["shares"]) - set(props["shares"]), own)

    def delete(self, identity: str, props: Props) -> None:
        # the other guard is gone by then, also where it was this one that refused the last time
        _refuse_if_used(props, props["volumes"])
        if not props["retain"]:
            _refuse_if_mapped(props, props["shares"], props["volumes"])


def _refuse_if_used(props: Props, volumes: Iterable[str]) -> None:
    names = sorted(volumes)
    if not names:
        return
    with connect(props["engine"]) as engine:
        listed = engine.get("/containers/json", all=1, filters={"volume": names})
    if reason := neighbours.in_use([c for c in listed if not is_of(c["Labels"], props["labels"])], names):
        raise Failure(reason)


def _refuse_if_mapped(props: Props, shares: Iterable[str], own: Iterable[str]) -> None:
    names = sorted(shares)
    if not names:
        return
    with connect(props["engine"]) as engine:
        maps = _mapping(engine, props["driver"], own)
    if reason := neighbours.mapped(maps, names):
        raise Failure(reason)


def _mapping(engine: EngineConnection, driver: str, own: Iterable[str]) -> dict[str, str]:
    """Volume → local share of all volumes of the plugin but the stack's own."""
    found = {}
    for volume in engine.get("/volumes")["Volumes"] or []:
        if neighbours.is_driver(driver, volume["Driver"]) and volume["Name"] not in own:
            try:
                known = engine.get(f"/volumes/{volume['Name']}")
            except NotThereError:
                continue
            # what the plugin says of it
            status = known.get("Status") or {}
            if status.get("protocol") == "local":
                found[volume["Name"]] = str(status["share"])
    return found
