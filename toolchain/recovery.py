"""Puts right what a killed run left behind, so that the next one just works."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolchain import cache, engine, halfmade, packages, vanished
from toolchain.backend import Backend
from toolchain.progress import ToolchainError, say
from toolchain.statefiles import is_pulumi

CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
PLUGIN = "datadocker-engine:index:EnginePlugin"
# a pulled one is of the first kind, too, has no labels of ours, and stays
IMAGE, IMPORTED = "docker:index/remoteImage:RemoteImage", "datadocker-engine:index:ImportedImage"
# stands in the description of each of ours
OURS = "datadocker/azurefile:"
LABEL = "io.datadocker.stack"
# of containers that do one thing on the plugin's folder, whose path it is
ONEOFF = "io.datadocker.oneoff"
# of images made of a root filesystem, whose content it names
ROOTFS = "io.datadocker.rootfs"
# as long as a provider would have waited for one
ONEOFF_SECONDS = 600
# of `components.hosts.kept_key`
KEYS = "${HOME}/.cache/datadocker/ssh/"
SILENT = (
    "where that is because its machine on Azure does not answer: let this address in again (az network nsg rule "
    "update), or, if it will never answer, delete it (az vm delete), and say this again: what was on it is forgotten, "
    "and the next up makes it anew"
)
# in this order: a container has volumes, and a volume a plugin
REMOVED = (CONTAINER, VOLUME, PLUGIN)
Operation = dict[str, Any]


def recover(backend: Backend, stack: str) -> None:
    """Ends what a killed run started, removes what it half made, and makes the state say what is there.

    The locks of those that are gone are broken, and the files are whole.

    Raises:
        ToolchainError: if an engine can't be reached or the state can't be refreshed.
    """
    if backend.states.locked(stack):
        # another run is at it: the CLI says so itself
        return
    pending = backend.states.pending(stack)
    if not pending and not halfmade.taken_in(backend, stack):
        return
    if pending:
        say(f"a run of stack {stack} was killed during {len(pending)} operations: putting the state right")
    else:
        say(f"what a killed run of stack {stack} was making was not looked at to the end: going on with that")
    _end_orphans(backend.checkout)
    if _is_remote(backend, stack):
        # nobody would answer for what was on a machine that is gone
        vanished.forget(backend.cli, stack)
        _write_keys(backend, stack)
    containers, volumes, plugins = ([p for p in pending if p["resource"]["type"] == t] for t in REMOVED)
    images = [p for p in pending if p["resource"]["type"] in (IMAGE, IMPORTED)]
    # a component has no inputs
    inputs = [p["resource"].get("inputs") or {} for p in pending]
    marks = sorted({str(given[key]) for given in inputs for key in ("root", "database") if key in given})
    found = backend.states.engines(stack) if containers or volumes or images or marks else {}
    if os.geteuid() == 0 and any(host.startswith("unix:") for host in found):
        packages.require(["docker"], [], "putting right what the killed run left", engine.CLIENT)
    engines = [_docker(*known) for known in found.items()]
    for docker in engines:
        for operation in containers:
            _remove_half_done(docker, operation)
        for operation in volumes:
            _remove_just_made(docker, operation)
        for mark in marks:
            _remove_oneoffs(docker, mark)
        for operation in images:
            _remove_just_tagged(docker, operation)
    _remove_half_installed(engines, plugins)
    taken = halfmade.take_in(backend, stack, pending)
    refresh = ["refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack]
    try:
        backend.cli.run(*refresh)
    except ToolchainError as error:
        # the engine may have gone on with what the killed run asked of it, and have a plugin off since
        if _remove_half_installed(engines, plugins):
            backend.cli.run(*refresh)
        elif _is_remote(backend, stack) and vanished.MACHINE in backend.cli.export(stack):
            raise ToolchainError(f"{error}\n{SILENT}") from None
        else:
            raise
    halfmade.ask_again(backend, stack, taken)


def _is_remote(backend: Backend, stack: str) -> bool:
    return any(host.startswith("ssh:") for host in backend.states.engines(stack))


def _write_keys(backend: Backend, stack: str) -> None:
    """Has the program write the state's keys where ssh looks for them: a refresh does not run it.

    Raises:
        ToolchainError: if the program can't.
    """
    options = itertools.chain(*backend.states.engines(stack).values())
    files = [
        os.path.expandvars(o.removeprefix("IdentityFile=")) for o in options if o.startswith(f"IdentityFile={KEYS}")
    ]
    if not all(map(os.path.exists, files)):
        say("the keys by which the machine is reached are not in the cache: writing them again from the state")
        backend.cli.run("preview", "--stack", stack)


def _end_orphans(checkout: Path) -> None:
    """Ends providers of the killed run: they have groups of their own, and may still be making things."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            # what merely names one, as an editor does, has it among its arguments
            is_provider = Path(os.fsdecode(command.split(b"\0")[0])).name.startswith("pulumi-resource-")
            ours = is_provider and Path(os.readlink(process / "cwd")) == checkout
            if not ours or is_pulumi(_parent(process)):
                continue
            orphan = os.pidfd_open(int(process.name))
        except (OSError, ValueError):
            continue
        signal.pidfd_send_signal(orphan, signal.SIGKILL)
        select.select([orphan], [], [], 10)
        os.close(orphan)


def _parent(process: Path) -> int:
    # proc(5): the command's name in brackets may hold anything, the parent is the second field after it
    return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])


def _docker(host: str, ssh_options: list[str]) -> list[str]:
    """The docker command of the engine at `host`."""
    at = urlsplit(host)
    if at.scheme != "ssh":
        return ["docker", "-H", host]
    return ["ssh", *ssh_options, "-p", str(at.port or 22), f"{at.username}@{at.hostname}", "docker"]


