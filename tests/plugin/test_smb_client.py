"""The fence's own client of an SMB server, on a real one: connections, locks, sessions, and what it says."""

import contextlib
import time

import pytest
from smbprotocol.exceptions import (  # type: ignore[import-untyped]
    AccessDenied,
    SMBException,
)
from smbprotocol.open import CreateDisposition, Open  # type: ignore[import-untyped]

from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareSilent
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.protocols import smb_file
from azurefile.protocols.smb_client import _READ, SmbShare
from azurefile.protocols.smb_file import opened
from tests.machines.samba import SambaServer
from tests.plugin.harness import eventually
from tests.plugin.smb_share import smb

pytestmark = pytest.mark.root


def test_what_a_server_gives_half_is_read_again(samba: SambaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = smb(samba), smb(samba)
    two.write("a.json", b"new\n")
    two.close()
    halves, read = [b"neO\n", b"nLD\n"], Open.read
    monkeypatch.setattr(Open, "read", lambda *asked: halves.pop() if halves else read(*asked))
    found = one.read("a.json")
    one.close()
    assert found is not None
    assert found[0] == b"new\n"


def test_what_is_as_this_client_wrote_it_is_read_once(samba: SambaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = smb(samba), smb(samba)
    asked, read = [0], Open.read

    def counted(*given: object) -> object:
        asked[0] += 1
        return read(*given)

    monkeypatch.setattr(Open, "read", counted)
    one.write("a.json", b"longer than the next\n")
    for writer, text, reads in ((one, b"ours", 1), (two, b"theirs", 2), (one, b"ours again", 1)):
        writer.write("a.json", text)
        asked[0] = 0
        found = one.read("a.json")
        assert found is not None
        assert (found[0].rstrip(), asked[0]) == (text, reads)
    one.remove("a.json")
    one.close()
    two.close()


def test_a_second_look_sees_what_came_since_the_first(samba: SambaServer) -> None:
    one, two = smb(samba), smb(samba)
    two.write("before.json", b"a\n")
    lock = one.lock("mutex")
    assert lock is not None
    for number in range(30):
        two.write(f"{number}.json", b"a\n")
        two.remove(f"{number - 1}.json")
        assert {name for name in one.names() if name.endswith(".json")} == {"before.json", f"{number}.json"}
    lock.close()
    two.close()
    # nothing is left open that an administrator would have to wait for
    assert RESERVED_FOLDER not in str(samba.status()["open_files"])
    one.remove("before.json")
    one.remove("29.json")
    one.close()


def test_a_folder_that_can_not_be_closed_keeps_no_lock(samba: SambaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = smb(samba), smb(samba)
    lock = one.lock("mutex")
    assert lock is not None
    one.names()

    def slow(*_: object) -> None:
        raise SMBException("no answer within 5 s")

    with monkeypatch.context() as patched:
        patched.setattr(one._folder, "close", slow)
        lock.close()
    again = two.lock("mutex")
    assert again is not None
    again.close()
    one.close()
    two.close()


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


def test_a_file_that_is_deleted_while_somebody_has_it_open_is_missing_and_ends_no_connection(
    samba: SambaServer,
) -> None:
    reader, other = smb(samba), smb(samba)
    reader.connect()
    held = other.lock("held.lock")
    assert held is not None
    with contextlib.ExitStack() as reading:
        for name in ("a.json", "a.lock"):
            other.write(name, b"{}\n")
            reading.enter_context(opened(reader._tree, name, _READ, CreateDisposition.FILE_OPEN))
            other.remove(name)
        assert other.read("a.json") is None
        assert other.lock("a.lock") is None
        other.remove("a.json")
        with pytest.raises(ShareSilent, match="another program has one of the files"):
            other.write("a.json", b"{}\n")
        assert held.confirm()
    other.write("a.json", b"{}\n")
    held.close()
    reader.close()
    other.close()


def test_a_file_that_a_program_keeps_to_itself_is_told_and_ends_no_connection(samba: SambaServer) -> None:
    program, other = smb(samba), smb(samba)
    held = other.lock("held.lock")
    alone = program.lock("a.json")
    assert held is not None
    assert alone is not None
    for call in (lambda: other.read("a.json"), lambda: other.write("a.json", b""), lambda: other.remove("a.json")):
        with pytest.raises(ShareSilent, match="another program has one of the files"):
            call()
    assert held.confirm()
    alone.close()
    assert other.read("a.json") is not None
    held.close()
    program.close()
    other.close()


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


def test_a_lock_tells_what_room_is_left_and_outlives_a_server_that_does_not_say(
    samba: SambaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = samba.add_share("small", limit=1 << 20)
    try:
        one = smb(samba, "small")
        lock = one.lock("a.lock")
        assert lock is not None
        (small / "data").write_bytes(bytes(1 << 19))
        assert lock.room() == 1 << 19
        with (small / "rest").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        assert lock.room() == 0

        def refused(_: object) -> int:
            raise AccessDenied

        with monkeypatch.context() as patched:
            patched.setattr(smb_file, "room", refused)
            assert lock.room() is None
        assert lock.confirm()
        one.close()
        assert lock.room() is None
        one.close()
    finally:
        samba.delete_share("small")


def test_the_fences_folder_is_hidden_in_the_shares_root(samba: SambaServer) -> None:
    one = smb(samba)
    one.write("a.json", b"{}\n")
    assert (samba.folder / "shares/dbs" / RESERVED_FOLDER / "a.json").exists()
    one.close()


def _assert_free(share: SmbShare) -> None:
    lock = share.lock("a.lock")
    assert lock is not None
    lock.close()
