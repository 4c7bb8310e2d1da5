"""A record that somebody deleted from the share: it is written again, or its holder gives way to who was let in."""

import pytest

from azurefile.errors import ShareSilent
from azurefile.held import Held
from azurefile.lease import TakenOver
from tests.plugin.shared import Machine, MemoryFolder


def test_a_holder_whose_record_was_deleted_gives_way_to_who_was_let_in(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim(folder="a")
    one.claim("other", folder="c")
    _delete_records(folder)
    heir = two.claim(folder="A/b")
    with pytest.raises(TakenOver, match="its record was deleted from the share, and two was let in"):
        one.leases.renew(lease)
    two.leases.renew(heir)


def test_a_listing_without_its_own_record_tells_no_holder_that_nobody_was_let_in(
    folder: MemoryFolder, one: Machine, two: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = one.claim()
    _delete_records(folder)
    two.claim()
    confirmed = lease.confirmed
    with monkeypatch.context() as patched:
        patched.setattr(folder, "names", list)
        with pytest.raises(ShareSilent, match="does not list"):
            one.leases.renew(lease)
    assert lease.confirmed == confirmed
    with pytest.raises(TakenOver, match="two was let in"):
        one.leases.renew(lease)


def test_a_record_that_was_deleted_is_written_again_where_nobody_was_let_in(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    lease = one.claim()
    _delete_records(folder)
    one.leases.renew(lease)
    with pytest.raises(Held):
        two.claim()


def _delete_records(folder: MemoryFolder) -> None:
    """As somebody does who tidies the share."""
    for name in [name for name in folder.files if name.endswith(".json")]:
        del folder.files[name]
