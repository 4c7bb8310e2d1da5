"""A connection to one SMB share in user space, for the fence: small files and exclusive opens.

It is kept open, made anew when it broke, and bounded in time. The data goes through the kernel's
client, never through here.
"""

# mypy: disable-error-code="import-untyped"
import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from smbprotocol.exceptions import (
    AccessDenied,
    DeletePending,
    NoMoreFiles,
    NoSuchFile,
    ObjectNameCollision,
    ObjectNameNotFound,
    ObjectPathNotFound,
    SharingViolation,
    SMBResponseException,
)
from smbprotocol.file_info import FileInformationClass
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    DirectoryAccessMask,
    FileAttributes,
    FilePipePrinterAccessMask,
    Open,
    QueryDirectoryFlags,
)
from smbprotocol.tree import TreeConnect

from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareSilent
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols import smb_file
from azurefile.protocols.smb_connection import log_off, refused, words
from azurefile.protocols.smb_logins import SmbLogins
from azurefile.protocols.smb_sessions import session_id

log = logging.getLogger(__name__)

T = TypeVar("T")

# A file that somebody deletes is there until the last that has it open closes it, perhaps a host that vanished.
_MISSING = (NoSuchFile, ObjectNameNotFound, ObjectPathNotFound, DeletePending)
_IN_USE = (SharingViolation, DeletePending)
_NOBODY = 0
_READ = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
_WRITE = FilePipePrinterAccessMask.FILE_WRITE_DATA | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES
# MS-ERREF 2.3.1, STATUS_QUOTA_EXCEEDED and STATUS_DISK_FULL: answers after which the connection and its locks stand.
_FULL = (0xC0000044, 0xC000007F)


