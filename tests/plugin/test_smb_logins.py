"""Logins to a server that refuses them, is away, or has the account locked."""

from types import SimpleNamespace
from typing import Any

import pytest
from smbprotocol.exceptions import SMBResponseException  # type: ignore[import-untyped]
from smbprotocol.header import SMB2HeaderResponse  # type: ignore[import-untyped]

from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareSilent
from azurefile.protocols import smb_connection, smb_logins
from azurefile.protocols.smb_client import SmbShare
from tests.machines.samba import SambaServer
from tests.plugin.smb_share import smb

pytestmark = pytest.mark.root


def test_a_key_that_was_refused_is_tried_more_and_more_rarely(
    samba: SambaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each lease of a share is renewed each second, and a server may lock an account that was refused too often."""
    clock, logins = [1000.0], []

    def counted(*given: Any) -> Any:
        logins.append(clock[0] - 1000)
        return smb_connection.login(*given)

    monkeypatch.setattr(smb_logins, "login", counted)
    monkeypatch.setattr(smb_logins, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    keys = ["canary"]
    share = SmbShare("dbs", samba.port, lambda: Credentials(samba.account, "127.0.0.1", keys[0]))
    said = set()
    for _ in range(120):
        for call in (share.names, lambda: share.end_session("0xe05b@77")):
            with pytest.raises(ShareError, match="refuses account") as caught:
                call()
            said.add((type(caught.value), str(caught.value)))
        clock[0] += 1
    assert logins == [0, 1, 3, 7, 15, 31, 61, 91]
    assert len(said) == 1
    assert "canary" not in str(said)
    keys[0] = samba.key
    assert share.names() is not None
    # it is forgotten with the login that succeeds
    keys[0] = "canary"
    share.close()
    with pytest.raises(ShareError, match="refuses account"):
        share.names()
    keys[0] = samba.key
    assert share.names() is not None
    assert logins[8:] == [120] * 3
    share.close()


def test_an_account_that_the_server_locked_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    header = SMB2HeaderResponse()
    header["status"].set_value(0xC0000234)
    locked, logins = SMBResponseException(header), []

    def refuse(share: str, port: int, credentials: Credentials, previous: int) -> None:
        logins.append(previous)
        raise smb_connection.refused(locked, share, port, credentials) from locked

    monkeypatch.setattr(smb_logins, "login", refuse)
    share = SmbShare("dbs", 445, lambda: Credentials("app", "nas", "canary"))
    for _ in range(3):
        with pytest.raises(
            ShareError, match='has account "app" locked, as after too many logins with a wrong key; unl'
        ):
            share.names()
    assert len(logins) == 1


def test_a_server_that_is_away_is_asked_each_time(samba: SambaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    logins: list[object] = []

    def counted(*given: Any) -> Any:
        logins.append(given)
        return smb_connection.login(*given)

    monkeypatch.setattr(smb_logins, "login", counted)
    one = smb(samba)
    samba.stop()
    for _ in range(3):
        with pytest.raises(ShareSilent, match="refuses connections"):
            one.names()
    samba.start()
    assert one.names() is not None
    assert len(logins) == 4
    one.close()
