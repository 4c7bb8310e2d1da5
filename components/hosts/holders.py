"""A stack's containers that hold what another of its containers gets: they have to let go of it first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

import pulumi

from components.folders import overlap
from components.hosts.engine import Engine
from components.state import recorded
from provider.connection import STOP_SECONDS, EngineConnection, EngineError, NotThereError, connect
from provider.owner import is_of, name_of

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
RUNNING = ("paused", "restarting", "running")
# a port of one of these is not to be had on 127.0.0.1; a container of the state has none
LOCAL = ("", "0.0.0.0", "127.0.0.1")  # noqa: S104 - looked for, not listened on


class Folder(TypedDict):
    """A folder of a share."""

    share: str
    """Name of the share."""
    path: str
    """Empty for all of the share."""


class Server(TypedDict):
    """A database server as it is going to be."""

    container: str
    """Name of its container."""
    volume: str
    """Name of its volume on the engine."""
    folder: Folder
    """What the volume maps, for this server alone."""
    port: int
    """Port on 127.0.0.1."""


class Wanted(TypedDict):
    """What a stack's containers are going to have."""

    servers: list[Server]
    """Its databases."""
    files: list[Folder]
    """What its other containers have, which may share it."""


def any_recorded(wanted: Wanted) -> bool:
    """Whether a container that the state has holds what another gets."""
    return any(_holders(wanted, _recorded_containers(), _options([])))


def moved(wanted: Wanted) -> list[Server]:
    """Those databases that the state has and that get another port."""
    known = {c["Names"][0]: ports_of(c) for c in _recorded_containers()}
    return [s for s in wanted["servers"] if s["port"] not in known.get(s["container"], {s["port"]})]


def letting_go(
    engine: pulumi.Output[Engine], wanted: Wanted, labels: Mapping[str, pulumi.Input[str]]
) -> pulumi.ResourceHookBinding | None:
    """What a container of the stack waits for before it is made: those that hold what it gets are stopped.

    Pulumi makes what is new before it deletes what is old. So a database that was renamed, or gave its volume, files
    or port to another, ends first: the fence and the port let go, and the new one can start. It ends as late as that,
    since whatever else can fail comes before. The state tells whether there is one: most updates ask nobody.
    """
    if pulumi.runtime.is_dry_run() or not any_recorded(wanted):
        return None
    known = pulumi.Output.all(engine, labels)

    async def stop(made: pulumi.ResourceHookArgs) -> None:
        at, ours = await known.future() or []
        name = str((made.new_inputs or {})["name"])
        try:
            await asyncio.to_thread(_stop_on, at, ours, _of(wanted, name))
        except EngineError as error:
            raise pulumi.RunError(f"what {name} gets is held by another container: {error}") from None

    return pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("letting-go", stop)])


def _of(wanted: Wanted, container: str) -> Wanted:
    """What one container gets of it."""
    servers = [server for server in wanted["servers"] if server["container"] == container]
    return Wanted(servers=servers, files=[] if servers else wanted["files"])


def _stop_on(engine: Engine, labels: Mapping[str, str], wanted: Wanted) -> None:
    with connect(engine["url"], engine["ssh_opts"]) as connection:
        listed = connection.get("/containers/json", all=1)
        ours = [c for c in listed if is_of(c["Labels"], labels) and c["State"] in RUNNING]
        stop_holders(connection, wanted, ours, connection.get("/volumes")["Volumes"] or [])


def stop_holders(connection: EngineConnection, wanted: Wanted, containers: list[Any], volumes: list[Any]) -> None:
    """Stops those of the stack's `containers` that hold what another gets; both lists are as the engine has them.

    Raises:
        EngineError: if the engine does not stop one.
    """
    for container in _holders(wanted, containers, _options(volumes)):
        pulumi.log.info(f"stopping {name_of(container)}: what it holds goes to another container")
        # Pulumi may be removing it meanwhile
        with contextlib.suppress(NotThereError):
            connection.post(f"/containers/{container['Id']}/stop?t={STOP_SECONDS}", timeout=STOP_SECONDS + 30)


def ports_of(container: Any) -> set[int]:
    """Ports on 127.0.0.1 of the host, for TCP, that a container which an engine lists has."""
    return {
        port["PublicPort"]
        for port in container["Ports"]
        if port.get("PublicPort") and port.get("IP", "") in LOCAL and port.get("Type", "tcp") == "tcp"
    }


def _recorded_containers() -> list[Any]:
    return [_as_listed(known) for (typ, _), known in recorded().items() if typ == CONTAINER]


def _as_listed(known: Mapping[str, Any]) -> dict[str, Any]:
    """A container of the state in the form of an engine's list."""
    return {
        "Id": known.get("id"),
        "Names": [known.get("name", "")],
        "Mounts": [{"Name": volume.get("volumeName")} for volume in known.get("volumes") or []],
        "Ports": [{"PublicPort": port.get("external")} for port in known.get("ports") or []],
    }


def _options(volumes: list[Any]) -> dict[str, Mapping[str, str]]:
    """Volume → its driver's options; the state has them of those that an engine whose plugin was away knows by name."""
    known = {str(has.get("name")): has.get("driverOpts") or {} for (typ, _), has in recorded().items() if typ == VOLUME}
    return known | {volume["Name"]: volume["Options"] for volume in volumes if volume.get("Options")}


def _holders(wanted: Wanted, containers: list[Any], options: Mapping[str, Mapping[str, str]]) -> Iterator[Any]:
    """Yields those of `containers` whose volume, files or port another gets."""
    # one that somebody renamed by hand is to Pulumi what it was
    names = {known.get("id"): known.get("name") for (typ, _), known in recorded().items() if typ == CONTAINER}
    for container in containers:
        name, ports = names.get(container["Id"]) or name_of(container), ports_of(container)
        volumes = {mount.get("Name") for mount in container.get("Mounts", [])}
        held = [options[volume] for volume in volumes if volume in options]
        alone = [had for had in held if had.get("exclusive") == "true"]
        others = [server for server in wanted["servers"] if server["container"] != name]
        if (
            any(server["volume"] in volumes or server["port"] in ports for server in others)
            or any(_is_held(server["folder"], held) for server in others)
            or any(_is_held(folder, alone) for folder in wanted["files"])
        ):
            yield container


def _is_held(folder: Folder, held: Iterable[Mapping[str, str]]) -> bool:
    """Whether a volume with one of the options `held` has files of `folder`."""
    for options in held:
        path, protocol = options.get("folder", ""), options.get("protocol", "")
        if options.get("share") == folder["share"] and overlap(folder["path"], path, protocol):
            return True
    return False
