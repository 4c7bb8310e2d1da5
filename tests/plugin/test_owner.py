"""The owner record: what other versions of the plugin wrote is read, and which folders exclude each other."""

import sys
import unicodedata
from typing import Any

import pytest

from azurefile import options
from azurefile.owner import Owner, _folded, conflict
from tests.plugin.shared import Machine

OLDEST: dict[str, Any] = {
    "volume": "dbs",
    "share": "dbs",
    "folder": "",
    "exclusive": True,
    "plugin": "azurefile",
    "plugin_pid": 1,
    "host": "one",
    "boot": "b",
    "since": "2026-01-01T00:00:00Z",
    "renewed": "2026-01-01T00:00:01Z",
    "released": None,
    "containers": [{"id": "c1", "name": "mydb"}],
}


def test_a_record_that_lacks_what_came_later_is_read() -> None:
    owner = Owner.from_json(OLDEST)
    assert (owner.key, owner.mounts, owner.takeover) == ("azurefile.dbs", 1, 0.0)
    assert owner.containers[0].pid is None


def test_a_record_with_more_than_is_known_is_read() -> None:
    later = OLDEST | {"news": 1, "containers": [{"id": "c1", "name": "mydb", "news": 1}]}
    assert Owner.from_json(later) == Owner.from_json(OLDEST)


@pytest.mark.parametrize("lost", ["volume", "boot", "renewed", "containers"])
def test_a_record_without_what_every_version_writes_is_none(lost: str) -> None:
    with pytest.raises((KeyError, TypeError)):
        Owner.from_json({key: value for key, value in OLDEST.items() if key != lost})


@pytest.mark.parametrize(
    "wrong",
    [
        {"folder": 5},
        {"exclusive": 1},
        {"plugin_pid": True},
        {"since": None},
        {"mounts": "1"},
        {"takeover": True},
        {"containers": [{"id": "c1", "name": "mydb", "pid": "/host/pipe", "ticks": 1}]},
        {"containers": [{"id": "c1", "name": "mydb", "pid": 1.5}]},
        {"containers": [{"id": "c1", "name": ["mydb"]}]},
        {"engine": {"pid": "/host/pipe", "ticks": 1}},
    ],
    ids=str,
)
def test_a_record_with_a_field_of_another_type_is_none(wrong: dict[str, Any]) -> None:
    """A pid that is a path would be read: of a pipe, for ever."""
    with pytest.raises(ValueError, match=r"^\w+ is of the type "):
        Owner.from_json(OLDEST | wrong)


@pytest.mark.parametrize(("protocol", "excluded"), [("smb", True), ("local", False)])
def test_letters_with_more_than_two_cases_name_one_folder_on_smb(one: Machine, protocol: str, excluded: bool) -> None:
    """A sigma at a word's end is written in another way than inside of it, and both are one in upper case."""
    owner = one.claim(folder="πίνακας").owner
    wanted = options.parse("b", {"protocol": protocol, "share": "dbs", "folder": "ΠΊΝΑΚΑσ/x"}, {})
    assert conflict(owner, wanted) is excluded


@pytest.mark.parametrize(
    ("holder", "other", "excluded"),
    [
        ("smb", "smb", True),
        ("smb", "nfs", True),
        ("nfs", "smb", True),
        ("nfs", "nfs", False),
        ("", "nfs", True),
        ("", "smb", True),
        ("of a later version", "nfs", True),
        ("local", "local", False),
        ("", "local", False),
    ],
)
def test_names_that_differ_in_case_are_one_folder_unless_no_side_is_smb(
    holder: str, other: str, excluded: bool
) -> None:
    """One server may give a folder by both, and a record of an earlier version does not say by which it is held."""
    owner = Owner.from_json(OLDEST | {"folder": "Data", "protocol": holder})
    given = {"protocol": other, "share": "dbs", "folder": "data/x"}
    if other != "local":
        given["server"] = "192.0.2.1"
    assert conflict(owner, options.parse("b", given, {})) is excluded
    claimed = Owner.from_json(OLDEST | {"folder": "data/x", "protocol": other})
    assert conflict(owner, claimed) is excluded


@pytest.mark.parametrize(("one", "other"), [("\u0390", "\u03aa\u0301"), ("\u03b0", "\u03ab\u0301"), ("b", "b\ufe0f")])
def test_a_letter_with_two_accents_has_a_capital_and_what_nobody_sees_is_nothing(one: str, other: str) -> None:
    assert _folded(f"d{one}r") == _folded(f"d{other}r")


@pytest.mark.parametrize(("one", "other"), [("\u0131", "I"), ("\u0131", "i"), ("\u0130", "i"), ("I\u0307", "\u0130")])
def test_letters_that_are_one_in_upper_or_lower_case_alone_are_one(one: str, other: str) -> None:
    assert _folded(f"d{one}r") == _folded(f"d{other}r")


def test_no_two_letters_differ_that_have_one_case_folding() -> None:
    known: dict[str, str] = {}
    for letter in map(chr, range(sys.maxunicode + 1)):
        folding = unicodedata.normalize("NFC", letter).casefold()
        assert known.setdefault(folding, _folded(letter)) == _folded(letter)
        # Of several letters, too: what is made of each one depends on its case folding alone.
        assert _folded(folding) == _folded(letter)
