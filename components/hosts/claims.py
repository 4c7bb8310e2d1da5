"""What a stack needs of an engine that others use too: names, volumes, ports and a plugin that nobody else has."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypedDict

import pulumi

from components.hosts.holders import Server, Wanted, any_recorded, moved, ports_of
from components.state import CONTAINER, PLUGIN, VOLUME, recorded_of
from provider import neighbours
from provider.connection import Engine, EngineConnection, EngineError, connect
from provider.owner import CHECKOUT_LABEL, IMAGE_LABEL, is_of, name_of, owner_of


class Plugin(TypedDict):
    """A volume plugin as it is going to be."""

    driver: str
    """Its name on the engine."""
    root: str
    """Its folder on the host."""


class Claims(Wanted):
    """What a stack is going to have on an engine."""

    labels: Mapping[str, pulumi.Input[str]]
    """Labels of all that is the stack's: what has others is somebody else's."""
    containers: list[str]
    """Names of its containers."""
    volumes: list[str]
    """Names of its volumes."""
    plugin: Plugin
    """The driver of its volumes."""


def checked(engine: pulumi.Output[Engine], claims: Claims) -> Mapping[str, pulumi.Input[str]]:
    """Returns the labels of `claims`, for a remote engine, once nothing is known that keeps a change from it.

    Most updates need no login for it: the state tells whether the plugin gets another name, a container another port,
    or one of them what another holds. Only then the engine is asked who is in the way.
    """
    if pulumi.runtime.is_dry_run():
        return claims["labels"]
    renamed = _recorded(PLUGIN, "driver") - {claims["plugin"]["driver"]}
    if not renamed and not moved(claims) and not any_recorded(claims):
        return claims["labels"]

    async def look(labels: list[dict[str, str]]) -> dict[str, str]:
        # awaited, and no dependency: a plan saved by a preview, which looks for nothing, would be violated by it
        if known := await engine.future():
            await asyncio.to_thread(_check_on, known, claims, labels[0])
        return dict(labels[0])

    done: pulumi.Output[dict[str, str]] = pulumi.Output.all(claims["labels"]).apply(look)
    return {label: done[label] for label in claims["labels"]}


def _check_on(engine: Engine, claims: Claims, labels: Mapping[str, str]) -> None:
    try:
        with connect(engine) as connection:
            volumes = connection.get("/volumes")["Volumes"] or []
            if reason := _plugin_taken(connection, claims["plugin"], volumes, labels):
                raise pulumi.RunError(reason)
            listed = connection.get("/containers/json", all=1)
            others = [container for container in listed if not is_of(container["Labels"], labels)]
            # a container that gets another port is removed before it is made again, and one that holds what another
            # gets is stopped before
            held = any_recorded(claims)
            taken = [*_taken_ports(claims["servers"] if held else moved(claims), others, labels)]
            if lines := _said([*(_taken_names(claims, others, labels) if held else ()), *taken]):
                raise pulumi.RunError("\n".join(lines))
    except EngineError as error:
        raise pulumi.RunError(str(error)) from None


def check(connection: EngineConnection, claims: Claims, labels: Mapping[str, str], volumes: list[Any]) -> None:
    """Checks that all of `claims` can be had of an engine that has `volumes`.

    Raises:
        pulumi.RunError: a line for each owner of what is taken, and for each port that something else listens on.
        EngineError: if the engine does not say what it has.
    """
    listed = connection.get("/containers/json", all=1)
    others = [container for container in listed if not is_of(container["Labels"], labels)]
    theirs = [volume for volume in volumes if not is_of(volume["Labels"], labels)]
    ours = [container for container in listed if is_of(container["Labels"], labels)]
    names, ports = _taken_names(claims, others, labels), _taken_ports(claims["servers"], others, labels)
    lines = _said([*names, *ports, *_taken_volumes(claims, theirs, ours, labels)])
    lines += _busy(claims["servers"], listed)
    lines += _unknown(claims, ours)
    if reason := _plugin_taken(connection, claims["plugin"], volumes, labels):
        lines.append(reason)
    if reason := neighbours.in_use(others, _recorded(VOLUME, "name") - {*claims["volumes"]}):
        lines.append(reason)
    if lines:
        raise pulumi.RunError("\n".join(lines))


def _said(taken: Iterable[tuple[str, str]]) -> list[str]:
    """Returns a line for each owner of what is taken."""
    by_owner: dict[str, dict[str, None]] = {}
    for owner, thing in taken:
        by_owner.setdefault(owner, {})[thing] = None
    return [
        f"{', '.join(things)}: taken on this engine by {owner}, or give this stack names and ports of its own "
        "(datadocker:prefix, databases[].port)"
        for owner, things in by_owner.items()
    ]


def _taken_names(claims: Claims, containers: list[Any], ours: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields who has the name of a container, and what makes them let go; and which."""
    for container in containers:
        if (name := name_of(container)) in claims["containers"]:
            yield _owner(container, ours), f"container {name}"


