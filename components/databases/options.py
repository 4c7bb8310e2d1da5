"""Options of a MySQL server that it has been asked about."""

from __future__ import annotations

from typing import TypedDict

import pulumi

from components.custom import ServerOptions
from components.hosts import DockerHost


class MySQLOptionsArgs(TypedDict):
    """Arguments of `MySQLOptions`."""

    host: DockerHost
    """Where it is tried."""
    image: pulumi.Input[str]
    """The server's image."""
    container: str
    """Name of the database's container."""
    options: dict[str, pulumi.Input[str]]
    """Options of mysqld."""


class MySQLOptions(pulumi.ComponentResource):
    """Options that the server takes: one that can't start with them would be found out when the old one is gone."""

    arguments: list[pulumi.Output[str]]
    """The options as mysqld is given them."""
    taken: pulumi.Output[str]
    """Id of the trial, known once the server took them."""

    def __init__(self, name: str, args: MySQLOptionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the trial."""
        super().__init__("datadocker:index:MySQLOptions", name, {}, opts)
        host = args["host"]
        self.arguments = [pulumi.Output.concat(f"--{option}=", value) for option, value in args["options"].items()]
        tried = {
            "engine": host.engine,
            "image": args["image"],
            "database": args["container"],
            "options": self.arguments,
        }
        self.taken = ServerOptions(f"{name}-options", tried, host.resident(self)).id
        self.register_outputs({})
