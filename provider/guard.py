"""The check, before anything of a stack is deleted, that nobody else uses its volumes."""

from __future__ import annotations

from collections.abc import Iterable

from provider import neighbours
from provider.connection import connect
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


def _refuse_if_used(props: Props, volumes: Iterable[str]) -> None:
    names = sorted(volumes)
    if not names:
        return
    with connect(props["engine"]) as engine:
        listed = engine.get("/containers/json", all=1, filters={"volume": names})
    if reason := neighbours.in_use([c for c in listed if not is_of(c["Labels"], props["labels"])], names):
        raise Failure(reason)
