"""Small stacks under mocks: a host that needs no engine, a plugin, a volume on a share."""

from __future__ import annotations

from components.hosts import SSHHost
from components.plugin import AzureFilePlugin
from components.shares import LocalShare
from components.volumes import MappedVolume, MappedVolumeArgs

LABELS = {"io.datadocker.stack": "datadocker/unit"}


def host() -> SSHHost:
    return SSHHost("host", {"address": "box.example", "user": "ops", "port": 2222})


def plugin(on: SSHHost) -> AzureFilePlugin:
    return AzureFilePlugin(
        "azurefile",
        {
            "host": on,
            "base": "datadocker/base:1",
            "driver": "azurefile",
            "root": "/var/lib/datadocker",
            "defaults": {"protocol": "local"},
            "volumes": [],
            "labels": LABELS,
        },
    )


def volume(name: str, *, retain: bool = True, exclusive: bool = False, **more: object) -> tuple[SSHHost, MappedVolume]:
    on = host()
    driver = plugin(on)
    share = LocalShare(f"{name}-share", {"host": on, "plugin": driver, "share": name, "retain": retain})
    args: dict[str, object] = {
        "host": on,
        "plugin": driver,
        "share": share,
        "volume": name,
        "exclusive": exclusive,
        "labels": LABELS,
    }
    return on, MappedVolume(name, MappedVolumeArgs(**(args | more)))  # type: ignore[typeddict-item]
