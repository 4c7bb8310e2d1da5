"""Storage accounts that are served: each by servers of its own, which machines find under Azure's name and ports."""

from __future__ import annotations

import threading

from tests.azure.qemu import QemuRoom
from tests.machines.nfs import GaneshaServer
from tests.machines.samba import SambaServer

NETWORK = "198.18.0"
"""Of RFC 2544: nobody else's."""
SMB_PORT, NFS_PORT = 445, 2049
NOBODY: frozenset[str] = frozenset()


class ServedShares:
    """One samba an account, and one ganesha where it has NFS shares.

    Samba knows one password at a time, so `key` says which of the two keys lets in.
    """

    def __init__(self, machines: QemuRoom, *, key: int = 0) -> None:
        """`machines` are told where the servers are. Call `close` at the end."""
        self.servers: dict[str, SambaServer] = {}
        self.exports: dict[str, GaneshaServer] = {}
        """What serves an account's shares over NFS."""
        self.key = key
        self._machines = machines
        self._addresses: dict[str, str] = {}
        self._let_in: dict[str, tuple[bool, frozenset[str] | None]] = {}
        self._lock = threading.Lock()

    def set_account(
        self, account: str, keys: tuple[str, str], https_only: bool, subnets: tuple[str, ...] | None
    ) -> None:
        with self._lock:
            server = self.servers.get(account)
            if server is None:
                server = self.servers[account] = SambaServer(account)
            named = None if subnets is None else frozenset(subnet.lower() for subnet in subnets)
            self._let_in[account] = https_only, named
            self._serve(account)
            if server.key != keys[self.key]:
                server.set_key(keys[self.key])

    def add_share(self, account: str, share: str, protocol: str, quota: int) -> None:
        with self._lock:
            if protocol == "NFS":
                self._export(account, share)
                return
            server = self.servers[account]
            try:
                server.share(share)
            except KeyError:
                server.add_share(share)

    def _export(self, account: str, share: str) -> None:
        # learn.microsoft.com: "mount NFS Azure file shares": SERVER:/ACCOUNT/SHARE
        path = f"{account}/{share}"
        if account in self.exports:
            self.exports[account].add_export(path)
            return
        # every share is there before a machine has mounted the first, so nobody has locks to reclaim
        self.exports[account] = GaneshaServer(path, graceless=True)
        self._serve(account)

    def _serve(self, account: str) -> None:
        https_only, subnets = self._let_in[account]
        where = f"{account}.file.core.windows.net", self._address(account)
        self._machines.serve(*where, SMB_PORT, self.servers[account].port, subnets)
        if account in self.exports:
            # NFS has no encryption that an account could ask for
            self._machines.serve(*where, NFS_PORT, self.exports[account].port, NOBODY if https_only else subnets)

    def delete_share(self, account: str, share: str) -> None:
        with self._lock:
            exported = self.exports.get(account)
            if exported and f"{account}/{share}" in exported.exports:
                exported.remove_export(f"{account}/{share}")
            elif account in self.servers:
                self.servers[account].delete_share(share)

    def delete_account(self, account: str) -> None:
        with self._lock:
            found = self.servers.pop(account, None), self.exports.pop(account, None)
        for server in found:
            if server:
                server.close()

    def close(self) -> None:
        """Ends all servers and removes what is in their shares."""
        for account in list(self.servers):
            self.delete_account(account)

    def _address(self, account: str) -> str:
        return self._addresses.setdefault(account, f"{NETWORK}.{len(self._addresses) + 1}")
