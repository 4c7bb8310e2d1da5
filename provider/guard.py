"""The check, before anything of a stack is deleted, that nobody else uses its volumes or the data that goes with it."""

from __future__ import annotations

from collections.abc import Iterable

from provider import neighbours
from provider.connection import EngineConnection, NotThereError, connect
from provider.owner import is_of
from provider.resource import EngineResource, Failure, Props


class VolumeGuard(EngineResource):
    """Props: `engine`, `volumes` (names on the engine), `labels` (of the stack's containers), `made` (always true).

    Besides `driver` (the plugin's name), `shares` (on the host), and `retain` (they are kept when the stack goes).

    The engine refuses to remove a volume that a container has, and the Docker provider asks it for half a minute. The
    plugin refuses to delete a share that a volume maps, when all but the share is gone.
    """

    # in the program it is an output of every volume: Pulumi does not know it where one is going to be replaced, and so
    # deletes the guard first, before the containers that have the volume
    replaced_by = ("made",)
    updated_by = ("engine", "volumes", "labels", "driver", "shares", "retain")

    def create(self, props: Props) -> str:
        return "volumes"

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def update(self, identity: str, props: Props, before: Props) -> None:
        # Pulumi deletes what the stack no longer has after all updates
        goes = set() if props["retain"] else _deleted(before) - set(props["shares"])
        _refuse_if_used(props, set(before["volumes"]) - set(props["volumes"]), goes, before["volumes"])

    def delete(self, identity: str, props: Props) -> None:
        _refuse_if_used(props, props["volumes"], _deleted(props), props["volumes"])


def _deleted(props: Props) -> set[str]:
    """The shares that go with the stack; what an older one recorded names none."""
    return set() if props.get("retain", True) else set(props["shares"])


def _refuse_if_used(props: Props, volumes: Iterable[str], shares: Iterable[str], own: Iterable[str]) -> None:
    """`own`: the stack's volumes before, which map its shares."""
    names, data = sorted(volumes), sorted(shares)
    if not names and not data:
        return
    with connect(props["engine"]) as engine:
        listed = engine.get("/containers/json", all=1, filters={"volume": names}) if names else []
        maps = _mapping(engine, props["driver"], {*own, *props["volumes"]}) if data else {}
    if reason := neighbours.in_use([c for c in listed if not is_of(c["Labels"], props["labels"])], names):
        raise Failure(reason)
    if reason := neighbours.mapped(maps, data):
        raise Failure(reason)


def _mapping(engine: EngineConnection, driver: str, own: Iterable[str]) -> dict[str, str]:
    """Volume → share of all volumes of the plugin but the stack's own."""
    found = {}
    for volume in engine.get("/volumes")["Volumes"] or []:
        if neighbours.is_driver(driver, volume["Driver"]) and volume["Name"] not in own:
            try:
                known = engine.get(f"/volumes/{volume['Name']}")
            except NotThereError:
                continue
            # what the plugin says of it
            found[volume["Name"]] = str((known.get("Status") or {}).get("share"))
    return found
