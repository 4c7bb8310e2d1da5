"""A host, the volume plugin, volumes on shares, and databases on them: the talk without its writers."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from components.databases import MySQLDatabase, MySQLOptions, MySQLUser
from components.hosts import DockerHost
from components.images import BaseImage, ContextImage, PulledImage
from components.plugin import AzureFilePlugin
from components.volumes import MappedVolume
from stacks.data import driver_defaults
from stacks.owner import Labels, image_labels
from stacks.settings import DatabaseSettings, Settings, VolumeSettings
from stacks.shares import file_shares


@dataclass(frozen=True)
class Foundation:
    """What further parts of a stack stand on."""

    host: DockerHost
    volumes: dict[str, MappedVolume]
    base: pulumi.Output[str]
    labels: Labels
    image_labels: Labels
    users: list[pulumi.Resource]
    """What uses the volumes."""


def databases(settings: Settings, host: DockerHost, labels: Labels) -> Foundation:
    """Registers the stack's plugin, volumes and databases on its host, and exports how to reach them."""
    # 1. the Docker host: its provider is on the way
    built = image_labels(labels)

    # 2. with the volume plugin
    base = BaseImage("bookworm", {"host": host, "suite": "bookworm", "labels": built}).reference
    plugin = AzureFilePlugin(
        "azurefile",
        {
            "host": host,
            "base": base,
            "driver": settings.plugin.name,
            "root": settings.plugin.root,
            "defaults": driver_defaults(settings),
            "volumes": [settings.prefix + volume.name for volume in settings.volumes],
            "labels": built,
        },
    )

    # what a server is started with, before any container goes: a refusal ends the update
    image = _mysql_image(settings, host, built) if settings.databases else ""
    options = _server_options(settings, host, image)

    # 3. and volumes mapped onto shares, which take their containers with them when they are replaced
    volumes = _volumes(settings, host, plugin, [image, *(known.taken for known in options.values())], labels)

    servers = {d.name: _database(d, settings, host, volumes, image, options, labels) for d in settings.databases}

    pulumi.export("dockerHost", host.docker_host)
    pulumi.export("volumes", {name: volume.volume for name, volume in volumes.items()})
    pulumi.export("databases", {d.name: _reached(d, servers[d.name], host) for d in settings.databases})
    _export_ways(host)
    return Foundation(host, volumes, base, labels, built, [*servers.values()])


def _volumes(
    settings: Settings, host: DockerHost, plugin: AzureFilePlugin, first: list[pulumi.Input[str]], labels: Labels
) -> dict[str, MappedVolume]:
    shares = file_shares(settings, host, plugin)
    made: dict[str, MappedVolume] = {}
    for volume in settings.volumes:
        made[volume.name] = MappedVolume(
            volume.name,
            {
                "host": host,
                "plugin": plugin,
                "share": shares[settings.share_of(volume)],
                "volume": settings.prefix + volume.name,
                "folder": volume.folder,
                "exclusive": settings.is_exclusive(volume),
                "options": _driver_options(settings, volume),
                "labels": labels,
                # Pulumi deletes what uses a volume with it, the stack's guard first, and of several volumes beside each
                # other: while the guard refused for one, containers of another would go
                "after": [*first, *(other.volume for other in made.values())],
            },
        )
    return made


def _driver_options(settings: Settings, volume: VolumeSettings) -> dict[str, str]:
    preset = "database" if any(d.volume == volume.name for d in settings.databases) else "files"
    # in one spelling with those of the share and of the volume, which the plugin would take for given twice
    return {"for": preset} | {k.lower(): _text(v) for k, v in volume.options.items()}


def _mysql_image(settings: Settings, host: DockerHost, labels: Labels) -> pulumi.Input[str]:
    if settings.images.mysql:
        return PulledImage("mysql", {"host": host, "name": settings.images.mysql}).reference
    base = BaseImage("sid", {"host": host, "suite": "sid", "labels": labels})
    return ContextImage(
        "mysql",
        {"host": host, "context": "images/mysql", "base": base.reference, "labels": labels},
    ).built


def _server_options(settings: Settings, host: DockerHost, image: pulumi.Input[str]) -> dict[str, MySQLOptions]:
    """Registers the trial of databases whose options or image are not this stack's own."""
    return {
        database.name: MySQLOptions(
            database.name,
            {
                "host": host,
                "image": image,
                "container": settings.prefix + database.name,
                "options": {k: _text(v) for k, v in database.options.items()},
            },
        )
        for database in settings.databases
        if database.options or settings.images.mysql
    }


def _database(
    database: DatabaseSettings,
    settings: Settings,
    host: DockerHost,
    volumes: dict[str, MappedVolume],
    image: pulumi.Input[str],
    options: dict[str, MySQLOptions],
    labels: Labels,
) -> MySQLDatabase:
    users = [
        MySQLUser(
            name=user.name,
            host=user.host,
            password=_open(user.password),
            schemas=user.schemas,
        )
        for user in database.users
    ]
    return MySQLDatabase(
        database.name,
        {
            "host": host,
            "image": image,
            "official": settings.images.mysql is not None,
            "container": settings.prefix + database.name,
            "volume": volumes[database.volume],
            "after": [*volumes.values(), *options.values()],
            "port": database.port,
            "open": bool(database.allow_from),
            "root_password": _open(database.root_password),
            "schemas": database.schemas,
            "users": users,
            "memory": database.memory,
            "options": options.get(database.name),
            "labels": labels,
        },
    )


def _reached(settings: DatabaseSettings, server: MySQLDatabase, host: DockerHost) -> dict[str, object]:
    """How a database is reached, as the stack's outputs say it."""
    reached: dict[str, object] = {"host": server.host, "port": server.port, "url": server.url}
    if server.users:
        reached["users"] = server.users
    if host.ssh is not None and not settings.allow_from:
        reached["tunnel"] = pulumi.Output.concat(host.ssh, f" -N -L {settings.port}:127.0.0.1:{settings.port}")
    return reached


def _export_ways(host: DockerHost) -> None:
    """The lines to type for a host that is another machine."""
    if host.ssh is not None:
        pulumi.export("ssh", host.ssh)
    if host.ssh_config is None:
        return
    pulumi.export("sshConfig", host.ssh_config)
    pulumi.export("dockerContext", f"docker context create {host.alias} --docker host=ssh://{host.alias}")


def _text(value: str | int | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
