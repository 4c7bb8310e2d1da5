"""The Docker engine on this machine as a host."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NotRequired, TypedDict

import pulumi

from components.hosts.claims import Claims, check
from components.hosts.docker_provider import DockerProvider
from components.hosts.holders import LettingGo
from components.hosts.host import DockerHost
from components.state import PLUGIN, recorded_of
from provider import engines
from provider.connection import Engine, EngineConnection, EngineError

DEFAULT_SOCKET = "/var/run/docker.sock"


class LocalHostArgs(TypedDict):
    """Arguments of `LocalHost`."""

    socket: NotRequired[str | None]
    """The engine's socket; by default the one that DOCKER_HOST names, else /var/run/docker.sock."""
    after: NotRequired[pulumi.Input[object]]
    """What has to be known before providers are told of the engine."""


class LocalHost(DockerHost):
    """The engine on this machine. Nothing is created; `up` fails early where no engine answers."""

    def __init__(self, name: str, args: LocalHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the host.

        Raises:
            pulumi.RunError: if the engine does not answer on its socket.
        """
        super().__init__("datadocker:index:LocalHost", name, {}, opts)
        path = socket_path(args.get("socket"))
        self._connection = EngineConnection(path)
        try:
            self._connection.ping()
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
        url = pulumi.Output.from_input(args.get("after")).apply(lambda _: f"unix://{path}")
        self.provider = DockerProvider(f"{name}-engine", url, None, pulumi.ResourceOptions(parent=self))
        self.docker_host = url
        self.address = self.public_address = pulumi.Output.from_input("127.0.0.1")
        self.engine = url.apply(lambda known: Engine(url=known, ssh_opts=[]))
        self.register_outputs({"dockerHost": self.docker_host, "address": self.address})

    def claim(self, claims: Claims) -> Mapping[str, pulumi.Output[str]]:
        """Returns the labels of `claims` once all of them can be had: what waits for its labels is not made before.

        Raises:
            pulumi.RunError: if the engine does not answer, or is none that the plugin works with.
        """
        self.letting_go = LettingGo.if_needed(self.engine, claims, claims["labels"], lambda: self._volumes)
        checked = pulumi.Output.all(claims["labels"]).apply(lambda known: self._check(claims, known[0]))
        return {label: checked[label] for label in claims["labels"]}

    @cached_property
    def _volumes(self) -> list[Any]:
        # asked once: an engine waits for every driver that it ever had, of which one may be gone
        try:
            return self._connection.get("/volumes")["Volumes"] or []
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None

    def _check(self, claims: Claims, labels: dict[str, str]) -> dict[str, str]:
        try:
            # where the plugin stands the engine has shown that it works
            if not recorded_of(PLUGIN):
                self._check_engine(claims["plugin"]["root"])
            check(self._connection, claims, labels, self._volumes)
        except EngineError as error:
            raise pulumi.RunError(str(error)) from None
        return labels

    def _check_engine(self, root: str) -> None:
        info = self._connection.get("/info")
        if reason := engines.unsuited(info, root):
            raise pulumi.RunError(reason)
        if advice := engines.unprepared(info, root):
            pulumi.log.warn(advice)


def socket_path(given: str | None) -> str:
    """The socket that is `given`, else the one of the environment, else Docker's own.

    Raises:
        pulumi.RunError: if the environment names an engine elsewhere.
    """
    if given:
        return given
    host = os.environ.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"
    if not host.startswith("unix://"):
        raise pulumi.RunError(
            f"DOCKER_HOST={host} is an engine elsewhere, and this stack's is on this machine: unset it, or set "
            "datadocker:host to {kind: ssh, address: …}"
        )
    return host.removeprefix("unix://")
