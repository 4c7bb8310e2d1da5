"""Options of a database server, tried before the server that runs with others is taken away."""

from __future__ import annotations

import re

from provider.oneoff import created
from provider.resource import EngineResource, Failure, Props, engine_client
from provider.turns import turn

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
    with (
        # else who puts a killed run right takes it for one that was left
        turn(props["database"], shared=True),
        engine_client(props["engine"]) as engine,
        created(engine, props["image"], props["database"], ["mysqld"], command, user="mysql") as container,
    ):
        container.start()
        if container.wait(timeout=60)["StatusCode"] == 0:
            return
        said = container.logs(stdout=False).decode(errors="replace").strip()
    # the first; what follows is that it ends, and why it can't go on
    found = ERROR.search(said)
    refused = found[1] if found else " ".join(said.splitlines()[-1:])
    if refused.startswith("unknown "):
        refused += " (one of a plugin that SQL installed is written loose_NAME)"
    if not props["options"]:
        raise Failure(f"image {props['image']} is no MySQL that starts: {refused}: mend datadocker:images.mysql")
    raise Failure(f"options of database {props['database']}: mysqld refuses them: {refused}: mend databases[].options")
