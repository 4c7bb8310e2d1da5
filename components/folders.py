"""Folders of shares, and whether two of them have files in common."""

from __future__ import annotations

import unicodedata


def overlap(one: str, other: str, protocol: str) -> bool:
    """Whether two folders of a share are equal or one contains the other; an empty path is all of the share."""
    first, second = (_parts(path, protocol) for path in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]


def nested(one: str, other: str, protocol: str) -> bool:
    """Whether one of two folders of a share is inside the other."""
    return overlap(one, other, protocol) and _parts(one, protocol) != _parts(other, protocol)


def _parts(path: str, protocol: str) -> list[str]:
    if protocol == "smb":
        # names there differ by more than their case, and than how an accent is written
        path = unicodedata.normalize("NFC", path).casefold()
    return [part for part in path.split("/") if part]
