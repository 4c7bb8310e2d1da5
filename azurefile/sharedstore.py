"""The fence of a share that several hosts reach, in a dot-folder of the share's root.

`<key>.json` is an owner record, `<key>.lock` the lock beside it, `<key>.taken` says which hold was
voided and by whom. That mark is a file of its own, so that a holder that comes back can't
overwrite it by renewing: it looks for it after each renewal.
"""

import contextlib
import hashlib
import json
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from azurefile import liveness
from azurefile.errors import ShareError, ShareSilent
from azurefile.owner import Owner, facts
from azurefile.store import Lock, Record, is_locked
from azurefile.unusable import UnusableFolder

log = logging.getLogger(__name__)

_MUTEX_SECONDS = 1.0
# A claim of this process that hangs is not waited for for ever.
_QUEUE_SECONDS = 20.0
# Between two answers that are further apart the share may have been away.
_BREAK_SECONDS = 5.0
# How often a session is tried to be ended, and the time between.
_END_TRIES, _END_SECONDS = 36, 5.0
# A server has noticed by then that a client is gone (tcp(7): keepalive after two hours), and may use its numbers again.
_NOTICED_SECONDS = 3 * 3600.0
_MUTEX = "mutex"
_CLOCK = "clock"
# How the reading of a text ends that no plugin wrote; the last is one of lists in lists.
_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError)


class SharedFolder(Protocol):
    """Small files in one folder of a share. Every call raises ShareError if the share fails."""

    def names(self) -> list[str]:
        """The files; none if the folder is missing."""

    def read(self, name: str) -> tuple[bytes, float] | None:
        """A file and when it was written, in seconds of the server's clock; None if it is missing."""

    def write(self, name: str, data: bytes) -> float:
        """Replace a file, as a whole or not at all; returns when, by the server's clock."""

    def remove(self, name: str) -> None:
        """Delete a file; a missing one is fine."""

    def end_session(self, session: str) -> None:
        """End another client's connection, given by what its kernel calls it; one that is over is fine."""

    def lock(self, name: str) -> Lock | None:
        """Lock a file against every other client, or None if one has it."""

    def close(self) -> None:
        """End what is open to the share; the next call opens it anew."""


