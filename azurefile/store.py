"""What the fence asks of a share. `FlockStore` and `SharedStore` are the two answers."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from azurefile.errors import ShareSilent
from azurefile.owner import Owner


@dataclass(frozen=True)
class Record:
    """An owner record as it was found."""

    owner: Owner
    # When it was written, by the share's own clock, in seconds.
    written: float = 0.0
    # Who took the folder over from this very hold, if somebody did.
    taken_by: str = ""

    @property
    def in_force(self) -> bool:
        """Whether the hold was neither given back nor taken."""
        return self.owner.released is None and not self.taken_by


class Lock(Protocol):
    """A lock that ends with `close`, with this process, or with the connection to the share."""

    def close(self) -> None:
        """Give it back."""

    def confirm(self) -> bool:
        """Ask the share whether the lock is still held. Raises ShareError if it does not answer."""

    def room(self) -> int | None:
        """The bytes that are left on the share, None if that is not told. Raises ShareError if it does not answer."""


class LockStore(Protocol):
    """Where one share keeps its fence; keys are `Owner.key`. Raises ShareError for a share that fails."""

    # Whether other hosts reach the share too.
    shared: bool
    # By which account it is reached; empty where there is none.
    account: str
    # Since when it has answered this process without a break, by the clock that nobody sets.
    answering_since: float

    def mutex(self) -> AbstractContextManager[bool]:
        """Exclude every other plugin for the length of one claim; False if one that vanished has it."""

    def records(self, but: Collection[str] = ()) -> list[Record]:
        """Every record that can be read, but those of these keys."""

    def now(self) -> float:
        """What the share's own clock says, in seconds, which tells how old its records are."""

    def read(self, key: str) -> Record | None:
        """One record."""

    def write(self, owner: Owner) -> None:
        """Write or replace one record."""

    def take(self, owner: Owner, by: str) -> None:
        """Void another's hold, so that it finds out when it comes back; `by` is this host."""

    def spare(self, owner: Owner, by: str) -> None:
        """Take back what `take` did, if it was the same, for a holder that turned out to be alive."""

    def end_session(self, owner: Owner, age: float) -> None:
        """Have the server end what a holder that died `age` seconds ago still has open, as far as it can be told."""

    def lock(self, key: str) -> Lock | None:
        """Take the lock beside a record, or None while another process has it."""

    def delete(self, key: str) -> None:
        """Remove a record and its lock."""

    def close(self) -> None:
        """End what is open to the share: no volume uses it any more."""


def is_locked(store: LockStore, key: str) -> bool:
    """Whether some process has the lock beside a record."""
    lock = store.lock(key)
    if lock is None:
        return True
    lock.close()
    return False


def others(store: LockStore, owner: Owner, but: Collection[str] = ()) -> list[Record]:
    """Every record but the owner's own, which was just written, and those of `but`, on a share that other hosts reach.

    Raises ShareSilent if that one is not listed, since then others may be missing, too: an NFS server may answer with
    an error that the C library, and so Python, takes for the end of the folder (readdir(3), ENOENT).
    """
    records = store.records(but=but)
    found = [record for record in records if record.owner.lease != owner.lease]
    if len(found) == len(records):
        raise ShareSilent(
            f'share "{owner.share}": its server does not list a record that was just written; check its server'
        )
    return found
