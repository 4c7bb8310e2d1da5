"""The files and locks under a shared fence, on a real SMB server and in a mounted folder."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from smbprotocol.exceptions import UserSessionDeleted  # type: ignore[import-untyped]
from smbprotocol.open import Open  # type: ignore[import-untyped]

from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareMissing, ShareSilent
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols import smb_connection
from azurefile.protocols.nfs_folder import MountedFolder
from azurefile.protocols.smb_client import SmbShare
from azurefile.sharedstore import SharedFolder
from tests.machines.samba import SambaServer
from tests.plugin.harness import eventually

pytestmark = pytest.mark.root

Connect = Callable[[], SharedFolder]


class Mounted:
    """A folder in the place of a mounted share, which its server may have made anew."""

    def __init__(self, *places: Path) -> None:
        self.places = list(places)
        self.elsewhere = False

    def path(self) -> Path:
        return self.places[0]

    def moved(self) -> bool:
        return self.elsewhere

    def drop(self) -> None:
        del self.places[0]


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaServer]:
    with SambaServer() as server:
        server.add_share("dbs")
        yield server


def smb(samba: SambaServer, share: str = "dbs", **given: object) -> SmbShare:
    values = {"account": samba.account, "server": "127.0.0.1", "key": samba.key, **given}
    return SmbShare(share, samba.port, lambda: Credentials(**values))  # type: ignore[arg-type]


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
    started = time.monotonic()
    assert two.lock("a.lock") is None
    assert one.lock("a.lock") is None
    assert time.monotonic() - started < 0.5
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


def test_what_a_server_gives_half_is_read_again(samba: SambaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    one = smb(samba)
    one.write("a.json", b"new\n")
    halves, read = [b"neO\n", b"nLD\n"], Open.read
    monkeypatch.setattr(Open, "read", lambda *asked: halves.pop() if halves else read(*asked))
    found = one.read("a.json")
    one.close()
    assert found is not None
    assert found[0] == b"new\n"


def test_a_lock_is_lost_with_its_connection_and_the_next_call_connects_anew(samba: SambaServer) -> None:
    one, two = smb(samba), smb(samba)
    lock = one.lock("a.lock")
    assert lock is not None
    assert two.lock("a.lock") is None
    samba.disconnect()
    eventually(lambda: _assert_free(two))
    assert not lock.confirm()
    lock.close()
    one.close()
    two.close()


def test_a_server_that_comes_back_serves_the_same_client(samba: SambaServer) -> None:
    one = smb(samba)
    one.write("a.json", b"{}\n")
    samba.stop()
    with pytest.raises(ShareError, match="refuses connections"):
        one.read("a.json")
    samba.start()
    assert one.read("a.json") is not None
    one.close()


def test_a_server_that_hangs_is_given_up_after_seconds(samba: SambaServer) -> None:
    one = smb(samba)
    one.write("a.json", b"{}\n")
    samba.pause()
    started = time.monotonic()
    try:
        with pytest.raises(ShareError):
            one.read("a.json")
        assert time.monotonic() - started < 15
    finally:
        samba.resume()
    assert one.read("a.json") is not None
    one.close()


def test_a_new_connection_ends_the_locks_of_the_one_before(samba: SambaServer) -> None:
    """A server may take minutes to notice by itself that a client is gone."""
    one = smb(samba)
    assert one.lock("a.lock") is not None
    # The socket stays open, as after packets were dropped.
    one._tree = None
    again = one.lock("a.lock")
    assert again is not None
    again.close()
    one.close()


def test_a_session_is_ended_with_all_that_it_has_open(samba: SambaServer) -> None:
    """As a kernel's whose mount was cut while packets were dropped: only the server knows of it still."""
    vanished, other, one = smb(samba), smb(samba), smb(samba)
    assert vanished.lock("a.lock") is not None
    lock = other.lock("b.lock")
    assert lock is not None
    session = vanished._tree.session.session_id
    assert one.lock("a.lock") is None
    one.end_session(f"{session:#x}@77")
    again = one.lock("a.lock")
    assert again is not None
    again.close()
    assert lock.confirm()
    # it is over by now, and that is fine; so is what nobody knows, and what is no session
    for told in (f"{session:#x}@77", "@77", "what"):
        one.end_session(told)
    assert other.names()
    for share in (vanished, other, one):
        share.close()