class SharedStore:
    """Records and locks in a `SharedFolder`."""

    shared = True

    def __init__(
        self, folder: SharedFolder, share: str, account: str = "", clock: Callable[[], float] = liveness.clock
    ) -> None:
        """Use `folder` of a `share`, reached by an `account`, if that matters."""
        self._folder = folder
        self._share = share
        self.account = account
        # This process queues here: those that poll for one file overtake each other, over one connection.
        self._queue = threading.Lock()
        self._clock = clock
        self._warned: set[str] = set()
        self._answered = self.answering_since = -math.inf

    @contextlib.contextmanager
    def mutex(self) -> Iterator[bool]:
        """Hold the share's mutex, or go on without after a second.

        A server may keep the lock of a host that vanished for minutes, and drops that of a
        connection that breaks. So a claim does not rely on it: it looks again after it wrote.
        """
        queued = self._queue.acquire(timeout=_QUEUE_SECONDS)
        try:
            with self._alone() as alone:
                yield alone
        finally:
            if queued:
                self._queue.release()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        deadline = time.monotonic() + _MUTEX_SECONDS
        while (lock := self._folder.lock(_MUTEX)) is None and time.monotonic() < deadline:
            time.sleep(random.uniform(0.005, 0.03))  # noqa: S311
        if lock is None:
            log.warning("the fence's mutex is held by a host that may be gone", extra={"share": self._share})
        try:
            yield lock is not None
        finally:
            if lock is not None:
                lock.close()

    def records(self, but: Collection[str] = ()) -> list[Record]:
        """Every record but those of `but`. One that can't be read but is renewed is of another version: in the way."""
        names = set(self._folder.names())
        if _CLOCK not in names:
            # Once the share is full it takes no new file.
            self.now()
        left_out = {f"{_name(key)}.json" for key in but}
        files = sorted(name for name in names - left_out if name.endswith(".json"))
        # A mark that is made only now voids a hold that is in the way still, for this look.
        found = (self._read(name := file.removesuffix(".json"), marked=f"{name}.taken" in names) for file in files)
        return [record for record in found if record is not None]

    def now(self) -> float:
        """Write a file, and see when the server says that was."""
        return self._folder.write(_CLOCK, b"\n")

    def write(self, owner: Owner) -> None:
        """Replace one record."""
        self._folder.write(f"{_name(owner.key)}.json", _encode(owner.to_json()))

    def take(self, owner: Owner, by: str) -> None:
        """Mark a hold as void, unless it is already: who made that mark may rely on it."""
        if not self._taken(_name(owner.key), owner.lease):
            self._folder.write(f"{_name(owner.key)}.taken", _encode({"lease": owner.lease, "by": by}))

    def spare(self, owner: Owner, by: str) -> None:
        """Remove the mark, if it is one `by` this host."""
        if self._taken(_name(owner.key), owner.lease) == by:
            self._folder.remove(f"{_name(owner.key)}.taken")

    def end_session(self, owner: Owner, age: float) -> None:
        """Have the server close a dead holder's files, which it keeps open while it has not seen that one vanish.

        What is still open can't be made anew, such as the files that a database deletes at each start.
        A copy of another share has the records of that one's holders, who live: they are left alone.
        """
        if not owner.session or owner.share != self._share or age > _NOTICED_SECONDS:
            return
        try:
            self._folder.end_session(owner.session)
        except ShareError as error:
            log.warning("a dead holder's files stay open, it is tried again", extra=facts(owner) | {"error": error})
            threading.Thread(target=self._end_late, args=(owner,), name="end-session", daemon=True).start()

    def _end_late(self, owner: Owner) -> None:
        """Go on trying: the hold is void by now, and nobody else does. In the end a server finds out by itself."""
        for _ in range(_END_TRIES):
            time.sleep(_END_SECONDS)
            try:
                self._folder.end_session(owner.session)
            except ShareError:
                continue
            return

    def lock(self, key: str) -> Lock | None:
        """Take the lock beside a record."""
        return self._folder.lock(f"{_name(key)}.lock")

    def delete(self, key: str) -> None:
        """Remove a record, its lock file and its mark."""
        # The lock first: who has it is not left without a record.
        for suffix in ("lock", "taken", "json"):
            self._folder.remove(f"{_name(key)}.{suffix}")

    def close(self) -> None:
        """End the connection, or the mount, that the folder is reached by; nothing opens it again."""
        folder, self._folder = self._folder, UnusableFolder(f'share "{self._share}": no volume uses it any more')
        folder.close()

    def read(self, key: str) -> Record | None:
        """One record."""
        return self._read(_name(key), marked=True)

    def _read(self, name: str, *, marked: bool) -> Record | None:
        """One record by its file's name; `marked`: there may be a mark beside it."""
        found = self._folder.read(f"{name}.json")
        self._note_answer()
        if found is None:
            return None
        data, written = found
        try:
            owner = Owner.from_json(json.loads(data))
            if _name(owner.key) != name:
                # A copy that a backup or a sync left: its mark would be looked for under another name than it gets.
                raise ValueError(f"it is the record {owner.key}")
        except _UNREADABLE as error:
            if is_locked(self, name):
                if not data:
                    raise ShareSilent(
                        f'share "{self._share}": the owner record {name}.json is being written'
                    ) from error
                raise ShareError(
                    f'share "{self._share}": the owner record {name}.json of a plugin that runs can\'t be read; '
                    "use the same version of the plugin on every host"
                ) from error
            self._warn_once("owner record not readable", f"{name}.json", error)
            return None
        self._warned.discard(f"{name}.json")
        # What was given back needs no mark.
        marked = marked and owner.released is None
        return Record(owner, written, self._taken(name, owner.lease) if marked else "")

    def _note_answer(self) -> None:
        now = self._clock()
        if now - self._answered > _BREAK_SECONDS:
            self.answering_since = now
        self._answered = now

    def _taken(self, name: str, lease: str) -> str:
        mark = self._folder.read(f"{name}.taken")
        if mark is None:
            return ""
        try:
            data = json.loads(mark[0])
            return str(data["by"]) if data["lease"] == lease else ""
        except _UNREADABLE as error:
            self._warn_once("mark not readable", f"{name}.taken", error)
            return ""

    def _warn_once(self, message: str, file: str, error: Exception) -> None:
        """Such a file may be there for years, and is looked at with each claim."""
        if file not in self._warned:
            self._warned.add(file)
            log.warning(message, extra={"share": self._share, "file": file, "error": error})


def _name(key: str) -> str:
    """A file's name for a key, also where names differ by more than their case."""
    if key == key.lower():
        return key
    return f"{key.lower()}~{hashlib.sha256(key.encode()).hexdigest()[:8]}"


def _encode(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"
