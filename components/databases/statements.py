"""The SQL that makes a MySQL server's schemas and accounts what the settings say, at every start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from components.databases.hashes import caching_sha2

# dev.mysql.com/doc/refman: string literals
ESCAPES = {"\0": r"\0", "\n": r"\n", "\r": r"\r", "\x1a": r"\Z", "'": "''", "\\": r"\\"}


class Account(TypedDict):
    """A MySQL account with all privileges on some schemas."""

    name: str
    """User name."""
    host: str
    """Where it logs in from, `%` for anywhere."""
    password: str
    """In plain text: what holds it is a secret."""
    schemas: Sequence[str]
    """Schemas it may use."""


def reconcile(server: str, schemas: Sequence[str], accounts: Sequence[Account]) -> str:
    """Returns statements for `server`, one a line, that may run any number of times and never drop anything.

    They are the same in whichever order schemas and accounts are given, since another text re-creates the server.
    """
    # how literal() quotes depends on it
    lines = ["SET SESSION sql_mode = '';"]
    lines += [f"CREATE DATABASE IF NOT EXISTS {identifier(schema)};" for schema in sorted(schemas)]
    for account in sorted(accounts, key=lambda account: (account["name"], account["host"])):
        who = f"{literal(account['name'])}@{literal(account['host'])}"
        kept = caching_sha2(account["password"], server, f"{account['name']}@{account['host']}")
        # a policy of the server judges passwords, and refuses also those that were right before: one such statement
        # would end the whole list
        identified = f"{who} IDENTIFIED WITH caching_sha2_password AS {literal(kept)}"
        lines.append(f"CREATE USER IF NOT EXISTS {identified};")
        lines.append(f"ALTER USER {identified};")
        # what was granted before and is not asked for any more goes
        lines.append(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {who};")
        for schema in sorted(account["schemas"]):
            lines += _grant(schema, who)
    return "".join(f"{line}\n" for line in lines)


def literal(text: str) -> str:
    """Quotes a string for a session whose sql_mode lacks NO_BACKSLASH_ESCAPES, on one line."""
    return "'" + "".join(ESCAPES.get(c, c) for c in text) + "'"


def identifier(name: str) -> str:
    """Quotes a name."""
    return "`" + name.replace("`", "``") + "`"


def pattern(schema: str) -> str:
    """Quotes a schema's name where GRANT takes a pattern: `_` and `%` stand for themselves."""
    return identifier(schema.replace("\\", "\\\\").replace("_", r"\_").replace("%", r"\%"))


def _grant(schema: str, who: str) -> list[str]:
    pattern_grant, name_grant = (
        f"GRANT ALL PRIVILEGES ON {on}.* TO {who};" for on in (pattern(schema), identifier(schema))
    )
    if pattern_grant == name_grant:
        return [name_grant]
    # with partial_revokes, which an administrator may switch, GRANT takes a name and no pattern
    return [
        f"SET @granted = IF(@@GLOBAL.partial_revokes, {literal(name_grant)}, {literal(pattern_grant)});",
        "PREPARE granted FROM @granted;",
        "EXECUTE granted;",
    ]
