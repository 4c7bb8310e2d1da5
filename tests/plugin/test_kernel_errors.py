"""The kernel's refusals: each names option, value and remedy, and some are worth waiting for."""

import errno

import pytest

from azurefile import kernelerrors
from azurefile.errors import ShareSilent
from azurefile.kernelerrors import share_error
from azurefile.kernelmount import KernelError
from tests.plugin.shared import volume


@pytest.mark.parametrize("fstype", ["cifs", "nfs4"])
@pytest.mark.parametrize(
    ("number", "silent"),
    [(errno.EHOSTDOWN, True), (errno.ETIMEDOUT, True), (errno.ECONNREFUSED, True), (errno.EACCES, False)],
)
def test_a_server_that_is_not_reached_is_silent_and_one_that_refuses_is_not(
    fstype: str, number: int, silent: bool
) -> None:
    error = share_error(volume("dbs"), fstype, KernelError(number, "file system", ""), "x", 1, "abc")
    assert isinstance(error, ShareSilent) is silent


@pytest.mark.parametrize(
    ("fstype", "number", "given", "words"),
    [
        ("cifs", errno.EOPNOTSUPP, {"vers": "3.0"}, 'option "vers" is "3.0": the server does not speak this dialect;'),
        ("cifs", errno.EPERM, {"seal": "false"}, 'options "vers" and "seal" are "3.1.1" and "false": '),
        ("cifs", errno.EACCES, {}, 'option "account" is "abc": the server refuses it with this key,'),
        ("cifs", errno.EKEYREJECTED, {}, 'option "account" is "abc": the server refuses its key;'),
        ("cifs", errno.ENOENT, {}, 'option "share" is "dbs": the server has no such share;'),
        ("cifs", errno.ECONNREFUSED, {}, 'option "port" is "446": nothing answers there; check'),
        ("cifs", errno.EHOSTDOWN, {"server": "h"}, 'option "server" is "h": it does not answer in SMB on port 446;'),
        ("cifs", errno.ETIMEDOUT, {}, 'option "account" is "abc": its server h stopped answering; check'),
        ("nfs4", errno.ENOENT, {"server": "h"}, 'option "share" is "dbs": the server exports no such path;'),
        ("nfs4", errno.EPROTO, {"server": "h"}, 'option "vers" is "4.1": the server does not speak NFS 4.1;'),
        ("nfs4", errno.EHOSTUNREACH, {"server": "h"}, 'option "server" is "h": it can\'t be reached: no route'),
        ("nfs4", errno.EPIPE, {"account": "abc"}, 'option "account" is "abc": its server h closed the connection;'),
    ],
)
def test_what_was_refused_is_named_with_its_value(fstype: str, number: int, given: dict[str, str], words: str) -> None:
    refused = volume("dbs", protocol="smb" if fstype == "cifs" else "nfs", **given)
    error = share_error(refused, fstype, KernelError(number, "mount", "{said}"), "h", 446, "abc")
    assert f"can't be mounted: {words}" in str(error)
    assert str(error).endswith(" (the kernel says: {said})")


@pytest.mark.parametrize("fstype", ["cifs", "nfs4"])
@pytest.mark.parametrize("number", sorted({*kernelerrors._BOTH, *kernelerrors._SMB, *kernelerrors._NFS}))
def test_every_refusal_is_one_line_with_nothing_left_to_fill_in(fstype: str, number: int) -> None:
    message = str(share_error(volume("dbs"), fstype, KernelError(number, "mount", ""), "h", 445, "abc"))
    assert not set("{}\n") & set(message)
