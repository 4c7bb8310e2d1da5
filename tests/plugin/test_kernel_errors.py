"""What of the kernel's refusals is worth waiting for."""

import errno

import pytest

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
    error = share_error(volume("dbs"), fstype, KernelError(number, "file system", ""))
    assert isinstance(error, ShareSilent) is silent
