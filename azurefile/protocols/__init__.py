"""The ways to reach a share. Each protocol is one module here and one line in `available`."""

from pathlib import Path
from typing import Protocol

from azurefile.errors import OptionError
from azurefile.fence import LockStore
from azurefile.protocols.local import Local
from azurefile.volumes import Volume


class ShareProtocol(Protocol):
    """What the driver needs of a protocol. Both calls may block; neither is made by List or Get."""

    def mount(self, volume: Volume, target: Path) -> None:
        """Mount the volume's folder on `target`, an empty directory."""

    def locks(self, volume: Volume) -> LockStore:
        """Where the share's fence is kept."""


def available(root: Path) -> dict[str, ShareProtocol]:
    """The protocols that this version has, by the value of option `protocol`."""
    return {"local": Local(root)}


def find(protocols: dict[str, ShareProtocol], volume: str, name: str) -> ShareProtocol:
    """The protocol of that name, or an error that says which there are."""
    try:
        return protocols[name]
    except KeyError:
        raise OptionError(
            f'volume "{volume}": protocol {name} is not built into this version; use protocol={" or ".join(protocols)}'
        ) from None
