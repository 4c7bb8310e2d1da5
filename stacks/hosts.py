"""The host that the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pulumi

from components.azure_sdk import loading
from components.folders import Folder, nested
from components.hosts import Claims, DockerHost, LocalHost, Server, SSHHost
from components.hosts.identity_file import private_key
from components.hosts.local import socket_path
from components.state import CONTAINER, VOLUME, recorded, recorded_of
from provider.owner import CHECKOUT_LABEL
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_host import azure_host
from stacks.login import subscription
from stacks.names import DEMO_CONTAINERS, WRITTEN_BY_DEMO
from stacks.owner import Labels, Place, insist_on, insist_on_name, owner_labels
from stacks.settings import LocalHostSettings, Settings, SSHHostSettings


def docker_host(settings: Settings) -> tuple[DockerHost, Labels]:
    """Registers the host; returns it with the stack's labels, known once what has them can be made there.

    Where the stack stands elsewhere, the host is told nothing of where it is, and nothing is made or changed.

    Raises:
        pulumi.RunError: with what to do, if it can't be had.
    """
    place = _place(settings)
    labels = owner_labels(place)
    # what is made on Azure waits for no label
    if place["subscription"]:
        with loading() if isinstance(settings.host, AzureHostSettings) else nullcontext():
            insist_on(place)
            insist_on_name()
            _insist_on_data(settings)
    host = _host(settings, pulumi.Output.from_input(labels[CHECKOUT_LABEL]))
    # after the host: to read the state takes time, in which its Docker provider starts
    _insist_on_resources(settings)
    if not place["subscription"]:
        _insist_on_data(settings)
    _insist_on_folders(settings)
    return host, host.claim(_claims(settings, labels))


def _host(settings: Settings, here: pulumi.Output[str]) -> DockerHost:
    """The host, of which `here` says that the stack may stand there."""
    match settings.host:
        case LocalHostSettings(socket=socket):
            return LocalHost("host", {"socket": socket, "after": here})
        case SSHHostSettings() as remote:
            return _ssh(remote, here)
        case AzureHostSettings() as machine:
            return azure_host(machine, settings)


def _place(settings: Settings) -> Place:
    on_azure = isinstance(settings.host, AzureHostSettings) or isinstance(settings.shares, AzureSharesSettings)
    return {"place": _place_of_host(settings), "subscription": subscription() if on_azure else ""}


def _place_of_host(settings: Settings) -> str:
    """Which host it is; a machine on Azure may get another address by itself."""
    match settings.host:
        case LocalHostSettings(socket=socket):
            return f"unix://{os.path.realpath(socket_path(socket))}"
        case SSHHostSettings() as remote:
            return f"ssh://{remote.address}:{remote.port}"
        case AzureHostSettings():
            return "azure"


def _ssh(remote: SSHHostSettings, here: pulumi.Output[str]) -> DockerHost:
    if remote.identity_file:
        private_key(remote.identity_file)
    return SSHHost(
        "host",
        {
            "address": here.apply(lambda _: remote.address),
            "user": remote.user,
            "port": remote.port,
            "identity_file": remote.identity_file,
            "host_key": remote.host_key,
        },
    )


def _insist_on_resources(settings: Settings) -> None:
    """Checks that what has a name on the engine is to Pulumi what it was.

    Raises:
        pulumi.RunError: if `prefix` and a name exchanged a part, or the demo and a database a name: Pulumi would make
            the new one beside the old one.
    """
    # a deletion goes by what the last up was told
    kept = all(known.get("retain", True) for known in recorded().values())
    # by name and type alone a container of the demo and one of a database are the same, to Pulumi they are not
    demo = {settings.prefix + name: f"{name}-container of the demo" for name in _demo_containers(settings)}
    servers = {settings.prefix + d.name: f"{d.name}-container of a database" for d in settings.databases}
    volumes = {settings.prefix + volume.name: f"{volume.name}-volume" for volume in settings.volumes}
    for (typ, resource), known in recorded().items():
        name, stands = str(known.get("name")), resource
        if typ == CONTAINER:
            kind, wanted = "container", demo | servers
            stands += " of a database" if _is_server(known) else " of the demo"
        elif typ == VOLUME:
            kind, wanted = "volume", volumes
        else:
            continue
        if wanted.get(name, stands) != stands:
            first = "" if kept or typ == CONTAINER else "set it back and say up with shares.retain: true, then "
            raise pulumi.RunError(
                f"{kind} {name} stands as {stands}, and would be {wanted[name]} from now on, which can't be made "
                f"while the first is there: {first}take it out of the settings, say ./pulumiw up --stack "
                f"{pulumi.get_stack()}, and put it back under its new name (shares keep their data)"
            )


def _insist_on_data(settings: Settings) -> None:
    # no other host than one on Azure needs it before it is registered
    from stacks.shares import insist_on_data

    insist_on_data(settings)


def _insist_on_folders(settings: Settings) -> None:
    """Checks that no data directory would be made inside another one, or around it.

    Raises:
        pulumi.RunError: if one would: a server reads what is inside its own as its own, and never starts again.
    """
    mapped = {known.get("name"): known.get("driverOpts") or {} for known in recorded_of(VOLUME)}
    # a database that was renamed, or got another volume, left its data where that was
    stand = [
        (c.get("name"), v.get("volumeName"))
        for c in recorded_of(CONTAINER)
        if _is_server(c)
        for v in c.get("volumes") or []
    ]
    for database in settings.databases:
        folder = _folder(settings, database.volume)
        for container, name in stand:
            there = Folder.of(mapped.get(name, {}))
            if nested(folder, there):
                raise pulumi.RunError(
                    f"database {database.name} would have its data in {folder.path or 'the root'} of share "
                    f"{folder.share}, and container {container} has its own in {there.path or 'the root'}: of two, one "
                    f"inside the other, the outer one never starts again: give volume {database.volume} another share, "
                    "or a folder beside that"
                )


def _claims(settings: Settings, labels: Labels) -> Claims:
    prefix = settings.prefix
    return {
        "labels": labels,
        "containers": [prefix + name for name in _containers(settings)],
        "volumes": [prefix + volume.name for volume in settings.volumes],
        "servers": [
            Server(
                container=prefix + d.name,
                volume=prefix + d.volume,
                folder=_folder(settings, d.volume),
                port=d.port,
            )
            for d in settings.databases
        ],
        "files": [_folder(settings, name) for name in WRITTEN_BY_DEMO] if settings.stack == "demo" else [],
        "plugin": {"driver": settings.plugin.name, "root": settings.plugin.root},
    }


def _is_server(container: Mapping[str, Any]) -> bool:
    """Whether a container of the state is a database's."""
    # it takes longer to load than the host, which is registered before
    from components.databases.mysql import LABEL

    return any(label["label"] == LABEL for label in container.get("labels") or [])


def _containers(settings: Settings) -> list[str]:
    """Names of the stack's containers, without the prefix."""
    return [*_demo_containers(settings), *(d.name for d in settings.databases)]


def _demo_containers(settings: Settings) -> list[str]:
    return [*DEMO_CONTAINERS] if settings.stack == "demo" else []


def _folder(settings: Settings, volume: str) -> Folder:
    """What the volume of that name maps."""
    # what the host does not wait for
    from stacks.shares import driver_defaults

    mapped = settings.folder_of(next(known for known in settings.volumes if known.name == volume))
    return replace(mapped, account=mapped.account or driver_defaults(settings).get("account", ""))