class SmbShare:
    """One share on one server as one account. Every call raises ShareError if the share fails."""

    def __init__(self, share: str, port: int, credentials: Callable[[], Credentials]) -> None:
        """Connect when first needed; `credentials` is asked again for each connection."""
        self._share = share
        self._port = port
        self._credentials = credentials
        self._logins = SmbLogins(share, port)
        self._guard = threading.RLock()
        self._tree: Any = None
        self._previous_session = 0
        # The fence's folder, for a second look.
        self._folder: Any = None
        # Each file as this process wrote it last.
        self._written: dict[str, bytes] = {}
        # Opens belong to the connection that made them.
        self.generation = 0

    def connect(self) -> None:
        """Make sure that a connection stands."""
        with self._guard:
            if self._tree is None:
                self._tree = self._connect()
                self.generation += 1

    def close(self) -> None:
        """Log off."""
        with self._guard:
            tree, self._tree, self._folder = self._tree, None, None
            if tree is not None:
                log_off(tree.session)

    def names(self) -> list[str]:
        """The files of the fence's folder, which stays open until a lock is given back: a claim looks twice."""

        def work(tree: Any) -> list[str]:
            found: list[str] = []
            flags = QueryDirectoryFlags.SMB2_RESTART_SCANS
            # The end of the list is an error of its own.
            with contextlib.suppress(NoMoreFiles, *_MISSING):
                if self._folder is None:
                    folder = Open(tree, RESERVED_FOLDER)
                    smb_file.create(
                        folder,
                        DirectoryAccessMask.FILE_LIST_DIRECTORY,
                        smb_file.ANYBODY,
                        CreateDisposition.FILE_OPEN,
                        0,
                    )
                    self._folder = folder
                while True:
                    entries = self._folder.query_directory("*", FileInformationClass.FILE_NAMES_INFORMATION, flags)
                    found += [entry["file_name"].get_value().decode("utf-16-le") for entry in entries]
                    flags = 0
            return found

        return self._call(work)

    def read(self, name: str) -> tuple[bytes, float] | None:
        """A file and when it was written, by the server's clock."""

        def work(tree: Any) -> tuple[bytes, float] | None:
            try:
                with smb_file.opened(tree, name, _READ, CreateDisposition.FILE_OPEN) as file:
                    return smb_file.whole(file, self._written.get(name)), file.last_write_time.timestamp()
            except _MISSING:
                return None

        return self._call(work)

    def write(self, name: str, data: bytes) -> float:
        """Replace a file; returns when, by the server's clock.

        One write over the whole of the old text, so that a reader never sees half of it: what was
        longer before is covered with spaces.
        """

        def work(tree: Any) -> float:
            with self._making(tree), smb_file.opened(tree, name, _WRITE, CreateDisposition.FILE_OPEN_IF) as file:
                text = data.rstrip().ljust(file.end_of_file - 1) + b"\n"
                file.write(text, write_through=True)
                self._written[name] = text
                file.close(get_attributes=True)
                written: float = file.last_write_time.timestamp()
                return written

        return self._call(work)

    def remove(self, name: str) -> None:
        """Delete a file; a missing one is fine."""

        def work(tree: Any) -> None:
            with contextlib.suppress(*_MISSING):
                access = FilePipePrinterAccessMask.DELETE
                with smb_file.opened(tree, name, access, CreateDisposition.FILE_OPEN, delete=True):
                    pass

        self._call(work)
        self._written.pop(name, None)

    def end_session(self, session: str) -> None:
        """End a session of this account, as a record has it, with all that it has open; one that is over is fine.

        By a session that names it as the one before it: MS-SMB2 3.3.5.5.3.
        """
        try:
            number = session_id(session)
        except ValueError:
            # A record is what somebody wrote to the share.
            log.warning("no session", extra={"share": self._share, "session": str(session)[:64]})
            return
        if not number:
            return
        log_off(self._logins.begin(self._credentials(), number))

    def lock(self, name: str) -> "SmbLock | None":
        """Open a file so that nobody else can, or None if somebody has it open."""

        def work(tree: Any) -> "SmbLock | None":
            file = Open(tree, smb_file.path(name))
            try:
                with self._making(tree):
                    smb_file.create(file, _READ | _WRITE, _NOBODY, CreateDisposition.FILE_OPEN_IF, 0)
            except _IN_USE:
                return None
            return SmbLock(self, file, self.generation)

        return self._call(work)

    def confirm(self, lock: "SmbLock") -> bool:
        """Write through a lock's own open; False if its connection is gone."""

        def work(tree: Any) -> bool:
            if lock.generation != self.generation:
                return False
            try:
                lock.file.write(b"\n")
            except SMBResponseException as error:
                # That a full share takes no byte was said by way of the open, which so stands.
                if error.status not in _FULL:
                    raise
            return True

        return self._call(work)

    def room(self, lock: "SmbLock") -> int | None:
        """The bytes that this account may still write, asked through a lock's own open; None if that is not told."""

        def work(_: Any) -> int | None:
            if lock.generation != self.generation:
                return None
            try:
                return smb_file.room(lock.file)
            except SMBResponseException:
                # Who does not say keeps the connection, and with it every lock.
                return None

        return self._call(work)

    def end(self, lock: "SmbLock") -> None:
        """Close a lock's open, and the folder that was looked at; a broken connection has closed them already."""
        if self._tree is None or lock.generation != self.generation:
            # A server that is away is not waited for.
            return
        with self._guard:
            if lock.generation != self.generation:
                return
            folder, self._folder = self._folder, None
            for file in (lock.file, folder):
                if file is not None:
                    with contextlib.suppress(Exception):
                        file.close()

    def _call(self, work: Callable[[Any], T]) -> T:
        """Do some work with the share, once more on a new connection if the old one turns out to be broken.

        What ended the library's own thread, whatever that was, is raised here by each call.
        """
        with self._guard:
            fresh = self._tree is None
            self.connect()
            try:
                return work(self._tree)
            except Exception as error:
                self._failed(error)
                if fresh:
                    raise self._error(error) from error
            self.connect()
            try:
                return work(self._tree)
            except Exception as error:
                self._failed(error)
                raise self._error(error) from error

    def _failed(self, error: Exception) -> None:
        """End the connection, unless the server only said no to this one call: then raise that."""
        if isinstance(error, SMBResponseException) and error.status in _FULL:
            raise ShareError(f'share "{self._share}" is full; raise its quota or make room') from error
        if isinstance(error, _IN_USE):
            raise ShareSilent(
                f'share "{self._share}": another program has one of the files in {RESERVED_FOLDER} open for itself '
                f"({words(error)}); end that program"
            ) from error
        self._break()

    def _error(self, error: Exception) -> ShareError:
        """What a new connection said, too."""
        if isinstance(error, AccessDenied):
            return ShareError(
                f'share "{self._share}": the account may not write {RESERVED_FOLDER} in the share\'s root, where the '
                "fence is; allow it there"
            )
        return ShareSilent(f'share "{self._share}" fails: {words(error)}; check its server')

    def _connect(self) -> Any:
        credentials = self._credentials()
        session = self._logins.begin(credentials, self._previous_session)
        self._previous_session = session.session_id
        try:
            tree = TreeConnect(session, rf"\\{credentials.server}\{self._share}")
            tree.connect()
        except Exception as error:
            with contextlib.suppress(Exception):
                session.connection.disconnect(close=False)
            raise refused(error, self._share, self._port, credentials) from error
        log.debug("fence connected", extra={"server": credentials.server, "share": self._share})
        return tree

    def _break(self) -> None:
        tree, self._tree, self._folder = self._tree, None, None
        if tree is not None:
            with contextlib.suppress(Exception):
                tree.session.connection.disconnect(close=False)

    @contextlib.contextmanager
    def _making(self, tree: Any) -> Iterator[None]:
        """Make the fence's folder before its first file."""
        if getattr(tree, "has_fence", False):
            yield
            return
        with contextlib.suppress(ObjectNameCollision):
            folder = Open(tree, RESERVED_FOLDER)
            smb_file.create(
                folder,
                DirectoryAccessMask.FILE_LIST_DIRECTORY,
                smb_file.ANYBODY,
                CreateDisposition.FILE_OPEN_IF,
                CreateOptions.FILE_DIRECTORY_FILE,
                FileAttributes.FILE_ATTRIBUTE_HIDDEN,
            )
            folder.close()
        tree.has_fence = True
        yield


class SmbLock:
    """A file that is open for nobody else."""

    def __init__(self, share: SmbShare, file: Any, generation: int) -> None:
        """Own an open file of one connection."""
        self.file = file
        self.generation = generation
        self._share = share

    def close(self) -> None:
        """Give the lock back."""
        self._share.end(self)

    def confirm(self) -> bool:
        """Whether the connection that holds it still stands."""
        return self._share.confirm(self)

    def room(self) -> int | None:
        """The bytes that are left on the share."""
        return self._share.room(self)
