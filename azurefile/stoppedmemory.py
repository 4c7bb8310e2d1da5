"""What this plugin stopped itself and has not started again, for its next life."""

import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azurefile import files
from azurefile.lease import Lease
from azurefile.owner import Owner

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stopped:
    """The containers of one lost lease, by id."""

    owner: Owner
    containers: tuple[str, ...]
    # They start again whatever their restart policy.
    restart: bool
    # When each had been started, as far as the engine said: one that ran since is no longer what was stopped.
    started: Mapping[str, str] = field(default_factory=dict)
    # Of an exclusive volume, what an earlier lost hold left to be started, until it is known which of the two is.
    earlier: "Stopped | None" = None


class StoppedMemory:
    """One file a volume. Unlike a lease it outlives a reboot: the engine does not start what was killed."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when it is missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def save(self, lease: Lease, containers: Iterable[str], earlier: Stopped | None = None) -> Stopped:
        """Remember what is stopped for a lost lease; on a full disk only this life knows."""
        stopped = Stopped(lease.owner, tuple(sorted(containers)), lease.restart, earlier=earlier)
        self.keep(stopped)
        return stopped

    def keep(self, stopped: Stopped) -> None:
        """Remember what was stopped as it is known by now."""
        try:
            files.write_json(self._path(stopped.owner.volume), _to_json(stopped), durable=True)
        except OSError as error:
            log.error("stop not remembered", extra={"volume": stopped.owner.volume, "error": error})

    def load(self, volume: str) -> Stopped | None:
        """What was stopped for a volume and not started again."""
        path = self._path(volume)
        try:
            return _from_json(files.read_json(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("file of stopped containers not readable", extra={"file": path.name, "error": error})
            return None

    def forget(self, volume: str) -> None:
        """It is settled what becomes of them."""
        with contextlib.suppress(OSError):
            files.remove(self._path(volume))

    def _path(self, volume: str) -> Path:
        return self._folder / f"{volume}.json"


def _to_json(stopped: Stopped) -> dict[str, Any]:
    return {
        "owner": stopped.owner.to_json(),
        "containers": stopped.containers,
        "restart": stopped.restart,
        "started": stopped.started,
        "earlier": _to_json(stopped.earlier) if stopped.earlier else None,
    }


def _from_json(data: dict[str, Any]) -> Stopped:
    # An older version of the plugin did not keep the last two.
    earlier = data.get("earlier")
    return Stopped(
        Owner.from_json(data["owner"]),
        tuple(map(str, data["containers"])),
        bool(data["restart"]),
        {str(container): str(at) for container, at in data.get("started", {}).items()},
        _from_json(earlier) if earlier else None,
    )