def _remove_half_done(docker: list[str], operation: Operation) -> None:
    """Removes the container that the killed run was making, if it is one, or was deleting.

    One being made is known by its name and its labels, which no stack of another checkout has. One being deleted has
    an id.
    """
    resource = operation["resource"]
    name = resource.get("id") if operation["type"] == "deleting" else resource["inputs"].get("name")
    shown = _call([*docker, "inspect", "-f", "'{{json .Config.Labels}}'", str(name)])
    if operation["type"] not in ("creating", "deleting") or shown is None:
        return
    if not _has_labels(_labels(resource), shown):
        return
    # stopped first: a server that is given time need not recover
    for command in (["stop", str(name)], ["rm", "-f", str(name)]):
        _call([*docker, *command])
    say(f"removed container {resource['inputs'].get('name')}, which that run was making or deleting")


def _remove_just_made(docker: list[str], operation: Operation) -> None:
    """Removes the volume that the killed run was making; what it maps stays on its share."""
    resource = operation["resource"]
    name = str(resource["inputs"].get("name"))
    shown = _call([*docker, "volume", "inspect", "-f", "'{{json .Labels}}'", name])
    if operation["type"] == "creating" and shown is not None and _has_labels(_labels(resource), shown):
        _call([*docker, "volume", "rm", name])


def _remove_just_tagged(docker: list[str], operation: Operation) -> None:
    """Removes the image that the killed run was making: its tag is made of the stack's labels, and in no state."""
    if operation["type"] != "creating":
        return
    given = operation["resource"]["inputs"]
    reference = str(given.get("reference") or given.get("name"))
    wanted = given.get("labels") or (given.get("build") or {}).get("label") or {}
    # another stack's tag keeps what both have
    made = {reference: ["-f"]}
    if "content" in given:
        # what is imported has a tag once it is whole
        which = ["--filter", "dangling=true", "--filter", f"label={ROOTFS}={given['content']}"]
        made |= {image: [] for image in (_call([*docker, "images", "-q", *which]) or "").split()}
    for image, how in made.items():
        shown = _call([*docker, "image", "inspect", "-f", "'{{json .Config.Labels}}'", image])
        if shown is not None and _has_labels(wanted, shown):
            _call([*docker, "rmi", *how, image])


def _labels(resource: dict[str, Any]) -> dict[str, str]:
    """The labels that a container or a volume was to have."""
    return {label["label"]: label["value"] for label in resource["inputs"].get("labels") or []}


def _has_labels(wanted: dict[str, str], shown: str) -> bool:
    """Whether what an engine has `shown` as labels are those that were `wanted`, which name their stack."""
    # over ssh a shell takes the quotes away
    labels = json.loads(shown.strip().strip("'")) or {}
    return LABEL in wanted and wanted.items() <= labels.items()


def _remove_oneoffs(docker: list[str], mark: str) -> None:
    """Removes containers that did, do or were to do something for the killed run on a folder or for a database."""
    # one that runs on an engine over ssh may be another machine's, which has turns of its own
    ended = ["--filter", "status=exited", "--filter", "status=created"] if docker[0] == "ssh" else []
    with _turn(mark):
        listed = (_call([*docker, "ps", "-aq", "--filter", f"label={ONEOFF}={mark}", *ended]) or "").split()
        if listed:
            # what it does to a folder is better done than half done
            _call([*docker, "wait", *listed], ONEOFF_SECONDS)
            _call([*docker, "rm", "-fv", *listed])


def _turn(what: str) -> AbstractContextManager[None]:
    """Waits for other stacks of this machine that are at `what`, by the lock of `provider.turns`."""
    return cache.lock(f"plugin{what.replace('/', '-')}")


def _remove_half_installed(engines: list[list[str]], operations: list[Operation]) -> bool:
    """Removes the plugins that the killed run was exchanging, if they are off: their volumes can't be looked at.

    And the one that it was creating, if nobody has a volume of it: no state knows it. All that they know is on the
    host, and the next run installs them. Returns whether there was one.
    """
    removed = False
    for docker, operation in itertools.product(engines, operations):
        given = operation["resource"]["inputs"]
        driver = str(given.get("driver"))
        with _turn(str(given.get("root"))):
            shown = _call([*docker, "plugin", "inspect", "-f", "'{{.Enabled}} {{.Config.Description}}'", driver])
            if not shown or OURS not in shown:
                continue
            off = shown.strip("'").startswith("false ")
            if off or (operation["type"] == "creating" and not _used(docker, driver)):
                _call([*docker, "plugin", "rm", "-f", driver])
                say(f"removed plugin {driver}, which that run was installing")
                removed = True
    return removed


def _used(docker: list[str], driver: str) -> bool:
    """Whether the engine has volumes of `driver`, or anything of a stack, which may have adopted it; also in doubt."""
    of_driver = ["volume", "ls", "-q", "--filter", f"driver={driver}"]
    of_stacks = ["ps", "-aq", "--filter", f"label={LABEL}"]
    return any((listed := _call([*docker, *what])) is None or listed.strip() for what in (of_driver, of_stacks))


def _call(command: list[str], limit: float | None = None) -> str | None:
    """What `command` printed, or nothing if it failed or did not end within `limit` seconds."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return None
    except FileNotFoundError:
        of = " (before Debian 13 in docker.io, then in docker-cli)" if command[0] == "docker" else ""
        raise ToolchainError(f"{command[0]} is needed to put right what the killed run left: install it{of}") from None
    return done.stdout if done.returncode == 0 else None
