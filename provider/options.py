"""Options of a database server, tried before the server that runs with others is taken away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from provider.oneoff import created, reap
from provider.resource import EngineResource, Failure, Props, engine_client
from provider.turns import turn

if TYPE_CHECKING:
    from docker.models.containers import Container

# what an engine says of an image that lacks the program or the user
NO_SERVER = ("executable file not found", "unable to find user")
# [ERROR] [MY-000067] [Server] unknown variable 'innodb_bufer_pool_size=256M'.
ERROR = re.compile(r"\[ERROR\] \[MY-\d+\] \[\w+\] (?:\S+: )?(.+?)\.?$", re.MULTILINE)


class ServerOptions(EngineResource):
    """Props: `engine`, `image` (of the server), `database` (its name), `options` (arguments of mysqld)."""

    updated_by = ("image", "options")

    def create(self, props: Props) -> str:
        _try(props)
        return str(props["database"])

    def update(self, identity: str, props: Props, before: Props) -> None:
        _try(props)

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def delete(self, identity: str, props: Props) -> None:
        """Nothing is there."""


def _try(props: Props) -> None:
    """Has mysqld read the options as at a start, and end.

    Raises:
        Failure: if it refuses one.
    """
    command = [*props["options"], "--validate-config"]
    with engine_client(props["engine"]) as engine, turn(props["database"]):
        # what a killed run left of this
        reap(engine, props["database"])
    with (
        # else who puts a killed run right takes it for one that was left
        turn(props["database"], shared=True),
        engine_client(props["engine"]) as engine,
        created(engine, props["image"], props["database"], ["mysqld"], command, user="mysql") as container,
    ):
        _start(container, props)
        # an image for other processors takes its time
        if container.wait(timeout=300)["StatusCode"] == 0:
            return
        said = container.logs(stdout=False).decode(errors="replace").strip()
    # the first; what follows is that it ends, and why it can't go on
    found = ERROR.search(said)
    refused = found[1] if found else " ".join(said.splitlines()[-1:])
    if refused.startswith("unknown "):
        refused += " (one of a plugin that SQL installed is written loose_NAME)"
    if not props["options"]:
        raise _no_mysql(props, refused)
    raise Failure(f"options of database {props['database']}: mysqld refuses them: {refused}: mend databases[].options")


def _start(container: Container, props: Props) -> None:
    from docker.errors import APIError

    try:
        container.start()
    except APIError as error:
        said = str(error.explanation)
        if any(missing in said for missing in NO_SERVER):
            raise _no_mysql(props, said) from error
        raise


def _no_mysql(props: Props, said: str) -> Failure:
    return Failure(f"image {props['image']} is no MySQL that starts: {said}: mend datadocker:images.mysql")