def test_a_new_key_is_used_for_the_next_connection(samba: SambaServer) -> None:
    keys = [samba.key]
    share = SmbShare("dbs", samba.port, lambda: Credentials(samba.account, "127.0.0.1", keys[0]))
    share.write("a.json", b"{}\n")
    samba.set_key("second==")
    samba.disconnect()
    with pytest.raises(ShareError, match=r"refuses account .* put the account's present key there"):
        share.read("a.json")
    keys[0] = "second=="
    assert share.read("a.json") is not None
    share.close()


def test_a_full_share_is_told_and_keeps_its_locks(samba: SambaServer) -> None:
    small = samba.add_share("small", limit=64 * 1024)
    try:
        one = smb(samba, "small")
        lock = one.lock("a.lock")
        assert lock is not None
        (small / "data").write_bytes(bytes(32 * 1024))
        with pytest.raises(ShareError, match='share "small" is full; raise its quota or make room'):
            one.write("b.json", bytes(60 * 1024))
        assert lock.confirm()
        assert smb(samba, "small").lock("a.lock") is None
        one.close()
    finally:
        samba.delete_share("small")


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

    monkeypatch.setattr(os, "open", forbidden)
    with pytest.raises(ShareError, match=r"does not let root of this host write .azurefile .* root squash") as nfs_said:
        MountedFolder(Mounted(tmp_path), "fixed").write("a.json", b"{}\n")
    assert not any(isinstance(said.value, ShareSilent) for said in (smb_said, nfs_said))


def test_an_unexpected_status_is_said_with_its_name() -> None:
    assert "STATUS_USER_SESSION_DELETED: 0xc0000203" in smb_connection.words(UserSessionDeleted())


def test_many_threads_of_a_host_write_one_file(tmp_path: Path) -> None:
    share = MountedFolder(Mounted(tmp_path), "dbs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: share.write("clock", b"\n"), range(400)))
    assert share.names() == ["clock"]


def test_what_refuses_says_why(samba: SambaServer) -> None:
    with pytest.raises(ShareMissing, match=r'share "nope" on 127.0.0.1 does not exist; make it, or .* create=true'):
        smb(samba, "nope").names()
    with pytest.raises(ShareError, match="refuses account") as caught:
        smb(samba, key="canary").names()
    assert "canary" not in str(caught.value)
    with pytest.raises(ShareError, match=r'option "account": the server no.such.invalid has no address'):
        smb(samba, server="no.such.invalid").names()


def test_a_server_that_breaks_off_is_silent_and_one_that_refuses_is_not(samba: SambaServer) -> None:
    """Who takes the connection of a server that restarts may end it in the middle."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(2):
                server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        share = SmbShare("dbs", server.getsockname()[1], lambda: Credentials("a", "127.0.0.1", "key"))
        with pytest.raises(ShareSilent, match="can't be used"):
            share.names()
    with pytest.raises(ShareError) as caught:
        smb(samba, key="canary").names()
    assert not isinstance(caught.value, ShareSilent)


def test_the_fences_folder_is_hidden_in_the_shares_root(samba: SambaServer) -> None:
    one = smb(samba)
    one.write("a.json", b"{}\n")
    assert (samba.folder / "shares/dbs" / RESERVED_FOLDER / "a.json").exists()
    one.close()


def _assert_free(share: SmbShare) -> None:
    lock = share.lock("a.lock")
    assert lock is not None
    lock.close()
