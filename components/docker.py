"""Containers, volumes and images of a Docker engine, as their provider takes them.

To who reads, and to what checks types, they are the classes of `pulumi_docker`. That package loads the models of all
that the provider has, and works out the types of each property of what is used (docs/decisions/speed.md). What it makes
of the arguments is only a matter of spelling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from pulumi_docker import Container, ContainerUploadArgsDict, ContainerVolumeArgsDict, RemoteImage, Volume

__all__ = ["Container", "ContainerUploadArgsDict", "ContainerVolumeArgsDict", "RemoteImage", "Volume"]

# the keys in these are the user's own
MAPS = {
    "build_args", "driver_options", "driver_opts", "label", "labels", "log_opts", "options", "storage_opts", "sysctls",
    "tmpfs", "triggers",
}  # fmt: skip


def spelt(key: str, value: Any) -> Any:
    """Returns the value of property `key` with all names of properties in it as the provider spells them."""
    if isinstance(value, list | tuple):
        return [spelt(key, item) for item in value]
    if isinstance(value, dict) and key not in MAPS:
        return {camel(k): spelt(k, v) for k, v in value.items()}
    return value


def camel(name: str) -> str:
    """Returns the provider's name of a property: `dns_opts` is `dnsOpts`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


if not TYPE_CHECKING:

    class _Resource(pulumi.CustomResource):
        """A resource whose type is the provider's of the same name."""

        def __init__(self, resource_name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
            kind = type(self).__name__
            token = f"docker:index/{kind[0].lower()}{kind[1:]}:{kind}"
            super().__init__(token, resource_name, spelt("", inputs), opts)

    class Container(_Resource):
        """A container."""

    class RemoteImage(_Resource):
        """An image, pulled or built."""

    class Volume(_Resource):
        """A volume."""
