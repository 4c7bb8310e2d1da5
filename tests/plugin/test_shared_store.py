"""The files and locks under a shared fence, on a real SMB server and in a mounted folder."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azurefile.errors import ShareError, ShareSilent
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols.nfs_folder import MountedFolder
from azurefile.protocols.smb_client import SmbShare
from azurefile.sharedstore import SharedFolder
from tests.machines.samba import SambaServer
from tests.plugin.smb_share import smb

pytestmark = pytest.mark.root

Connect = Callable[[], SharedFolder]


class Mounted:
    """A folder in the place of a mounted share, which its server may have made anew."""

    def __init__(self, *places: Path) -> None:
        self.places = list(places)
        self.elsewhere = False

    def opened(self) -> int:
        return os.open(self.places[0], os.O_PATH | os.O_DIRECTORY)

    def moved(self) -> bool:
        return self.elsewhere

    def drop(self) -> None:
        del self.places[0]


@pytest.fixture(params=["smb", "folder"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connect]:
    """Each call is another client of the same folder."""
    if request.param == "folder":
        yield lambda: MountedFolder(Mounted(tmp_path), "dbs")
        return
    server = request.getfixturevalue("samba")
    opened: list[SmbShare] = []

    def new() -> SharedFolder:
        opened.append(smb(server))
        return opened[-1]

    yield new
    for name in opened[0].names():
        if not name.startswith("."):
            opened[0].remove(name)
    for share in opened:
        share.close()


def test_files_are_written_read_listed_and_removed(connect: Connect) -> None:
    one, two = connect(), connect()
    assert one.read("a.json") is None
    one.remove("a.json")
    before = one.write("clock", b"\n")
    written = one.write("a.json", b'{"a": 1}\n')
    assert 0 <= written - before < 5
    found = two.read("a.json")
    assert found is not None
    assert found[0] == b'{"a": 1}\n'
    assert found[1] == pytest.approx(written, abs=0.01)
    assert {"a.json", "clock"} <= set(two.names())
    two.remove("a.json")
    assert one.read("a.json") is None


def test_a_shorter_text_replaces_a_longer_one(connect: Connect) -> None:
    one = connect()
    one.write("a.json", b"[1, 2, 3, 4, 5, 6]\n")
    one.write("a.json", b"[1]\n")
    found = one.read("a.json")
    assert found is not None
    assert found[0].split() == [b"[1]"]


def test_a_large_file_comes_back_whole(connect: Connect) -> None:
    one = connect()
    one.write("a.json", b"x" * 150_000 + b"\n")
    found = connect().read("a.json")
    assert found is not None
    assert found[0] == b"x" * 150_000 + b"\n"


def test_one_client_has_a_lock_until_it_gives_it_back(connect: Connect) -> None:
    one, two = connect(), connect()
    lock = one.lock("a.lock")
    assert lock is not None
    assert lock.confirm()
    assert two.lock("a.lock") is None
    assert one.lock("a.lock") is None
    lock.close()
    again = two.lock("a.lock")
    assert again is not None
    again.close()


def test_readers_never_see_half_a_record(connect: Connect) -> None:
    one, two = connect(), connect()
    texts = {b"[" + letter * 3000 + b"]\n" for letter in (b"a", b"b")}
    one.write("a.json", min(texts))
    end = threading.Event()

    def write() -> None:
        while not end.is_set():
            for text in texts:
                one.write("a.json", text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            found = two.read("a.json")
            assert found is not None
            assert found[0] in texts
    finally:
        end.set()
        writer.join()


def test_a_share_that_was_made_anew_is_mounted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel answers ESTALE for ever to who has the old one open."""
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    (old / RESERVED_FOLDER).mkdir(parents=True)
    share = MountedFolder(Mounted(old, new), "dbs")
    listdir = os.listdir

    def stale(folder: int) -> list[str]:
        if os.path.samestat(os.fstat(folder), (old / RESERVED_FOLDER).stat()):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return listdir(folder)

    monkeypatch.setattr(os, "listdir", stale)
    with pytest.raises(ShareError, match="Stale file handle"):
        share.names()
    share.write("a.json", b"{}\n")
    assert share.names() == ["a.json"]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_server_that_is_elsewhere_now_is_mounted_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    """The kernel asks for a name's address once, with the mount."""
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    (old / RESERVED_FOLDER).mkdir(parents=True)
    root = Mounted(old, new)
    root.elsewhere = elsewhere
    share = MountedFolder(root, "dbs")

    def silent(_: int) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", silent)
        with pytest.raises(ShareSilent, match="Input/output error"):
            share.names()
    assert (root.places == [new]) is elsewhere


def test_a_share_that_may_not_be_written_says_so_and_is_not_waited_for(
    samba: SambaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samba.add_share("fixed", read_only=True)
    with pytest.raises(ShareError, match=r'"fixed": the account may not write .azurefile in the share') as smb_said:
        smb(samba, "fixed").write("a.json", b"{}\n")

    def forbidden(*_: object, **__: object) -> int:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "mkdir", forbidden)
    with pytest.raises(ShareError, match=r"does not let root of this host write .azurefile .* root squash") as nfs_said:
        MountedFolder(Mounted(tmp_path), "fixed").write("a.json", b"{}\n")
    assert not any(isinstance(said.value, ShareSilent) for said in (smb_said, nfs_said))


def test_many_threads_of_a_host_write_one_file(tmp_path: Path) -> None:
    share = MountedFolder(Mounted(tmp_path), "dbs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: share.write("clock", b"\n"), range(400)))
    assert share.names() == ["clock"]
