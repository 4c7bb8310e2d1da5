"""The credentials files: what is accepted, what is refused, and that a key shows nowhere."""

import os
from pathlib import Path

import pytest

from azurefile.credentials import CredentialsFolder
from azurefile.errors import ShareError
from azurefile.protocols.smb import Smb
from tests.plugin.shared import TAKEOVER, volume

KEY = "canary+key/with,commas=="


def write(folder: Path, account: str, text: str, mode: int = 0o600) -> None:
    path = folder / account
    path.write_text(text)
    path.chmod(mode)


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    found = CredentialsFolder(tmp_path)
    write(tmp_path, "abc", f"# the account\naccount=abc\nkey = {KEY}\n")
    first = found.read("abc")
    assert (first.account, first.server, first.key) == ("abc", "abc.file.core.windows.net", KEY)
    write(tmp_path, "abc", "key=second\nserver=files.example\n")
    second = found.read("abc")
    assert (second.server, second.key) == ("files.example", "second")


def test_a_file_may_begin_as_editors_of_windows_let_it(tmp_path: Path) -> None:
    write(tmp_path, "abc", f"\ufeffkey={KEY}\r\nserver=files.example\r\n")
    found = CredentialsFolder(tmp_path).read("abc")
    assert (found.server, found.key) == ("files.example", KEY)


def test_a_key_does_not_show_in_a_trace(tmp_path: Path) -> None:
    write(tmp_path, "abc", f"key={KEY}\n")
    assert KEY not in repr(CredentialsFolder(tmp_path).read("abc"))


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o700, 0o777])
def test_a_file_that_others_could_reach_is_refused(tmp_path: Path, mode: int) -> None:
    write(tmp_path, "abc", f"key={KEY}\n", mode)
    with pytest.raises(ShareError, match=f"mode {mode:04o}.*chmod it to 0600") as caught:
        CredentialsFolder(tmp_path).read("abc")
    assert KEY not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "abc", f"key={KEY}\n")
    os.chown(tmp_path / "abc", 999, 999)
    with pytest.raises(ShareError, match="owner 999"):
        CredentialsFolder(tmp_path).read("abc")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no line key="),
        ("key=\n", "has no line key="),
        (f"{KEY}\n", "line 1: it must be one of"),
        (f"key={KEY}\npassword={KEY}\n", "line 2: it must be one of"),
        (f"account=other\nkey={KEY}\n", "differs from its name"),
        (
            f"key={KEY}\nserver=https://abc.example\n",
            "line 2: server must be a host name or an IP address without a sch",
        ),
        (f"server = nas:445\nkey={KEY}\n", "line 1: server must be .* without a port, which is option port"),
        (f"server={KEY}\n", "line 1: server must be a host name or an IP address"),
        (f"key={KEY}\nkey=new\n", "credentials/abc in .*, line 2: key is given twice"),
        (f"# old\nkey=\n\nkey = {KEY}\n", "line 4: key is given twice"),
        (f"account=abc\nkey={KEY}\naccount=abc\n", "line 3: account is given twice"),
        (f"server=\nserver={KEY}\n", "line 2: server is given twice"),
    ],
)
def test_what_is_not_understood_is_refused_without_repeating_it(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, "abc", text)
    with pytest.raises(ShareError, match=words) as caught:
        CredentialsFolder(tmp_path).read("abc")
    assert KEY not in str(caught.value)


def test_a_path_is_told_as_it_is_for_each_plugin_of_a_host(tmp_path: Path) -> None:
    """What the plugin sees as its root may be another plugin's on the host."""
    root = tmp_path / "root/credentials"
    root.mkdir(parents=True)
    write(root, "open", "key=x\n", 0o644)
    write(root, "keyless", "")
    folder = CredentialsFolder(root)
    for account in ("missing", "open", "keyless"):
        with pytest.raises(
            ShareError, match=f"file credentials/{account} in the plugin's root .*root.source"
        ) as caught:
            folder.read(account)
        assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("kind", ["missing", "link", "folder", "pipe"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "abc"
    if kind == "link":
        write(tmp_path, "other", f"key={KEY}\n")
        path.symlink_to("other")
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path, 0o600)
    with pytest.raises(ShareError):
        CredentialsFolder(tmp_path).read("abc")


def test_the_account_is_the_option_or_the_only_file(tmp_path: Path) -> None:
    folder = CredentialsFolder(tmp_path / "credentials")
    with pytest.raises(
        ShareError,
        match=r'option "account" is missing and there is no credentials file; write .* into credentials/<account> in',
    ):
        folder.account(None)
    (tmp_path / "credentials").mkdir()
    write(tmp_path / "credentials", "abc", "key=x\n")
    assert folder.account(None) == "abc"
    assert folder.account("def") == "def"
    for copy in ("abc.bak", "abc.old", "abc~"):
        write(tmp_path / "credentials", copy, "key=x\n")
    assert folder.account(None) == "abc"
    write(tmp_path / "credentials", "def", "key=x\n")
    with pytest.raises(ShareError, match=r"there are files for abc, def; .* with one of them as account="):
        folder.account(None)


def test_a_server_that_only_the_file_names_is_told_as_the_files(tmp_path: Path) -> None:
    way = Smb(tmp_path, TAKEOVER)
    (tmp_path / "credentials").mkdir()
    write(tmp_path / "credentials", "abc", "key=x\nserver=no.such.invalid\n")
    by_file = "file credentials/abc in the plugin's root .*, line server=: the server no.such.invalid has no address"
    for given, said in (
        ({}, by_file),
        ({"server": "neither.invalid"}, '^option "server": the server neither.invalid has no address'),
    ):
        dbs = volume("dbs", account="abc", **given)
        store = way.locks(dbs, "")
        with pytest.raises(ShareError, match=said):
            store.read("a")
        with pytest.raises(ShareError, match=said):
            way.mount(dbs, tmp_path)


def test_a_server_that_follows_from_the_account_is_told_as_its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azurefile.credentials.PUBLIC_SUFFIX", "file.invalid")
    (tmp_path / "credentials").mkdir()
    write(tmp_path / "credentials", "abc", "key=x\nserver=\n")
    with pytest.raises(ShareError, match=r'^option "account": the server abc.file.invalid has no address'):
        Smb(tmp_path, TAKEOVER).mount(volume("dbs", account="abc"), tmp_path)
