"""The managed plugin that an engine has, beside what a stack wants of it: its build and its settings."""

from __future__ import annotations

import json
import os
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from provider.neighbours import OURS, Listed, is_driver, source_of
from provider.owner import owner_of
from provider.resource import Props

if TYPE_CHECKING:
    from docker import DockerClient

# a plugin's setting → the property that decides it
DECIDED_BY = {"root.source": "root", "engine.source": "socket", "ENGINE": "socket", "DEFAULTS": "defaults"}


def find(engine: DockerClient, driver: str) -> Listed | None:
    """The plugin of that name, as the engine inspects it."""
    from docker.errors import NotFound

    try:
        found: Listed = engine.api.inspect_plugin(driver)  # type: ignore[no-untyped-call]
    except NotFound:
        return None
    return found


def volumes(engine: DockerClient, driver: str) -> list[Listed]:
    """The volumes of the plugin, as the engine lists them."""
    listed = engine.api.volumes()["Volumes"] or []
    return [v for v in listed if is_driver(driver, v["Driver"])]


def wanted_settings(engine: DockerClient, found: Listed | None, props: Props) -> dict[str, str]:
    """What it is to have set: what the stack decides, and beside that what a hand set on the one that is `found`.

    The defaults are the first stack's. They are for volumes that are made by hand; two stacks that set them in turn
    would stop each other's databases for it.
    """
    socket = PurePosixPath(props["socket"])
    wanted = {
        "root.source": props["root"],
        # the folder: an engine that starts again makes its socket anew
        "engine.source": str(socket.parent),
        "ENGINE": f"/run/engine/{socket.name}",
        "DEFAULTS": props["defaults"],
    }
    if found is None:
        return wanted
    has = _environment(found)
    if "DEFAULTS" in has and _is_shared(engine, props):
        wanted["DEFAULTS"] = has["DEFAULTS"]
    initial = {e["Name"]: e["Value"] for e in found["Config"]["Env"] or []}
    known = {e["name"] for e in _config(props)["env"]}
    return {k: v for k, v in has.items() if k in known and v != initial.get(k)} | wanted


def names_of(props: Props) -> list[str]:
    """The volumes that the stack is going to have."""
    # a stack of an older state names none
    return [*(props.get("volumes") or [])]


def other_settings(engine: DockerClient, found: Listed, props: Props) -> dict[str, str]:
    """What it has set that is not as wanted."""
    has, wanted = _settings(found), wanted_settings(engine, found, props)
    folder = "engine.source"
    # /var/run is a link to /run: another spelling is no reason to stop what uses the plugin
    if os.path.realpath(has[folder]) == os.path.realpath(wanted[folder]):
        has[folder] = wanted[folder]
    return {k: v for k, v in has.items() if v != wanted[k]}


def _is_shared(engine: DockerClient, props: Props) -> bool:
    """Whether another stack has volumes on it."""
    ours = names_of(props)
    return any(owner_of(v["Labels"]) and v["Name"] not in ours for v in volumes(engine, props["driver"]))


def _settings(found: Listed) -> dict[str, str]:
    has = {f"{mount}.source": source_of(found, mount) for mount in ("root", "engine")}
    has |= _environment(found)
    return {k: has.get(k, "") for k in DECIDED_BY}


def _environment(found: Listed) -> dict[str, str]:
    return dict(e.split("=", 1) for e in found["Settings"]["Env"])


def _config(props: Props) -> dict[str, Any]:
    """The build's own; after a refresh that found another build the state has that one's description instead."""
    text: str = props["config"]
    config: dict[str, Any] = json.loads(text) if text.startswith("{") else {"description": text, "env": []}
    return config


def is_build(found: Listed, props: Props) -> bool:
    """Whether it is the build that the stack has."""
    return bool(found["Config"].get("Description") == _config(props)["description"])


def is_newer(engine: DockerClient, found: Listed, props: Props) -> bool:
    """Whether it is a newer build that another stack needs, too: an older fence would not know its holds."""
    has, wanted = found["Config"].get("Description") or "", _config(props)["description"]
    return _number(has) > _number(wanted) and _is_shared(engine, props)


def _number(description: str) -> int:
    """The number before a build's hash; builds of old have none."""
    found = re.search(f"{OURS}([0-9]+)[.]", description)
    return int(found[1]) if found else 0
