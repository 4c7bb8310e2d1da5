"""The Docker engine on this machine as a host."""

from __future__ import annotations

import os
from typing import NotRequired, TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts.claims import Claims, make_way
from components.hosts.host import DockerHost, Engine
from provider.connection import EngineConnection, EngineError

DEFAULT_SOCKET = "/var/run/docker.sock"


class LocalHostArgs(TypedDict):
    """Arguments of `LocalHost`."""

    socket: NotRequired[str | None]
    """The engine's socket; by default the one that DOCKER_HOST names, else /var/run/docker.sock."""
    claims: NotRequired[Claims]
    """What is going to be on the engine; nothing is made on it if somebody else has any of that."""


class LocalHost(DockerHost):
    """The engine on this machine. Nothing is created; `up` fails early where no engine answers."""

    def __init__(self, name: str, args: LocalHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the host.

        Raises:
            pulumi.RunError: if the engine does not answer on its socket.
        """
        super().__init__("datadocker:index:LocalHost", name, {}, opts)
        path = args.get("socket") or _socket_of_environment()
        connection = EngineConnection(path)
        try:
            connection.ping()
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
        url = pulumi.Output.from_input(f"unix://{path}")
        if claims := args.get("claims"):
            url = pulumi.Output.all(url, claims["labels"]).apply(
                lambda known: _cleared(connection, claims, known[0], known[1])
            )
        self.provider = docker.Provider(f"{name}-engine", host=url, opts=pulumi.ResourceOptions(parent=self))
        self.docker_host = url
        self.address = self.public_address = pulumi.Output.from_input("127.0.0.1")
        self.engine = url.apply(lambda known: Engine(url=known, ssh_opts=[]))
        self.register_outputs({"dockerHost": self.docker_host, "address": self.address})


def _cleared(connection: EngineConnection, claims: Claims, url: str, labels: dict[str, str]) -> str:
    """Returns `url` once what the stack claims there can be had."""
    try:
        make_way(connection, claims, labels)
    except EngineError as error:
        raise pulumi.RunError(str(error)) from None
    return url


def _socket_of_environment() -> str:
    host = os.environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix://") else DEFAULT_SOCKET
