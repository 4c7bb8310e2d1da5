"""What this plugin stopped itself and has not started again, for its next life."""

import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

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


class StoppedMemory:
    """One file a volume. Unlike a lease it outlives a reboot: the engine does not start what was killed."""

    def __init__(self, folder: Path) -> None:
        """Use `folder`, made when it is missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def save(self, lease: Lease, containers: Iterable[str]) -> Stopped:
        """Remember what is stopped for a lost lease; on a full disk only this life knows."""
        stopped = Stopped(lease.owner, tuple(sorted(containers)), lease.restart)
        self.keep(stopped)
        return stopped

    def keep(self, stopped: Stopped) -> None:
        """Remember what was stopped as it is known by now."""
        value = {
            "owner": stopped.owner.to_json(),
            "containers": stopped.containers,
            "restart": stopped.restart,
            "started": stopped.started,
        }
        try:
            files.write_json(self._path(stopped.owner.volume), value, durable=True)
        except OSError as error:
            log.error("stop not remembered", extra={"volume": stopped.owner.volume, "error": error})

    def load(self, volume: str) -> Stopped | None:
        """What was stopped for a volume and not started again."""
        path = self._path(volume)
        try:
            data = files.read_json(path)
            return Stopped(
                Owner.from_json(data["owner"]),
                tuple(map(str, data["containers"])),
                bool(data["restart"]),
                # An older version of the plugin did not keep it.
                {str(container): str(at) for container, at in data.get("started", {}).items()},
            )
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
