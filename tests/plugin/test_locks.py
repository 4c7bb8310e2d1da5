"""The fence and its flocks by themselves, for moments that a process can't be made to meet."""

import fcntl
from pathlib import Path

import pytest

from azurefile import options
from azurefile.fence import Fence, Held
from azurefile.protocols.local import FlockStore
from azurefile.volumes import Volume


def volume(name: str, **given: str) -> Volume:
    parsed = options.parse(name, {"share": "dbs", "exclusive": "true", **given}, {})
    return Volume(name, parsed, given, "")


def test_a_lock_file_deleted_while_it_is_locked_excludes_nobody_and_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FlockStore(tmp_path)
    flock = fcntl.flock
    deletions = [tmp_path / "key.lock"]

    def delete_then_lock(descriptor: int, operation: int) -> None:
        for path in deletions:
            path.unlink()
        deletions.clear()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", delete_then_lock)
    lock = store.lock("key")
    assert lock is not None
    assert store.locked("key")
    lock.close()
    assert not store.locked("key")


@pytest.mark.parametrize("running", [True, None])
def test_a_nameless_holder_is_looked_up_only_after_the_engine_restarted(
    tmp_path: Path, running: bool | None
) -> None:
    answers: list[bool | None] = [running]
    fence = Fence("azurefile", "host", lambda _: answers[0], lambda: False)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    lease = fence.lease("one")
    assert lease is not None
    lease.owner.since -= 60
    answers[0] = False
    with pytest.raises(Held):
        fence.claim(volume("two"), store, rejoin=False)
    fence.engine_reconnected()
    answers[0] = running
    with pytest.raises(Held):
        fence.claim(volume("two"), store, rejoin=False)
    answers[0] = False
    fence.claim(volume("two"), store, rejoin=False)
    assert fence.lease("one") is None
    assert not fence.alive("one")


def test_renewing_shows_in_the_record_until_it_is_released(tmp_path: Path) -> None:
    fence = Fence("azurefile", "host", lambda _: True, lambda: False)
    store = FlockStore(tmp_path)
    fence.claim(volume("one"), store, rejoin=False)
    before = store.owners()[0]
    fence.renew()
    renewed = store.owners()[0]
    assert renewed.renewed > before.renewed
    assert renewed.since == before.since
    fence.release("one")
    fence.renew()
    released = store.owners()[0]
    assert released.released is not None
    assert released.renewed == renewed.renewed
