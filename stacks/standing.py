"""What stands on the engine of a stack, beside what its settings say now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.folders import Folder, nested
from components.state import CONTAINER, VOLUME, recorded, recorded_of
from stacks.claims import demo_containers, folder_of
from stacks.settings import Settings


def insist_on_resources(settings: Settings) -> None:
    """Checks that what has a name on the engine is to Pulumi what it was.

    Raises:
        pulumi.RunError: if `prefix` and a name exchanged a part, or the demo and a database a name: Pulumi would make
            the new one beside the old one.
    """
    # a deletion goes by what the last up was told
    kept = all(known.get("retain", True) for known in recorded().values())
    # by name and type alone a container of the demo and one of a database are the same, to Pulumi they are not
    demo = {settings.prefix + name: f"{name}-container of the demo" for name in demo_containers(settings)}
    servers = {settings.prefix + d.name: f"{d.name}-container of a database" for d in settings.databases}
    volumes = {settings.prefix + volume.name: f"{volume.name}-volume" for volume in settings.volumes}
    for (typ, resource), known in recorded().items():
        name, stands = str(known.get("name")), resource
        if typ == CONTAINER:
            kind, wanted = "container", demo | servers
            stands += " of a database" if _is_server(known) else " of the demo"
        elif typ == VOLUME:
            kind, wanted = "volume", volumes
        else:
            continue
        if wanted.get(name, stands) != stands:
            first = "" if kept or typ == CONTAINER else "set it back and say up with shares.retain: true, then "
            raise pulumi.RunError(
                f"{kind} {name} stands as {stands}, and would be {wanted[name]} from now on, which can't be made "
                f"while the first is there: {first}take it out of the settings, say ./pulumiw up --stack "
                f"{pulumi.get_stack()}, and put it back under its new name (shares keep their data)"
            )


def insist_on_folders(settings: Settings) -> None:
    """Checks that no data directory would be made inside another one, or around it.

    Raises:
        pulumi.RunError: if one would: a server reads what is inside its own as its own, and never starts again.
    """
    mapped = {known.get("name"): known.get("driverOpts") or {} for known in recorded_of(VOLUME)}
    # a database that was renamed, or got another volume, left its data where that was
    stand = [
        (c.get("name"), v.get("volumeName"))
        for c in recorded_of(CONTAINER)
        if _is_server(c)
        for v in c.get("volumes") or []
    ]
    for database in settings.databases:
        folder = folder_of(settings, database.volume)
        for container, name in stand:
            there = Folder.of(mapped.get(name, {}))
            if nested(folder, there):
                raise pulumi.RunError(
                    f"database {database.name} would have its data in {folder.path or 'the root'} of share "
                    f"{folder.share}, and container {container} has its own in {there.path or 'the root'}: of two, one "
                    f"inside the other, the outer one never starts again: give volume {database.volume} another share, "
                    "or a folder beside that"
                )


def _is_server(container: Mapping[str, Any]) -> bool:
    """Whether a container of the state is a database's."""
    # it takes longer to load than the host, which is registered before
    from components.databases.mysql import LABEL

    return any(label["label"] == LABEL for label in container.get("labels") or [])
