"""Accounts and their keys: one file an account on the host, ROOT/credentials/<account>, mode 0600.

A file has lines `key=…`, and `server=…` where the account is not in Azure's public cloud. It is
read each time that a connection is made, so a new key counts as soon as it is there.
"""

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from azurefile import optionvalues
from azurefile.errors import ROOT, ShareError
from azurefile.network import BY_ACCOUNT, PUBLIC_SUFFIX
from azurefile.options import ACCOUNT

_LINE = re.compile(r"([a-z]+)\s*=\s*(.*)")
_NAMES = ("key", "server", "account")
_BYTES = 64 * 1024


@dataclass(frozen=True)
class Credentials:
    """What a server wants to know; the key never shows in a trace."""

    account: str
    server: str
    key: str = field(repr=False)
    # Who named the server.
    said_by: str = BY_ACCOUNT


class CredentialsFolder:
    """The files of ROOT/credentials."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`; it need not exist yet."""
        self._folder = folder

    def account(self, account: str | None, last: str = "") -> str:
        """The account that a volume means: its option, or the only one there is a file for, or of several the `last`.

        Raises ShareError if none of these says.
        """
        if account is not None:
            return account
        try:
            names = [n for n in sorted(os.listdir(self._folder)) if ACCOUNT.fullmatch(n)]
        except FileNotFoundError:
            names = []
        if len(names) == 1:
            return names[0]
        if last in names:
            return last
        if names:
            raise ShareError(
                f'option "account" is missing and there are files for {", ".join(names)}; remove the volume and create '
                "it again with one of them as account=…"
            )
        raise ShareError(
            'option "account" is missing and there is no credentials file; write the account\'s key as a line key=… '
            f"into credentials/<account> in {ROOT}, mode 0600"
        )

    def read(self, account: str) -> Credentials:
        """An account's file. Raises ShareError if it is missing, not private, or not understood."""
        path = self._folder / account
        where = f"the credentials file credentials/{account} in {ROOT}"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise ShareError(
                f"{where} does not exist; write the account's key there as a line key=…, mode 0600"
            ) from None
        except OSError as error:
            raise ShareError(f"{where} can't be opened: {error.strerror}; it must be a plain file") from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ShareError(f"{where} is not a plain file; put one of mode 0600 there")
            if stat.S_IMODE(status.st_mode) & 0o177 or status.st_uid not in (0, os.geteuid()):
                raise ShareError(
                    f"{where} has mode {stat.S_IMODE(status.st_mode):04o} and owner {status.st_uid}; others could "
                    "read or change it: chown it to root, and chmod it to 0600"
                )
            text = os.read(descriptor, _BYTES).decode("utf-8-sig", "replace")
        finally:
            os.close(descriptor)
        values = _parse(text, where)
        if values.get("account", account) != account:
            raise ShareError(f"{where} has a line account= that differs from its name; make them equal")
        if not values.get("key"):
            raise ShareError(f"{where} has no line key=…; write the account's key there so")
        if values.get("server"):
            return Credentials(account, values["server"], values["key"], f"{where}, line server=")
        return Credentials(account, f"{account}.{PUBLIC_SUFFIX}", values["key"])


def _parse(text: str, where: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        # The line itself is not repeated: it may be the key.
        if match is None or match[1] not in _NAMES:
            raise ShareError(f"{where}, line {number}: it must be one of {', '.join(f'{n}=…' for n in _NAMES)}")
        if match[1] in values:
            raise ShareError(f"{where}, line {number}: {match[1]} is given twice; leave one of the lines out")
        if match[1] == "server" and match[2]:
            try:
                optionvalues.server(match[2])
            except ValueError as error:
                raise ShareError(f"{where}, line {number}: server must be {error}") from error
        values[match[1]] = match[2]
    return values
