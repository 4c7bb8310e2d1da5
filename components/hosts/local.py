"""The Docker engine on this machine as a host."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from typing import NotRequired, TypedDict

import pulumi
import pulumi_docker as docker

from components.hosts.host import DockerHost
from provider.connection import STOP_SECONDS, EngineConnection, EngineError

DEFAULT_SOCKET = "/var/run/docker.sock"


class Server(TypedDict):
    """A database server as it is going to be."""

    container: str
    """Name of its container."""
    volume: str
    """Name of its volume on the engine."""
    port: int
    """Port on 127.0.0.1."""


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
            self.connection.ping()
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
        url = f"unix://{path}"
        self.provider = docker.Provider(f"{name}-engine", host=url, opts=pulumi.ResourceOptions(parent=self))
        self.docker_host = pulumi.Output.from_input(url)
        self.address = self.public_address = pulumi.Output.from_input("127.0.0.1")
        self.engine = pulumi.Output.from_input({"url": url, "ssh_opts": []})
        self.register_outputs({"dockerHost": self.docker_host, "address": self.address})

    def make_way(self, servers: Iterable[Server], stack: str) -> None:
        """Checks that each server's port can be had, and stops those of `stack` that hold what another gets.

        Pulumi makes what is new before it deletes what is old. So a database that was renamed, or gave its volume or
        port to another, is stopped first: the fence and the port let go, and the new one can start.

        Raises:
            pulumi.RunError: a line for each port that something else listens on.
        """
        wanted = {server["container"]: server for server in servers}
        labels = {"label": [f"io.datadocker.stack={stack}"]}
        ours = {
            container["Names"][0].lstrip("/"): container
            for container in self.connection.get("/containers/json", filters=labels)
        }
        published = {port.get("PublicPort") for container in ours.values() for port in container["Ports"]}
        busy = [
            f"port {server['port']} for {name} is in use on 127.0.0.1: stop what listens there "
            f"(ss -ltnp 'sport = :{server['port']}' names it), or set another port"
            for name, server in wanted.items()
            if server["port"] not in published and not _free(server["port"])
        ]
        if busy:
            raise pulumi.RunError("\n".join(busy))
        if pulumi.runtime.is_dry_run():
            return
        for name, container in ours.items():
            others = [server for other, server in wanted.items() if other != name]
            volumes = {mount.get("Name") for mount in container.get("Mounts", [])}
            ports = {port.get("PublicPort") for port in container["Ports"]}
            if any(other["volume"] in volumes or other["port"] in ports for other in others):
                pulumi.log.info(f"stopping {name}: what it holds goes to another database")
                self.connection.post(f"/containers/{container['Id']}/stop?t={STOP_SECONDS}", timeout=STOP_SECONDS + 30)


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
