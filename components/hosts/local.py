"""The Docker engine on this machine as a host."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import NotRequired, TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts.host import DockerHost
from provider.connection import EngineConnection, EngineError

DEFAULT_SOCKET = "/var/run/docker.sock"


class LocalHostArgs(TypedDict):
    """Arguments of `LocalHost`."""

    socket: NotRequired[str | None]
    """The engine's socket; by default the one that DOCKER_HOST names, else /var/run/docker.sock."""


class LocalHost(DockerHost):
    """The engine on this machine. Nothing is created; `up` fails early where no engine answers."""

    def __init__(self, name: str, args: LocalHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the host.

        Raises:
            pulumi.RunError: if the engine does not answer on its socket.
        """
        super().__init__("datadocker:index:LocalHost", name, {}, opts)
        path = args.get("socket") or _socket_of_environment()
        self.connection = EngineConnection(path)
        try:
            self.connection.get("/version")
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
        url = f"unix://{path}"
        self.provider = docker.Provider(f"{name}-engine", host=url, opts=pulumi.ResourceOptions(parent=self))
        self.docker_host = pulumi.Output.from_input(url)
        self.address = pulumi.Output.from_input("127.0.0.1")
        self.engine = pulumi.Output.from_input({"url": url, "ssh_opts": []})
        self.register_outputs({"dockerHost": self.docker_host, "address": self.address})

    def require_free_ports(self, ports: Iterable[tuple[str, int]], stack: str) -> None:
        """Checks that each (container, port) can be published on 127.0.0.1, or is by `stack` already.

        Raises:
            pulumi.RunError: a line for each port that something else listens on.
        """
        label = {"label": [f"io.datadocker.stack={stack}"]}
        ours = {
            port.get("PublicPort")
            for container in self.connection.get("/containers/json", filters=label)
            for port in container["Ports"]
        }
        busy = [
            f"port {port} for {container} is in use on 127.0.0.1: stop what listens there "
            f"(ss -ltnp 'sport = :{port}' names it), or set another port"
            for container, port in ports
            if port not in ours and not _free(port)
        ]
        if busy:
            raise pulumi.RunError("\n".join(busy))


def _socket_of_environment() -> str:
    host = os.environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix://") else DEFAULT_SOCKET


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
