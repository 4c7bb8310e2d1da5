"""Waiting until a container is healthy, by the engine's events instead of by asking again and again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pulumi

from components.hosts import DockerHost
from provider.connection import Engine, EngineConnection, EngineError, NotThereError, SilenceError, connect

HEALTHY = "healthy"
# a start mounts, for which the engine waits two minutes; who looks at the container meanwhile waits, too
START_SECONDS = 150
# lines of a log
SHOWN = 3
# what the health check says of a server that waiting does not mend
LASTING = ("offline: ", "Access denied", "password has expired")


# makes way for a container that is started, on a connection to its engine
MakeWay = Callable[[EngineConnection], None]


def ready(
    host: DockerHost,
    container: pulumi.Output[str],
    name: str,
    labels: Mapping[str, pulumi.Input[str]],
    seconds: int,
) -> pulumi.Output[bool]:
    """Returns true once `container` (an id) is healthy; each `up` asks, also where nothing changed.

    One that stopped is started. Before that, the stack's containers (those with `labels`) that hold what it gets are
    stopped: an earlier update may have ended between the two.

    The update fails if the container stops, is paused, says what waiting does not mend, or is not healthy within
    `seconds`.
    """

    async def wait(known: list[Any]) -> bool:
        def make_way(connection: EngineConnection) -> None:
            if host.letting_go:
                host.letting_go.stop(connection, known[2], name)

        if not pulumi.runtime.is_dry_run():
            await asyncio.to_thread(_wait, known[0], str(known[1]), name, seconds, make_way)
        return True

    return pulumi.Output.all(host.engine, container, labels).apply(wait)


def _wait(engine: Engine, container: str, name: str, seconds: int, make_way: MakeWay) -> None:
    try:
        with connect(engine) as connection:
            _until_healthy(connection, container, name, seconds, make_way)
    except NotThereError:
        raise pulumi.RunError(
            f"the container of database {name} was removed behind Pulumi's back: ./pulumiw up --refresh --stack "
            f"{pulumi.get_stack()} makes it again"
        ) from None
    except EngineError as error:
        raise pulumi.RunError(f"database {name} does not accept logins: {error}") from None


def _until_healthy(connection: EngineConnection, container: str, name: str, seconds: int, make_way: MakeWay) -> None:
    end, why, state = time.monotonic() + seconds, None, {}
    try:
        # listening begins before the look, so that nothing that happens between is missed; a health check is an exec
        watched = {"container": [container], "event": ["health_status", "die", "exec_die"]}
        with connection.lines("/events", timeout=seconds, filters=watched) as events:
            state = _state(connection, container)
            if state["Running"] and state.get("Health", {}).get("Status") == "healthy" and not state.get("Paused"):
                return
            if not state["Running"] and not state["Restarting"]:
                # stopped by hand, or by a run that was killed: unchanged for Pulumi, but no database
                make_way(connection)
                connection.post(f"/containers/{container}/start", timeout=START_SECONDS)
            else:
                why = _hopeless(state, name)
            while not why and time.monotonic() < end:
                event = next(events, None)
                if event is None:
                    why = "out of reach: the engine ended the connection"
                else:
                    state = _state(connection, container)
                    why = _verdict(event) or _hopeless(state, name)
    except SilenceError:
        # of a call, that is; the events may be silent as long as the database has
        if time.monotonic() < end:
            raise
    if why != HEALTHY:
        said = connection.log(container, tail=40).splitlines()
        wrong = [line for line in said if "ERROR" in line or "datadocker-mysql:" in line] or said
        # what went wrong first led to the rest
        told = " | ".join(wrong if len(wrong) <= SHOWN else [wrong[0], *wrong[1 - SHOWN :]])
        last = _check(state)
        why = why or f"not healthy after {seconds} s" + (f", its health check says: {last}" if last else "")
        raise EngineError(f"its container is {why}; its log says: {told} (docker logs {name} shows all of it)")


def _state(connection: EngineConnection, container: str) -> dict[str, Any]:
    state: dict[str, Any] = connection.get(f"/containers/{container}/json", timeout=START_SECONDS)["State"]
    return state


def _verdict(event: dict[str, Any]) -> str | None:
    if event["Action"] == "die":
        return f"stopped, exit code {event['Actor']['Attributes'].get('exitCode', '?')}"
    return HEALTHY if event["Action"] == "health_status: healthy" else None


def _hopeless(state: dict[str, Any], name: str) -> str | None:
    """Why a container that runs is not going to accept logins by itself."""
    if state.get("Paused"):
        return f"paused: say docker unpause {name}"
    said = _check(state)
    return f"running, and says: {said}" if any(reason in said for reason in LASTING) else None


def _check(state: dict[str, Any]) -> str:
    """What the health check said last, in one line."""
    checks = (state.get("Health") or {}).get("Log") or []
    # those of an earlier start tell nothing of this one
    if not checks or datetime.fromisoformat(checks[-1]["Start"]) < datetime.fromisoformat(state["StartedAt"]):
        return ""
    return " ".join(str(checks[-1]["Output"]).split())
