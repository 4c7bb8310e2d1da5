"""Which session a mount has, by what the kernel tells: names and numbers as Debian 12's has them."""

from pathlib import Path

import pytest

from azurefile.protocols import smb_sessions
from azurefile.protocols.smb_sessions import KernelSessions, session_id

HEAD = """Display Internal CIFS Data Structures for Debugging
---------------------------------------------------
CIFS Version 2.40

Servers: """
SESSION = """
{index}) ConnectionId: 0x{index} Hostname: 10.0.2.2
\tSessions: 
\t1) Address: 10.0.2.2 Uses: 1 Capability: 0x300045\tSession Status: 1
\tSecurity type: RawNTLMSSP  SessionId: {session} encrypted
\tUser: 0 Cred User: {number}

\tShares:
\t0) IPC: \\\\10.0.2.2\\IPC$ Mounts: 1 DevInfo: 0x0 Attributes: 0x0
\t1) \\\\10.0.2.2\\dbs Mounts: 1 DevInfo: 0x20020 Attributes: 0x5006f
"""


class Kernel:
    """The mounts of a kernel: their number, and the id of their session."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "DebugData"

    def tell(self, **sessions: str) -> None:
        told = ((number.removeprefix("n"), session) for number, session in sessions.items())
        parts = [SESSION.format(index=i, number=n, session=s) for i, (n, s) in enumerate(told, 1)]
        self.file.write_text(HEAD + "".join(parts))


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    monkeypatch.setattr(smb_sessions, "_FRESH_SECONDS", -1.0)
    return Kernel(tmp_path)


def test_a_mounts_session_is_told_by_its_number(kernel: Kernel) -> None:
    sessions = KernelSessions(kernel.file)
    one, two = sessions.number("one"), sessions.number("two")
    kernel.tell(n0="0x1", **{f"n{one}": "0xe05b", f"n{two}": "0xa3"})
    assert sessions.of("one", "") == f"0xe05b@{one}"
    assert sessions.of("two", "") == f"0xa3@{two}"
    # after a connection that broke it is another one
    kernel.tell(**{f"n{one}": "0xe05c", f"n{two}": "0xa3"})
    assert sessions.of("one", f"0xe05b@{one}") == f"0xe05c@{one}"
    # and one that is unmounted had the last that was told
    kernel.tell(**{f"n{two}": "0xa3"})
    assert sessions.of("one", f"0xe05c@{one}") == f"0xe05c@{one}"


def test_the_plugins_next_life_finds_a_mount_by_its_number(kernel: Kernel) -> None:
    """Whatever became of its connection meanwhile, and if the last life had not seen its session."""
    kernel.tell(n77="0xe05c", n78="0xa3")
    assert KernelSessions(kernel.file).of("one", "0xe05b@77") == "0xe05c@77"
    sessions = KernelSessions(kernel.file)
    assert sessions.of("one", "@77") == "0xe05c@77"
    # the next hold of the same mount begins without one
    assert sessions.of("one", "") == "0xe05c@77"


def test_a_mount_that_is_not_told_has_the_session_that_was_known(kernel: Kernel) -> None:
    sessions = KernelSessions(kernel.file)
    assert sessions.of("one", "") == ""
    number = sessions.number("one")
    assert sessions.of("one", "") == f"@{number}"
    assert sessions.of("one", f"0xe05b@{number}") == f"0xe05b@{number}"
    kernel.file.write_text("Of a later kernel, in other words\n")
    assert sessions.of("one", f"0xe05b@{number}") == f"0xe05b@{number}"


def test_a_volume_that_is_forgotten_has_no_number(kernel: Kernel) -> None:
    sessions = KernelSessions(kernel.file)
    number = sessions.number("one")
    kernel.tell(**{f"n{number}": "0xe05b"})
    sessions.forget("one")
    assert sessions.of("one", "") == ""


def test_each_mount_has_a_number_of_its_own(kernel: Kernel) -> None:
    sessions = KernelSessions(kernel.file)
    numbers = {sessions.number("one") for _ in range(100)}
    assert len(numbers) == 100
    assert all(0 < int(number) < 2**31 for number in numbers)


def test_many_volumes_are_told_by_one_look(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smb_sessions, "_FRESH_SECONDS", 60.0)
    sessions = KernelSessions(kernel.file)
    one, two = sessions.number("one"), sessions.number("two")
    kernel.tell(**{f"n{one}": "0x1", f"n{two}": "0x2"})
    assert sessions.of("one", "") == f"0x1@{one}"
    kernel.file.unlink()
    assert sessions.of("two", "") == f"0x2@{two}"


def test_what_a_record_has_is_read_with_care() -> None:
    assert session_id("0xe05b@77") == 0xE05B
    assert session_id("@77") == session_id("") == 0
    for told in ("-0x1", "0x1ffffffffffffffff", "what", None, [1], {"a": 1}):
        with pytest.raises(ValueError, match=r"invalid literal|is no session"):
            session_id(told)
