"""A stack's containers that hold what another of its containers gets: they have to let go of it first."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypedDict

import pulumi

from components.folders import Folder, overlap
from components.state import CONTAINER, VOLUME, recorded_of
from provider import neighbours
from provider.connection import STOP_SECONDS, Engine, EngineConnection, EngineError, NotThereError, connect
from provider.owner import is_of, name_of

RUNNING = ("paused", "restarting", "running")
# a port of one of these is not to be had on 127.0.0.1; a container of the state has none
LOCAL = ("", "0.0.0.0", "127.0.0.1")  # noqa: S104 - looked for, not listened on


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


class LettingGo:
    """What comes before a container of the stack is made or started: those that hold what it gets are stopped.

    Pulumi makes what is new before it deletes what is old. So a database that was renamed, or gave its volume, files
    or port to another, ends first: the fence and the port let go, and the new one can start. It ends as late as that,
    since whatever else can fail comes before. A container one of whose volumes is gone is refused.
    """

    def __init__(self, engine: pulumi.Output[Engine], wanted: Wanted, labels: Mapping[str, pulumi.Input[str]]) -> None:
        self._wanted = wanted
        self._known = pulumi.Output.all(engine, labels)
        # in the program's own threads the registrations wait that come after what waits for this
        self._threads = ThreadPoolExecutor()
        self.hook = pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("letting-go", self._before)])
        """What calls it before a container is made."""

    @classmethod
    def if_needed(
        cls,
        engine: pulumi.Output[Engine],
        wanted: Wanted,
        labels: Mapping[str, pulumi.Input[str]],
        volumes: Callable[[], list[Any]] | None = None,
    ) -> LettingGo | None:
        """Returns one if the state tells that there is anything to do: most updates ask nobody.

        `volumes`: what the engine has, where it is quick to ask.
        """
        if pulumi.runtime.is_dry_run():
            return None
        known = {str(has.get("name")) for has in recorded_of(VOLUME)}
        lost = known and (volumes is None or gone(known, volumes()))
        return cls(engine, wanted, labels) if lost or any_recorded(wanted) else None

    def stop(self, connection: EngineConnection, labels: Mapping[str, str], container: str) -> None:
        """Stops what holds what `container` gets; the stack's containers have `labels`.

        Raises:
            EngineError: if the engine does not stop one.
        """
        volumes = connection.get("/volumes")["Volumes"] or []
        stop_holders(connection, _of(self._wanted, container), labels, volumes)

    async def _before(self, made: pulumi.ResourceHookArgs) -> None:
        engine, labels = await self._known.future() or []
        inputs = made.new_inputs or {}
        wanted = (engine, labels, str(inputs["name"]), inputs.get("volumes") or [])
        run = contextvars.copy_context().run
        await asyncio.get_running_loop().run_in_executor(self._threads, run, self._make_way, *wanted)

    def _make_way(self, engine: Engine, labels: Mapping[str, str], name: str, mounted: list[Any]) -> None:
        try:
            with connect(engine) as connection:
                volumes = connection.get("/volumes")["Volumes"] or []
                names = {str(mount["volumeName"]) for mount in mounted if "volumeName" in mount}
                if reason := gone(names, volumes):
                    raise pulumi.RunError(_disabled(names, connection.get("/plugins")) or reason)
                stop_holders(connection, _of(self._wanted, name), labels, volumes)
        except EngineError as error:
            raise pulumi.RunError(f"container {name} can't be made: {error}") from None


def gone(names: set[str], volumes: list[Any]) -> str:
    """Why containers can't have volumes of these names: an engine makes what it has not, empty and without a share.

    `volumes`: what the engine has.
    """
    missing = sorted(names - {str(volume["Name"]) for volume in volumes})
    if not missing:
        return ""
    return (
        f"volume {', '.join(missing)}: gone from the engine, or its plugin is (docker volume prune takes the one, "
        "docker plugin rm the other); the share keeps the data: ./pulumiw up --refresh --stack "
        f"{pulumi.get_stack()} makes it again"
    )


def _disabled(names: set[str], plugins: list[Any]) -> str:
    """What to do if volumes of these names are of a plugin that is disabled: a refresh fails then.

    `plugins`: what the engine has.
    """
    known = [has for has in recorded_of(VOLUME) if has.get("name") in names]
    for name in [neighbours.name_of(plugin) for plugin in plugins if not plugin["Enabled"]]:
        if of := sorted(has["name"] for has in known if neighbours.is_driver(name, has.get("driver"))):
            return (
                f"volume {', '.join(of)}: its plugin {name} is disabled: docker plugin enable --timeout 120 {name}, "
                "then say it again"
            )
    return ""


def _of(wanted: Wanted, container: str) -> Wanted:
    """What one container gets of it."""
    servers = [server for server in wanted["servers"] if server["container"] == container]
    return Wanted(servers=servers, files=[] if servers else wanted["files"])


def stop_holders(connection: EngineConnection, wanted: Wanted, labels: Mapping[str, str], volumes: list[Any]) -> None:
    """Stops those of the stack's containers, which have `labels`, that hold what another gets on an engine's `volumes`.

    Raises:
        EngineError: if the engine does not stop one.
    """
    listed = connection.get("/containers/json", all=1)
    ours = [c for c in listed if is_of(c["Labels"], labels) and c["State"] in RUNNING]
    for container in _holders(wanted, ours, _options(volumes)):
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
    return [_as_listed(known) for known in recorded_of(CONTAINER)]


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
    known = {str(has.get("name")): has.get("driverOpts") or {} for has in recorded_of(VOLUME)}
    return known | {volume["Name"]: volume["Options"] for volume in volumes if volume.get("Options")}


def _holders(wanted: Wanted, containers: list[Any], options: Mapping[str, Mapping[str, str]]) -> Iterator[Any]:
    """Yields those of `containers` whose volume, files or port another gets."""
    # one that somebody renamed by hand is to Pulumi what it was
    names = {known.get("id"): known.get("name") for known in recorded_of(CONTAINER)}
    for container in containers:
        name, ports = names.get(container["Id"]) or name_of(container), ports_of(container)
        volumes = {mount.get("Name") for mount in container.get("Mounts", [])}
        known = [options[volume] for volume in volumes if volume in options]
        held = [Folder.of(had) for had in known]
        alone = [Folder.of(had) for had in known if had.get("exclusive") == "true"]
        others = [server for server in wanted["servers"] if server["container"] != name]
        if (
            any(server["volume"] in volumes or server["port"] in ports for server in others)
            or any(overlap(server["folder"], folder) for server in others for folder in held)
            or any(overlap(shared, folder) for shared in wanted["files"] for folder in alone)
        ):
            yield container
