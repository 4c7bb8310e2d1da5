"""The kernel's refusals: each names option, value and remedy, and some are worth waiting for."""

import errno
import re
from pathlib import Path

import pytest

from azurefile import kernelerrors, kernelmount, network
from azurefile.errors import ShareError, ShareSilent
from azurefile.kernelerrors import Told, share_error
from azurefile.kernelmount import KernelError
from azurefile.network import Address
from azurefile.protocols.nfs import Nfs
from tests.plugin.shared import volume

TOLD = Told("h:/abc/dbs", "h", 446, "abc", 'option "server"')


@pytest.mark.parametrize("fstype", ["cifs", "nfs4"])
@pytest.mark.parametrize(
    ("number", "silent"),
    [(errno.EHOSTDOWN, True), (errno.ETIMEDOUT, True), (errno.ECONNREFUSED, True), (errno.EACCES, False)],
)
def test_a_server_that_is_not_reached_is_silent_and_one_that_refuses_is_not(
    fstype: str, number: int, silent: bool
) -> None:
    error = share_error(volume("dbs"), fstype, KernelError(number, "file system", ""), TOLD)
    assert isinstance(error, ShareSilent) is silent


@pytest.mark.parametrize(
    ("fstype", "number", "given", "words"),
    [
        ("cifs", errno.EOPNOTSUPP, {"vers": "2.1"}, 'option "vers" is "2.1": the server does not speak this dialect;'),
        (
            "cifs",
            errno.EOPNOTSUPP,
            {"vers": "3.0"},
            'options "vers" and "seal" are "3.0" and "true": the server does not speak this dialect, or',
        ),
        ("cifs", errno.EPERM, {"seal": "false"}, 'options "vers" and "seal" are "3.1.1" and "false": '),
        ("cifs", errno.EACCES, {}, 'option "account" is "abc": the server refuses it with this key,'),
        ("cifs", errno.EKEYREJECTED, {}, 'option "account" is "abc": the server refuses its key;'),
        ("cifs", errno.ENOENT, {}, 'option "share" is "dbs": the server has no such share;'),
        ("cifs", errno.ECONNREFUSED, {}, 'option "port" is "446": nothing answers there; check'),
        ("cifs", errno.EHOSTDOWN, {"server": "h"}, 'option "server": the server h does not answer in SMB on port 446;'),
        ("cifs", errno.ETIMEDOUT, {}, 'option "server": the server h does not answer on port 446; check server'),
        (
            "nfs4",
            errno.ENOENT,
            {"server": "h"},
            'option "share" is "dbs": the server exports no such path: h:/abc/dbs; make it there, or correct option '
            "share (the",
        ),
        (
            "nfs4",
            errno.ENOENT,
            {"account": "abc"},
            'option "share" is "dbs": the server exports no such path: h:/abc/dbs; make it there, or correct options '
            "account and share",
        ),
        ("nfs4", errno.EPROTO, {"server": "h"}, 'option "vers" is "4.1": the server does not speak NFS 4.1;'),
        ("nfs4", errno.EHOSTUNREACH, {"server": "h"}, 'option "server": the server h can\'t be reached: no route'),
        ("nfs4", errno.ETIMEDOUT, {"server": "h"}, 'option "server": the server h does not answer on port 446; check'),
        ("nfs4", errno.EPIPE, {"server": "h"}, 'option "server": the server h closed the connection;'),
    ],
)
def test_what_was_refused_is_named_with_its_value(fstype: str, number: int, given: dict[str, str], words: str) -> None:
    refused = volume("dbs", protocol="smb" if fstype == "cifs" else "nfs", **given)
    error = share_error(refused, fstype, KernelError(number, "mount", "{said}"), TOLD)
    assert f"can't be mounted: {words}" in str(error)
    assert str(error).endswith(" (the kernel says: {said})")


@pytest.mark.parametrize("fstype", ["cifs", "nfs4"])
@pytest.mark.parametrize("number", sorted({*kernelerrors._BOTH, *kernelerrors._SMB, *kernelerrors._NFS}))
def test_every_refusal_is_one_line_with_nothing_left_to_fill_in(fstype: str, number: int) -> None:
    message = str(share_error(volume("dbs"), fstype, KernelError(number, "mount", ""), TOLD))
    assert not set("{}\n") & set(message)


@pytest.mark.parametrize("fstype", ["cifs", "nfs4"])
def test_a_kernel_that_is_too_old_is_told(fstype: str) -> None:
    error = KernelError(errno.ENOSYS, f"file system {fstype}", "")
    said = str(share_error(volume("dbs"), fstype, error, TOLD))
    assert said.endswith(": this host's kernel is too old: SMB and NFS need Linux 5.2 or newer")


@pytest.mark.parametrize(
    ("given", "server", "source"),
    [
        ({"server": "nas", "account": "bob"}, "nas", "nas:/bob/dbs"),
        ({"server": "fd00::1"}, "fd00::1", "[fd00::1]:/dbs"),
        ({"account": "abc"}, "abc.file.core.windows.net", "abc.file.core.windows.net:/abc/dbs"),
    ],
)
def test_what_nfs_asked_for_is_what_its_errors_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], server: str, source: str
) -> None:
    by = []

    def reach(name: str, port: int, said_by: str) -> Address:
        by.append(said_by)
        return Address("127.0.0.1", port, "127.0.0.1")

    def refuse(number: int, *_: object, step: str, context: int = -1) -> int:
        raise KernelError(errno.ENOENT, step, "")

    monkeypatch.setattr(network, "reach", reach)
    monkeypatch.setattr(kernelmount, "_call", refuse)
    with pytest.raises(ShareError, match=re.escape(f"exports no such path: {source}; ")):
        Nfs().mount(volume("dbs", protocol="nfs", **given), tmp_path)
    assert by == ['option "server"' if "server" in given else 'option "account"']
