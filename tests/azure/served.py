"""Storage accounts that are served: each by a samba of its own, which machines find under Azure's name and port."""

from __future__ import annotations

import threading

from tests.azure.qemu import QemuRoom
from tests.machines.samba import SambaServer

NETWORK = "198.18.0"
"""Of RFC 2544: nobody else's."""


class SambaShares:
    """One server an account. It knows one password at a time, so `key` says which of the two keys lets in."""

    def __init__(self, machines: QemuRoom, *, key: int = 0) -> None:
        """`machines` are told where the servers are. Call `close` at the end."""
        self.servers: dict[str, SambaServer] = {}
        self.key = key
        self._machines = machines
        self._lock = threading.Lock()

    def set_account(self, account: str, keys: tuple[str, str], https_only: bool, subnets: tuple[str, ...]) -> None:
        with self._lock:
            server = self.servers.get(account)
            if server is None:
                server = self.servers[account] = SambaServer(account)
                address = f"{NETWORK}.{len(self.servers)}"
                self._machines.serve(f"{account}.file.core.windows.net", address, server.port)
            if server.key != keys[self.key]:
                server.set_key(keys[self.key])

    def add_share(self, account: str, share: str, protocol: str, quota: int) -> None:
        if protocol != "SMB":
            raise NotImplementedError("NFS shares are served by tests.machines.nfs, which is not connected yet")
        with self._lock:
            server = self.servers[account]
            try:
                server.share(share)
            except KeyError:
                server.add_share(share)

    def delete_share(self, account: str, share: str) -> None:
        with self._lock:
            if account in self.servers:
                self.servers[account].delete_share(share)

    def delete_account(self, account: str) -> None:
        with self._lock:
            server = self.servers.pop(account, None)
        if server:
            server.close()

    def close(self) -> None:
        """Ends all servers and removes what is in their shares."""
        for account in list(self.servers):
            self.delete_account(account)
