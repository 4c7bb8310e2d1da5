"""The fence's connection to an SMB server: what it says of one that refuses, and that it leaves nothing behind."""

import resource
import socket
import threading
from typing import Any

import pytest
from smbprotocol.exceptions import UserSessionDeleted  # type: ignore[import-untyped]

from azurefile import network
from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareMissing, ShareSilent
from azurefile.protocols import smb_connection, smb_logins
from azurefile.protocols.smb_client import SmbShare
from tests.machines import samba as samba_module
from tests.machines.samba import SambaServer
from tests.plugin.smb_share import smb

pytestmark = pytest.mark.root


def test_a_server_that_falls_silent_before_the_logoff_keeps_neither_socket_nor_thread(
    samba: SambaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, vanished = smb(samba), smb(samba)
    for share in (one, vanished):
        share.connect()
    told = f"{vanished._tree.session.session_id:#x}@77"
    connections = [one._tree.session.connection]

    def silenced(*given: Any) -> Any:
        session = smb_connection.login(*given)
        connections.append(session.connection)
        monkeypatch.setattr(smb_connection, "_ANSWER_SECONDS", 1)
        samba.pause()
        return session

    monkeypatch.setattr(smb_logins, "login", silenced)
    try:
        one.end_session(told)
        one.close()
    finally:
        samba.resume()
    assert [connection.transport.connected for connection in connections] == [False, False]
    assert [connection._t_worker.is_alive() for connection in connections] == [False, False]
    vanished.close()


def test_what_the_fence_says_is_encrypted_also_where_the_server_does_not_demand_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict = "smb encrypt = required"
    assert strict in samba_module.GLOBAL
    monkeypatch.setattr(samba_module, "GLOBAL", samba_module.GLOBAL.replace(strict, "smb encrypt = if_required"))
    with SambaServer(audited=False) as server:
        server.add_share("dbs")
        one = smb(server)
        one.write("a.json", b"{}\n")
        assert [tree["encryption"]["degree"] for tree in server.status()["tcons"].values()] == ["full"]
        one.close()


def test_an_unexpected_status_is_said_with_its_name() -> None:
    assert "STATUS_USER_SESSION_DELETED: 0xc0000203" in smb_connection.words(UserSessionDeleted())


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


def test_a_port_that_accepts_and_says_nothing_in_smb_is_told_with_server_and_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smb_connection, "_ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        share = SmbShare("dbs", port, lambda: Credentials("a", "127.0.0.1", "key", network.BY_SERVER))
        told = f'option "server": the server 127.0.0.1 does not answer in SMB on port {port} .*; check server and port'
        with pytest.raises(ShareSilent, match=told) as caught:
            share.names()
    assert "vers" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what answers there speaks another protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there speaks another protocol"),
        # what the library takes for a whole message, and then can't read
        (b"\0\0\0\4what", "unpack"),
    ],
)
def test_a_server_that_speaks_something_else_is_silent_and_costs_nothing(said: bytes, told: str) -> None:
    """Read as the length of what follows, the first word of another protocol is more than a gigabyte."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def speak() -> None:
            for _ in range(2):
                # the first one only looks whether there is a server
                peer = server.accept()[0]
                if peer.recv(1):
                    peer.sendall(said)
                peers.append(peer)

        peers: list[socket.socket] = []
        threading.Thread(target=speak, daemon=True).start()
        share = SmbShare("dbs", server.getsockname()[1], lambda: Credentials("a", "127.0.0.1", "key"))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(
            ShareSilent, match=rf"does not answer in SMB on port \d+ \(.*{told}.*\); check server and port"
        ):
            share.names()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
        for peer in peers:
            peer.close()
