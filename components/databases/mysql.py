"""A MySQL server in a container, its data on a mapped volume that it has alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NotRequired, TypedDict
from urllib.parse import quote

import pulumi

from components import docker
from components.databases.hashes import caching_sha2
from components.databases.options import MySQLOptions
from components.databases.passwords import Password
from components.databases.readiness import ready
from components.databases.statements import Account, reconcile
from components.hosts import DockerHost
from components.log_driver import LOG_DRIVER, LOG_OPTS
from components.volumes import MappedVolume
from provider.connection import STOP_SECONDS

SECRETS = "/run/secrets/datadocker"
PROGRAMS = Path("images/mysql")
ENTRYPOINT = "/usr/local/bin/datadocker-mysql"
HEALTH = "/usr/local/bin/datadocker-mysql-health"

# by it the plugin names the database that has a volume which another container asks for
LABEL = "io.datadocker.database"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - only where a firewall names who reaches it

# recovery after a crash, or the first start of an official image
READY_SECONDS = 900


class MySQLUser(TypedDict):
    """An account with all privileges on the schemas it names."""

    name: str
    """User name."""
    host: NotRequired[str]
    """Where it logs in from; `%`, anywhere, by default."""
    password: NotRequired[pulumi.Input[str] | None]
    """By default one is made and kept in the state."""
    schemas: NotRequired[list[str]]
    """Schemas it may use."""


class MySQLDatabaseArgs(TypedDict):
    """Arguments of `MySQLDatabase`."""

    host: DockerHost
    """Where it runs."""
    image: pulumi.Input[str]
    """Ours, or an official MySQL image."""
    official: NotRequired[bool]
    """The image is an official one: it gets our entrypoint and health check, and then behaves as ours does."""
    container: str
    """Name of the container, and of the database for those who attach to it."""
    volume: MappedVolume
    """Where its data is; the volume has to be exclusive."""
    after: NotRequired[Sequence[pulumi.Resource]]
    """What is as it should be before this one is re-created: volumes that it may have had, options of all databases."""
    port: pulumi.Input[int]
    """Port on 127.0.0.1 of the host."""
    open: NotRequired[bool]
    """Publish the port on every address of the host instead; its firewall says who reaches it."""
    root_password: NotRequired[pulumi.Input[str] | None]
    """By default one is made and kept in the state."""
    schemas: NotRequired[list[str]]
    """Schemas made if missing."""
    users: NotRequired[list[MySQLUser]]
    """Accounts made and kept as written; others are left alone."""
    memory: NotRequired[pulumi.Input[int] | None]
    """Memory limit in MiB."""
    options: NotRequired[MySQLOptions | None]
    """Options of mysqld."""
    labels: Mapping[str, pulumi.Input[str]]
    """Labels of the container."""


class MySQLDatabase(pulumi.ComponentResource):
    """MySQL on a volume: what is there is attached, an empty one is filled; passwords are made so."""

    container: pulumi.Output[str]
    """Name of the container."""
    host: pulumi.Output[str]
    """Address it is reached at."""
    port: pulumi.Output[int]
    """Port it is reached at."""
    users: dict[str, pulumi.Output[str]]
    """Password of each account, `name@host` → a secret."""
    url: pulumi.Output[str]
    """`mysql://root:…@host:port/`, a secret; known once the server accepts logins."""

    def __init__(self, name: str, args: MySQLDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers passwords and container, and waits until logins work."""
        super().__init__("datadocker:index:MySQLDatabase", name, {}, opts)
        host = args["host"]
        root = Password(
            f"{name}-root",
            {"given": args.get("root_password")},
            pulumi.ResourceOptions(parent=self),
        )
        self.users = {}
        for user in args.get("users") or []:
            account = f"{user['name']}@{user.get('host') or '%'}"
            given = Password(f"{name}-{account}", {"given": user.get("password")}, pulumi.ResourceOptions(parent=self))
            self.users[account] = given.value
        # each is a copy into the container of its own, before the server can start
        server = f"{pulumi.get_project()}/{pulumi.get_stack()}/{args['container']}"
        uploads = [_secret_file("root", root.value.apply(lambda known: _root(known, server)))]
        if args.get("schemas") or args.get("users"):
            uploads.append(_secret_file("init.sql", self._statements(args, server)))
        if args.get("official"):
            uploads += [_program(ENTRYPOINT), _program(HEALTH)]
        labels = {**args["labels"], LABEL: args["container"]}
        before, options = [*(args.get("after") or [])], args.get("options")
        if options and options not in before:
            before.append(options)
        container = docker.Container(
            f"{name}-container",
            name=args["container"],
            hostname=args["container"],
            image=args["image"],
            entrypoints=[ENTRYPOINT],
            # as the first process a server that only just starts would not hear a stop, and be killed in the end
            init=True,
            command=["mysqld", *(options.arguments if options else [])],
            # an engine that finds it running after its own sudden end stops it, and counts that as somebody's wish
            restart="always",
            network_mode="bridge",
            log_driver=LOG_DRIVER,
            log_opts=LOG_OPTS,
            ports=[{"internal": 3306, "external": args["port"], "ip": EVERYWHERE if args.get("open") else "127.0.0.1"}],
            volumes=[{"volume_name": args["volume"].volume, "container_path": "/var/lib/mysql"}],
            uploads=uploads,
            memory=args.get("memory"),
            # without it the engine doubles the limit and the provider sees a drift
            memory_swap=args.get("memory"),
            healthcheck={
                "tests": ["CMD", HEALTH],
                # the probe itself paces later checks, so that only a starting server is asked often
                "interval": "250ms",
                "timeout": "20s",
                "retries": 3,
                # crash recovery may take its time; spelt as the engine spells it, or it would be a drift
                "start_period": "10m0s",
            },
            labels=[{"label": k, "value": v} for k, v in labels.items()],
            destroy_grace_seconds=STOP_SECONDS,
            stop_timeout=STOP_SECONDS,
            opts=host.container(
                self,
                # its name, port and volume can't be had twice, so the old one goes first
                delete_before_replace=True,
                # on the volume that it had before, too: when that is replaced, Pulumi deletes the old container with
                # it, and only what depends on the volume waits for that
                depends_on=before,
                additional_secret_outputs=["uploads"],
                # the engine gives a container that is there another limit, and takes none away
                replace_on_changes=["memory", "memorySwap"] if args.get("memory") is None else [],
            ),
        )
        accepts = ready(host, container.id, args["container"], args["labels"], READY_SECONDS)
        self.container = container.name
        self.host = host.public_address if args.get("open") else host.address
        self.port = pulumi.Output.from_input(args["port"])
        self.url = pulumi.Output.secret(
            pulumi.Output.all(root.value, self.host, args["port"], accepts).apply(
                lambda known: f"mysql://root:{quote(known[0], safe='')}@{known[1]}:{known[2]}/"
            )
        )
        self.register_outputs({"container": self.container, "url": self.url})

    def _statements(self, args: MySQLDatabaseArgs, server: str) -> pulumi.Output[str]:
        users = args.get("users") or []
        return pulumi.Output.all(*self.users.values()).apply(
            lambda known: reconcile(
                server,
                args.get("schemas") or [],
                [
                    Account(
                        name=user["name"],
                        host=user.get("host") or "%",
                        password=password,
                        schemas=user.get("schemas") or [],
                    )
                    for user, password in zip(users, known, strict=True)
                ],
            )
        )


def _root(password: str, server: str) -> str:
    return f"{caching_sha2(password, server, 'root')}\n{password}"


def _secret_file(name: str, content: pulumi.Output[str]) -> docker.ContainerUploadArgsDict:
    return {
        "file": f"{SECRETS}/{name}",
        "content": pulumi.Output.secret(content),
        "permissions": "0400",
    }


def _program(path: str) -> docker.ContainerUploadArgsDict:
    return {
        "file": path,
        "content": (PROGRAMS / Path(path).name).read_text(encoding="utf-8"),
        "permissions": "0755",
        "executable": True,
    }
