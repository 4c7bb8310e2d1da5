"""Folders of shares, and whether two of them have files in common."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

# Unicode's Default_Ignorable_Code_Point, of what is printable
_IGNORED = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")


@dataclass(frozen=True)
class Folder:
    """A folder of a share, as far as the one who names it says where that is."""

    share: str
    """Name of the share."""
    path: str = ""
    """Empty for all of the share."""
    protocol: str = ""
    """What it is reached by: smb, nfs or local."""
    server: str = ""
    """The server's name or address."""
    account: str = ""
    """The storage account, whose server it is where none is named."""

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Folder:
        """The folder that a volume with these options of the driver maps."""
        given = {name.lower(): str(value) for name, value in options.items()}
        protocol, server, account = (given.get(name, "").lower() for name in ("protocol", "server", "account"))
        return cls(given.get("share", ""), given.get("folder", ""), protocol, server, account)


def overlap(one: Folder, other: Folder) -> bool:
    """Whether two folders are equal or one contains the other."""
    first, second = _parts(one, other)
    shorter = min(len(first), len(second))
    return one.share == other.share and not _are_apart(one, other) and first[:shorter] == second[:shorter]


def nested(one: Folder, other: Folder) -> bool:
    """Whether one of two folders is inside the other."""
    first, second = _parts(one, other)
    return overlap(one, other) and first != second


def _are_apart(one: Folder, other: Folder) -> bool:
    """Whether shares of one name are two: one of them the host's, or each of a server or an account that is named.

    Of one server under two names only the plugin knows.
    """
    if one.protocol and other.protocol and (one.protocol == "local") != (other.protocol == "local"):
        return True
    if one.server or other.server:
        return bool(one.server and other.server) and one.server != other.server
    return bool(one.account and other.account) and one.account != other.account


def _parts(*folders: Folder) -> list[list[str]]:
    paths = [folder.path for folder in folders]
    if any(folder.protocol == "smb" for folder in folders):
        paths = [_folded(path) for path in paths]
    return [[part for part in path.split("/") if part] for path in paths]


def _folded(path: str) -> str:
    """What paths have in common that an SMB server may take for one, as the plugin judges it (`azurefile.owner`)."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).upper().casefold())
    return _IGNORED.sub("", folded).replace("i\u0307", "i")
