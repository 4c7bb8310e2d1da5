"""What serves the shares of storage accounts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Protocol


class ShareRoom(Protocol):
    """Where shares are served, under names such as demo.file.core.windows.net.

    What is in a share stays when the account's settings change, and goes when the share is deleted.
    """

    def set_account(
        self, account: str, keys: tuple[str, str], https_only: bool, subnets: tuple[str, ...] | None
    ) -> None:
        """Makes an account or changes it: each of the keys lets in, NFS only without `https_only`.

        Machines reach it from these subnets, or from all.
        """

    def add_share(self, account: str, share: str, protocol: str, quota: int) -> None:
        """Makes a share or changes it. `protocol` is SMB or NFS, `quota` in GiB."""

    def delete_share(self, account: str, share: str) -> None: ...

    def delete_account(self, account: str) -> None: ...


@dataclass
class RecordingShares:
    """No server at all: which accounts and shares there are."""

    accounts: dict[str, tuple[str, str]] = field(default_factory=dict)
    shares: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)
    let_in: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    """Account → ids of the subnets that reach it."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def set_account(
        self, account: str, keys: tuple[str, str], https_only: bool, subnets: tuple[str, ...] | None
    ) -> None:
        with self._lock:
            self.accounts[account] = keys
            self.let_in[account] = subnets

    def add_share(self, account: str, share: str, protocol: str, quota: int) -> None:
        with self._lock:
            self.shares[account, share] = (protocol, quota)

    def delete_share(self, account: str, share: str) -> None:
        with self._lock:
            self.shares.pop((account, share), None)

    def delete_account(self, account: str) -> None:
        with self._lock:
            self.accounts.pop(account, None)
            self.let_in.pop(account, None)
            self.shares = {name: share for name, share in self.shares.items() if name[0] != account}
