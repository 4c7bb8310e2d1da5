"""Whether two folders of shares have files in common, as far as settings and state say where they are."""

from __future__ import annotations

from typing import Any

import pytest

from components.folders import Folder, nested, overlap


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ({"protocol": "smb", "server": "A"}, {"Protocol": "SMB", "Server": "a"}, True),
        ({"protocol": "smb", "server": "a"}, {"protocol": "nfs", "server": "a"}, True),
        ({"protocol": "smb", "server": "a"}, {"protocol": "smb", "server": "b"}, False),
        ({"protocol": "smb", "account": "a"}, {"protocol": "smb", "account": "b"}, False),
        # two logins of one server, and what may be the account's own
        ({"server": "s", "account": "a"}, {"server": "s", "account": "b"}, True),
        ({"server": "s"}, {"account": "b"}, True),
        ({"protocol": "local"}, {"protocol": "nfs", "server": "a"}, False),
        # a state of old says nothing
        ({}, {"protocol": "local"}, True),
        ({"share": "data"}, {"share": "other"}, False),
    ],
)
def test_folders_of_shares_that_may_be_one_have_files_in_common(
    one: dict[str, Any], other: dict[str, Any], common: bool
) -> None:
    here, there = (Folder.of({"share": "data", **options}) for options in (one, other))
    assert overlap(here, there) == overlap(there, here) == common
    inside = Folder.of({"share": "data", **other, "folder": "in"})
    assert nested(here, inside) == nested(inside, here) == common
    assert not nested(here, there)
