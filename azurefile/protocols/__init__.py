"""The ways to reach a share. Each protocol is one module here and one line in `available`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from azurefile.errors import OptionError
from azurefile.options import Options
from azurefile.protocols.local import Local
from azurefile.protocols.nfs import Nfs
from azurefile.protocols.smb import Smb
from azurefile.store import LockStore
from azurefile.volumes import Volume


class ShareProtocol(Protocol):
    """What the driver needs of a protocol. `mount`, `locks` and what they return may block."""

    def prepare(self) -> None:
        """Get ready, beside other work, for the first volume."""

    def mount(self, volume: Volume, target: Path) -> None:
        """Mount the volume's folder on `target`, an empty directory."""

    def create(self, volume: Volume) -> None:
        """Make the volume's share, which is missing. Raises ShareError, ShareSilent for what passes."""

    def locks(self, volume: Volume, account: str) -> LockStore:
        """Where the share's fence is kept; the same store for the same share.

        `account`: by which a hold of the plugin's last life was reached, or empty.
        """

    def forget(self, store: LockStore) -> None:
        """Never return this store again: no volume uses it."""

    def forget_volume(self, volume: Volume) -> None:
        """Drop what is kept of a volume that is removed."""

    def where(self, volume: Volume) -> dict[str, str]:
        """What a mounted volume's status says of its server; from memory."""

    def session(self, volume: Volume, known: str) -> str:
        """What the server calls that by which this mounted volume alone is reached, empty if there is no such thing.

        `known`: what it was when it was asked last, in the plugin's last life too. Never asks the share.
        """

    def in_force(self, options: Options) -> dict[str, str]:
        """What a mount of these options has, as the kernel was told it: no password, nobody's name."""

    def refresh(self, volume: Volume, target: Path) -> None:
        """Pass on to a mounted volume what changed since, such as a key."""


def available(root: Path, takeover: float) -> dict[str, ShareProtocol]:
    """The protocols that this version has, by the value of option `protocol`."""
    return {"local": Local(root), "smb": Smb(root, takeover), "nfs": Nfs()}


def find(protocols: Mapping[str, ShareProtocol], volume: str, name: str) -> ShareProtocol:
    """The protocol of that name, or an error that says which there are."""
    try:
        return protocols[name]
    except KeyError:
        raise OptionError(
            f'volume "{volume}": protocol {name} is not built into this version; use protocol={" or ".join(protocols)}'
        ) from None
