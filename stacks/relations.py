"""What is wrong in the settings only in relation to another setting."""

from __future__ import annotations

from collections.abc import Iterable

from components.folders import overlap
from stacks.complaints import Complaint, Places, nearest
from stacks.names import DEMO_CONTAINERS, LONGEST_HOSTNAME, LONGEST_SCHEMA, WRITTEN_BY_DEMO, share_name
from stacks.settings import Settings


def check_together(settings: Settings, at: Places) -> Iterable[Complaint]:
    """Yields what is wrong only in relation to another setting.

    `at` says where in the file each volume and database stands.
    """
    if settings.stack == "demo":
        yield from _check_demo(settings, at)
    yield from _check_volumes(settings, at)
    yield from _check_databases(settings, at)
    yield from _check_volumes_of_databases(settings, at)
    yield from _check_users(settings, at)


def _check_demo(settings: Settings, at: Places) -> Iterable[Complaint]:
    for needed in WRITTEN_BY_DEMO:
        if all(v.name != needed for v in settings.volumes):
            yield Complaint(
                "volumes",
                f"the demo writes to a volume named {needed}: add {needed}, or set datadocker:stack to databases",
            )
    for i, volume in enumerate(settings.volumes):
        if volume.name in WRITTEN_BY_DEMO and settings.is_exclusive(volume):
            yield Complaint(
                at["volumes"][i],
                f"the demo's containers share {volume.name}, which must not be exclusive or a database's: give the "
                "database a volume of its own, or set datadocker:stack to databases",
            )


def _by_name(settings: Settings) -> dict[str, int]:
    """Where each volume's name is given first."""
    found: dict[str, int] = {}
    for i, volume in enumerate(settings.volumes):
        found.setdefault(volume.name, i)
    return found


def _check_volumes(settings: Settings, at: Places) -> Iterable[Complaint]:
    first = _by_name(settings)
    for i, volume in enumerate(settings.volumes):
        here = at["volumes"][i]
        if first[volume.name] != i:
            yield Complaint(
                here,
                f"the name {volume.name} is given already by {at['volumes'][first[volume.name]]}: rename one of them",
            )
            continue
        share = settings.share_of(volume)
        try:
            share_name(share)
        except ValueError as error:
            yield Complaint(here, f"share {share!r} is not a share name: {error}; name one with share:")
        for j, other in enumerate(settings.volumes[:i]):
            if not overlap(settings.folder_of(volume), settings.folder_of(other)):
                continue
            if settings.is_exclusive(volume) or settings.is_exclusive(other):
                yield Complaint(
                    here,
                    f"maps the same folder of share {share} as {at['volumes'][j]} ({other.name}), and one "
                    "of them is exclusive: give each a folder of its own",
                )


def _check_databases(settings: Settings, at: Places) -> Iterable[Complaint]:
    taken = dict(DEMO_CONTAINERS) if settings.stack == "demo" else {}
    ports: dict[int, str] = {}
    for i, database in enumerate(settings.databases):
        here = at["databases"][i]
        if database.name in taken:
            yield Complaint(f"{here}.name", f"{database.name} is taken by {taken[database.name]}: choose another name")
        taken.setdefault(database.name, here)
        container = settings.prefix + database.name
        if len(container) > LONGEST_HOSTNAME:
            yield Complaint(
                f"{here}.name",
                f"container {container} would have {len(container)} characters with the prefix, and its host name "
                f"takes {LONGEST_HOSTNAME}: shorten one of them",
            )
        for option, value in database.options.items():
            of_template = option.replace("-", "_") == "innodb_page_size" and not settings.images.mysql
            if of_template and str(value).lower() not in ("16k", "16384"):
                yield Complaint(
                    f"{here}.options.{option}",
                    f"{value}: the image's template has pages of 16K: leave it out, or name an official image by "
                    "datadocker:images.mysql",
                )
        if database.port in ports:
            yield Complaint(
                f"{here}.port", f"port {database.port} is given to {ports[database.port]} already: choose another"
            )
        ports.setdefault(database.port, database.name)


def _check_volumes_of_databases(settings: Settings, at: Places) -> Iterable[Complaint]:
    first = _by_name(settings)
    owners: dict[str, str] = {}
    for i, database in enumerate(settings.databases):
        here, name = at["databases"][i], database.volume
        if name not in first:
            known = nearest(name, first) or f"known: {', '.join(first) or 'none yet'}"
            yield Complaint(f"{here}.volume", f"there is no volume {name!r}; {known}")
        elif name in owners:
            yield Complaint(
                f"{here}.volume",
                f"volume {name} belongs to database {owners[name]} already: "
                "two servers on the same files corrupt them; give each a volume",
            )
        elif settings.volumes[first[name]].exclusive is False:
            yield Complaint(
                f"{at['volumes'][first[name]]}.exclusive",
                f"database {database.name} lives on it, so it must stay exclusive: leave exclusive out",
            )
        owners.setdefault(name, database.name)


def _check_users(settings: Settings, at: Places) -> Iterable[Complaint]:
    passwords: dict[str, str] = {}
    for i, database in enumerate(settings.databases):
        here = at["databases"][i]
        accounts: set[tuple[str, str]] = set()
        for k, user in enumerate(database.users):
            if user.name == "root":
                yield Complaint(f"{here}.users[{k}].name", "root is always there; use rootPassword")
            # MySQL takes hosts for the same whatever their case, and names only as they are written
            account = user.name, user.host.lower()
            if account in accounts:
                yield Complaint(f"{here}.users[{k}]", f"account {user.name}@{user.host} is given twice: leave one out")
            accounts.add(account)
            password = f"{database.name}-{user.name}@{user.host}"
            if passwords.setdefault(password, database.name) != database.name:
                yield Complaint(
                    f"{here}.users[{k}].name",
                    f"{user.name} of {database.name} and an account of {passwords[password]} would have one name to "
                    f"Pulumi, {password}: rename one of them",
                )
            for schema in user.schemas:
                if schema not in database.schemas:
                    yield Complaint(
                        f"{here}.users[{k}].schemas",
                        f"{schema} is not in {here}.schemas: add it there, or leave it out here",
                    )
                # MySQL takes a pattern there, and it is as long as a name at most
                elif len(schema) + schema.count("_") > LONGEST_SCHEMA:
                    yield Complaint(
                        f"{here}.users[{k}].schemas",
                        f"{schema} is too long for an account's privileges: each _ counts twice there, and "
                        f"{LONGEST_SCHEMA} can be had: choose a shorter name",
                    )
