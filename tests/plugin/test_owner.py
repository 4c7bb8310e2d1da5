"""The owner record: what other versions of the plugin wrote is read, and which folders exclude each other."""

from typing import Any

import pytest

from azurefile import options
from azurefile.owner import Owner, conflict
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
