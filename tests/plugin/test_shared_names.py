"""The fence between hosts: which folders are one, by whatever name and protocol they are reached."""

import pytest

from azurefile.held import Held
from tests.plugin.shared import Machine, MemoryFolder


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        ({"folder": "a"}, {"folder": "A/b"}, True),
        ({"folder": "a"}, {"folder": "ab"}, False),
        ({"folder": "m\u00fcller"}, {"folder": "MU\u0308LLER/a"}, True),
        ({}, {"exclusive": "false"}, True),
        ({"exclusive": "false"}, {"exclusive": "false"}, False),
    ],
)
def test_folders_on_smb_overlap_whatever_their_case(
    one: Machine, two: Machine, mine: dict[str, str], theirs: dict[str, str], refused: bool
) -> None:
    one.claim(**mine)
    if refused:
        with pytest.raises(Held):
            two.claim(**theirs)
    else:
        two.claim(**theirs)


@pytest.mark.parametrize(("mine", "theirs"), [("smb", "nfs"), ("nfs", "smb")])
def test_a_folder_that_is_held_over_the_other_protocol_is_known_whatever_its_case(
    one: Machine, two: Machine, mine: str, theirs: str
) -> None:
    one.claim(folder="Data", protocol=mine, server="192.0.2.1")
    with pytest.raises(Held):
        two.claim(folder="data", protocol=theirs, server="192.0.2.1")


def test_two_folders_on_nfs_stay_two_when_a_record_was_deleted(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim(folder="Data", protocol="nfs", server="192.0.2.1")
    two.claim(folder="data", protocol="nfs", server="192.0.2.1")
    del folder.files[f"{lease.owner.key}.json"]
    one.leases.renew(lease)
    assert one.store.read(lease.owner.key) is not None


def test_a_share_of_two_names_is_one_share(one: Machine, two: Machine) -> None:
    one.claim(share="dbs")
    with pytest.raises(Held):
        two.claim(share="alias")


def test_volume_names_that_differ_in_case_only_have_records_of_their_own(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    one.claim("db", folder="a")
    one.claim("DB", folder="b")
    assert len({name.casefold() for name in folder.files if name.endswith(".json")}) == 2
    with pytest.raises(Held, match='volume "DB"'):
        two.claim("x", folder="b")