def _taken_ports(
    servers: Iterable[Server], containers: list[Any], ours: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yields who has the port of one of `servers`, as `_taken_names` does."""
    wanted = {server["port"] for server in servers}
    for container in containers:
        for port in sorted(wanted & ports_of(container)):
            yield _owner(container, ours), f"port {port}"


def _owner(container: Any, ours: Mapping[str, str]) -> str:
    name = name_of(container)
    return _stack(container["Labels"], ours) or f"container {name}, made by hand: remove it first (docker rm -f {name})"


def _taken_volumes(
    claims: Claims, volumes: list[Any], containers: list[Any], ours: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yields those of `volumes` that the stack can't have, as `_taken_names` does; `containers` are the stack's."""
    for volume in volumes:
        name, driver = volume["Name"], claims["plugin"]["driver"]
        if name not in claims["volumes"]:
            continue
        owner = _stack(volume["Labels"], ours)
        if not owner:
            if _is_found_again(volume, driver, containers):
                continue
            data = (
                "its share keeps the data" if neighbours.is_driver(driver, volume["Driver"]) else "its data goes, too"
            )
            owner = f"a volume made by hand: remove it first (docker volume rm {name}; {data})"
        yield owner, f"volume {name}"


def _unknown(claims: Claims, ours: Iterable[Any]) -> Iterator[str]:
    """What is to be said of containers of the stack that its state does not know."""
    known = _recorded(CONTAINER, "id")
    for container in ours:
        if container["Id"] not in known and (name := name_of(container)) in claims["containers"]:
            yield (
                f"container {name} is this stack's, and its state does not know it (an older one, or pulumi state "
                f"delete took it out): docker rm -f {name} (shares keep their data), then say it again"
            )


def _is_found_again(volume: Any, driver: str, containers: list[Any]) -> bool:
    """Whether it is the stack's, though without labels: an engine whose plugin was away knows it by name alone."""
    drivers = _recorded(PLUGIN, "driver") | {driver}
    if volume["Labels"] or volume["Options"] or not any(neighbours.is_driver(d, volume["Driver"]) for d in drivers):
        return False
    mounted = {mount.get("Name") for container in containers for mount in container["Mounts"]}
    return volume["Name"] in mounted | _recorded(VOLUME, "name")


def _stack(labels: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """The stack that made what has `labels` and what makes it let go; nothing if none made it."""
    owner = owner_of(labels)
    if not owner:
        return ""
    if owner == owner_of(ours):
        return (
            "an earlier life of this stack, whose state is gone: unless it is in another backend than ./pulumiw whoami "
            f"-v tells, {_removal(labels)}"
        )
    if _is_folder_gone(labels[CHECKOUT_LABEL]):
        return f"{owner}, a folder that is gone: unless it was moved, {_removal(labels)}"
    return f"{owner}: destroy that stack first"


def _removal(labels: Mapping[str, str]) -> str:
    """How to remove what a stack without a state left."""
    checkout = labels[CHECKOUT_LABEL]
    filtered = f"--filter 'label={CHECKOUT_LABEL}={checkout}'"
    return (
        f"remove what it left (docker rm -f $(docker ps -aq {filtered}); docker volume rm $(docker volume ls -q "
        f"{filtered}); docker image prune -af --filter 'label={IMAGE_LABEL}={checkout}'); its shares keep their data"
    )


def _is_folder_gone(checkout: str) -> bool:
    """Whether a checkout was on this machine, and is not there any more."""
    host, _, folder = checkout.rsplit("#", 1)[0].partition(":")
    try:
        os.stat(folder)
    except FileNotFoundError:
        return host == socket.gethostname()
    except OSError:
        return False
    return False


def _busy(servers: Iterable[Server], containers: list[Any]) -> Iterator[str]:
    published = {port for container in containers for port in ports_of(container)}
    for server in servers:
        port = server["port"]
        if port not in published and not _free(port):
            yield (
                f"port {port} for {server['container']} is in use on 127.0.0.1: stop what listens there "
                f"(ss -ltnp 'sport = :{port}' names it), or set another port"
            )


def _plugin_taken(connection: EngineConnection, plugin: Plugin, volumes: list[Any], ours: Mapping[str, str]) -> str:
    """Why the plugin can't be had, or nothing: one that the stack has by another name now goes before it comes."""
    theirs = [volume for volume in volumes if not is_of(volume["Labels"], ours)]
    listed = connection.get("/plugins")
    if not neighbours.in_the_way(plugin["driver"], plugin["root"], listed, theirs):
        return ""
    mine, before = _recorded(VOLUME, "name"), _recorded(PLUGIN, "driver") - {plugin["driver"]}
    theirs = [v for v in theirs if v["Name"] not in mine]
    for driver in before:
        if used := [v["Name"] for v in theirs if neighbours.is_driver(driver, v["Driver"])]:
            return (
                f"plugin {driver} stays, since others have volumes of it ({', '.join(sorted(used))}), and two can't "
                f"share the folder {plugin['root']}: set datadocker:plugin.name back"
            )
    standing = [p for p in listed if neighbours.name_of(p) not in before]
    return neighbours.in_the_way(plugin["driver"], plugin["root"], standing, theirs)


def _recorded(typ: str, key: str) -> set[str]:
    """What the state has as `key` of the stack's resources of a type."""
    return {str(known.get(key)) for known in recorded_of(typ)}


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # others, such as a port that is for root alone, don't keep the engine from it
            return error.errno != errno.EADDRINUSE
        return True
