"""One file or folder on an SMB share, by a connection that is open."""

# mypy: disable-error-code="import-untyped"
import contextlib
from collections.abc import Iterator
from typing import Any

from smbprotocol.file_info import FileFsFullSizeInformation
from smbprotocol.open import (
    CreateOptions,
    ImpersonationLevel,
    Open,
    ShareAccess,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
)

from azurefile.optionvalues import RESERVED_FOLDER

ANYBODY = ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE
_FILE_BYTES = 256 * 1024


def room(file: Any) -> int | None:
    """What is left of the share that an open file is on: MS-FSCC 2.5.4."""
    told = FileFsFullSizeInformation()
    query = SMB2QueryInfoRequest()
    query["info_type"] = told.INFO_TYPE
    query["file_info_class"] = told.INFO_CLASS
    query["output_buffer_length"] = len(told)
    query["file_id"] = file.file_id
    connection, tree = file.connection, file.tree_connect
    request = connection.send(query, sid=tree.session.session_id, tid=tree.tree_connect_id)
    answer = SMB2QueryInfoResponse()
    answer.unpack(connection.receive(request)["data"].get_value())
    told.unpack(answer["buffer"].get_value())
    total, left, _, sectors, size = (field.get_value() for field in told.fields.values())
    return int(left * sectors * size) if total else None


def whole(file: Any, known: bytes | None) -> bytes:
    """The contents of an open file. A server may give half of what another client writes just now, but not twice.

    What is as it was `known` to be is no half of anything.
    """
    if not file.end_of_file:
        return b""
    data = bytes(file.read(0, _FILE_BYTES))
    while data != known and (again := bytes(file.read(0, _FILE_BYTES))) != data:
        data = again
    return data


@contextlib.contextmanager
def opened(tree: Any, name: str, access: int, disposition: int, *, delete: bool = False) -> Iterator[Any]:
    """An open file of the fence, which others may open, too; closed at the end, and deleted then if asked to."""
    file = Open(tree, path(name))
    options = CreateOptions.FILE_DELETE_ON_CLOSE if delete else 0
    create(file, access, ANYBODY, disposition, options)
    try:
        yield file
    finally:
        if file.connected:
            with contextlib.suppress(Exception):
                file.close()


def create(file: Any, access: int, share: int, disposition: int, options: int, attributes: int = 0) -> None:
    """Open what is there, or make it, as the disposition says."""
    file.create(ImpersonationLevel.Impersonation, access, attributes, share, disposition, options)


def path(name: str) -> str:
    """Where the fence has the file of that name; its folder for none."""
    return f"{RESERVED_FOLDER}\\{name}" if name else RESERVED_FOLDER
