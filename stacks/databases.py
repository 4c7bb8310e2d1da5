"""A host, the volume plugin, volumes on shares, and databases on them: the talk without its writers."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pydantic import SecretStr

from components.databases import MySQLDatabase, MySQLUser
from components.hosts import DockerHost, LocalHost, Server, SSHHost
from components.images import BaseImage, ContextImage
from components.plugin import AzureFilePlugin
from components.shares import LocalShare
from components.volumes import MappedVolume
from stacks.settings import DatabaseSettings, LocalHostSettings, Settings, VolumeSettings


@dataclass(frozen=True)
class Foundation:
    """What further parts of a stack stand on."""

    host: DockerHost
    volumes: dict[str, MappedVolume]
    databases: dict[str, MySQLDatabase]
    base: pulumi.Output[str]
    labels: dict[str, str]


def databases(settings: Settings) -> Foundation:
    """Registers the stack's host, plugin, volumes and databases, and exports how to reach them."""
    labels = {"io.datadocker.stack": f"{pulumi.get_project()}/{pulumi.get_stack()}"}

    # 1. a Docker host
    host = _host(settings)

    # 2. with the volume plugin
    base = BaseImage("bookworm", {"host": host, "suite": "bookworm", "labels": labels}).reference
    plugin = AzureFilePlugin(
        "azurefile",
        {
            "host": host,
            "base": base,
            "driver": settings.plugin.name,
            "root": settings.plugin.root,
            "defaults": {"protocol": settings.shares.kind},
            "labels": labels,
        },
    )

    # 3. and volumes mapped onto shares
    volumes = _volumes(settings, host, plugin, labels)

    image = _mysql_image(settings, host, labels) if settings.databases else None
    servers = {d.name: _database(d, settings, host, volumes, image, labels) for d in settings.databases}

    pulumi.export("dockerHost", host.docker_host)
    pulumi.export("volumes", {name: volume.volume for name, volume in volumes.items()})
    pulumi.export(
        "databases",
        {
            name: {"host": s.host, "port": s.port, "url": s.url} | ({"users": s.users} if s.users else {})
            for name, s in servers.items()
        },
    )
    return Foundation(host, volumes, servers, base, labels)


def _host(settings: Settings) -> DockerHost:
    servers = [
        Server(container=settings.prefix + d.name, volume=settings.prefix + d.volume, port=d.port)
        for d in settings.databases
    ]
    match settings.host:
        case LocalHostSettings(socket=socket):
            local = LocalHost("host", {"socket": socket})
            local.make_way(servers, f"{pulumi.get_project()}/{pulumi.get_stack()}")
            return local
        case remote:
            return SSHHost(
                "host",
                {
                    "address": remote.address,
                    "user": remote.user,
                    "port": remote.port,
                    "identity_file": remote.identity_file,
                    "host_key": remote.host_key,
                },
            )


def _volumes(
    settings: Settings, host: DockerHost, plugin: AzureFilePlugin, labels: dict[str, str]
) -> dict[str, MappedVolume]:
    shares = {
        share: LocalShare(
            f"{share}-share",
            {"host": host, "plugin": plugin, "share": share, "retain": settings.shares.retain},
        )
        for share in dict.fromkeys(settings.share_of(v) for v in settings.volumes)
    }
    return {
        volume.name: MappedVolume(
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
            },
        )
        for volume in settings.volumes
    }


def _driver_options(settings: Settings, volume: VolumeSettings) -> dict[str, str]:
    preset = "database" if any(d.volume == volume.name for d in settings.databases) else "files"
    return {"for": preset} | {k: _text(v) for k, v in volume.options.items()}


def _mysql_image(settings: Settings, host: DockerHost, labels: dict[str, str]) -> pulumi.Input[str]:
    if settings.images.mysql:
        return settings.images.mysql
    base = BaseImage("sid", {"host": host, "suite": "sid", "labels": labels})
    return ContextImage(
        "mysql",
        {"host": host, "context": "images/mysql", "base": base.reference, "labels": labels},
    ).built


def _database(
    database: DatabaseSettings,
    settings: Settings,
    host: DockerHost,
    volumes: dict[str, MappedVolume],
    image: pulumi.Input[str] | None,
    labels: dict[str, str],
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
            "image": image or "",
            "official": settings.images.mysql is not None,
            "container": settings.prefix + database.name,
            "volume": volumes[database.volume],
            "after": list(volumes.values()),
            "port": database.port,
            "root_password": _open(database.root_password),
            "schemas": database.schemas,
            "users": users,
            "memory": database.memory,
            "options": {k: _text(v) for k, v in database.options.items()},
            "labels": labels,
        },
    )


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _open(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
