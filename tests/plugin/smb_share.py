"""A share of a real SMB server, as the fence reaches it."""

from azurefile.credentials import Credentials
from azurefile.protocols.smb_client import SmbShare
from tests.machines.samba import SambaServer


def smb(samba: SambaServer, share: str = "dbs", **given: object) -> SmbShare:
    values = {"account": samba.account, "server": "127.0.0.1", "key": samba.key, **given}
    return SmbShare(share, samba.port, lambda: Credentials(**values))  # type: ignore[arg-type]
