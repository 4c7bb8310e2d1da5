"""What this host remembers of its leases on shared stores, for a plugin that restarts without its share."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from azurefile import files
from azurefile.errors import PluginError
from azurefile.lease import Lease
from azurefile.owner import Owner


class LeaseUnreadable(PluginError):
    """A lease is remembered, but not what it is: whatever uses its volume may write."""


@dataclass(frozen=True)
class Remembered:
    """A lease of the plugin's last life."""

    owner: Owner
    # Seconds since boot, by a clock that never jumps, when the share last confirmed it.
    confirmed: float
    # By which its share was reached.
    account: str


class LeaseMemory:
    """One file a volume: the owner record, when the share last confirmed it, and where that share is."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when it is missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def save(self, lease: Lease) -> None:
        """Remember a lease until this boot ends: no fsync, since a reboot voids it."""
        value = {"owner": lease.owner.to_json(), "confirmed": lease.confirmed, "place": lease.store.account}
        files.write_json(self._path(lease.owner.volume), value, durable=False)

    def volumes(self) -> list[str]:
        """The volumes of which a lease is remembered."""
        return sorted(path.stem for path in self._folder.glob("*.json") if not path.name.startswith("."))

    def load(self, volume: str) -> Remembered | None:
        """A volume's lease, None if there is none. Raises LeaseUnreadable."""
        path = self._path(volume)
        try:
            data = files.read_json(path)
            return Remembered(Owner.from_json(data["owner"]), float(data["confirmed"]), str(data.get("place", "")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            if _blank(path):
                # Within a boot a file is replaced as a whole: power was cut, and nothing of that boot writes.
                return None
            raise LeaseUnreadable(f"lease file {path.name} can't be read: {error}") from error

    def forget(self, volume: str) -> None:
        """Remove what is remembered of a volume's lease."""
        with contextlib.suppress(FileNotFoundError):
            self._path(volume).unlink()

    def _path(self, volume: str) -> Path:
        return self._folder / f"{volume}.json"


def _blank(path: Path) -> bool:
    try:
        return not path.read_bytes().strip(b"\0")
    except OSError:
        return False
