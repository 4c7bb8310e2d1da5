"""Folders of shares, and whether two of them have files in common."""

from __future__ import annotations


def overlap(one: str, other: str) -> bool:
    """Whether two folders of a share are equal or one contains the other; an empty path is all of the share."""
    first, second = ([part for part in path.split("/") if part] for path in (one, other))
    shorter = min(len(first), len(second))
    return first[:shorter] == second[:shorter]
