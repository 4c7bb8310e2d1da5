"""Any machine with a Docker engine that SSH reaches, as docker-machine's generic driver took it."""

from __future__ import annotations

import shlex
from typing import Any, NotRequired, TypedDict

import pulumi

from components.hosts.docker_provider import DockerProvider
from components.hosts.host import DockerHost
from components.hosts.ssh_client import check_ssh
from provider.connection import Engine


class SSHHostArgs(TypedDict):
    """Arguments of `SSHHost`."""

    address: pulumi.Input[str]
    """Host name or IP address."""
    user: NotRequired[pulumi.Input[str]]
    """A user who may talk to the engine there; root by default."""
    port: NotRequired[pulumi.Input[int]]
    """The SSH server's port; 22 by default."""
    identity_file: NotRequired[pulumi.Input[str | None]]
    """Private key file; by default what ssh itself finds."""
    host_key: NotRequired[pulumi.Input[str | None]]
    """The server's public host key, `ssh-ed25519 AAAA…`; by default it must be in known_hosts."""


class SSHHost(DockerHost):
    """An engine reached over SSH. Ports are published on the host's own 127.0.0.1, which a tunnel reaches."""

    def __init__(self, name: str, args: SSHHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the host; nothing is created on it.

        Raises:
            pulumi.RunError: if its key can't be pinned by the ssh here.
        """
        super().__init__("datadocker:index:SSHHost", name, {}, opts)
        if args.get("host_key"):
            check_ssh()
        port, user = args.get("port") or 22, args.get("user") or "root"
        url = pulumi.Output.format("ssh://{0}@{1}:{2}", user, args["address"], port)
        ssh_opts = pulumi.Output.all(
            address=args["address"],
            port=port,
            identity_file=args.get("identity_file"),
            host_key=args.get("host_key"),
        ).apply(ssh_options)
        self.provider = DockerProvider(f"{name}-engine", url, ssh_opts, pulumi.ResourceOptions(parent=self))
        self.docker_host = url
        self.address = pulumi.Output.from_input("127.0.0.1")
        self.public_address = pulumi.Output.from_input(args["address"])
        self.engine = pulumi.Output.all(url=url, ssh_opts=ssh_opts).apply(_engine)
        self.ssh = pulumi.Output.all(ssh_opts, port, user, args["address"]).apply(_login)
        self.register_outputs({"dockerHost": self.docker_host, "address": self.address})


def _engine(known: dict[str, Any]) -> Engine:
    return Engine(url=known["url"], ssh_opts=known["ssh_opts"])


def _login(known: list[Any]) -> str:
    options, port, user, address = known
    return shlex.join(["ssh", *options, "-p", str(port), f"{user}@{address}"])


def ssh_options(args: dict[str, Any]) -> list[str]:
    """Arguments for ssh by `address`, `port`, `identity_file`, `host_key`; the host's key is pinned, not asked for."""
    options = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"]
    # a connection whose other end forgot it, as after a suspend, ends in a minute and not in hours
    options += ["-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6"]
    if args["identity_file"]:
        options += ["-i", str(args["identity_file"]), "-o", "IdentitiesOnly=yes"]
    if args["host_key"]:
        # destroy runs no program, so a known_hosts file written by one could be missing then
        host = args["address"] if args["port"] == 22 else f"[{args['address']}]:{args['port']}"
        options += ["-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"]
        options += ["-o", f"KnownHostsCommand=/bin/echo {host} {args['host_key']}"]
    return options
