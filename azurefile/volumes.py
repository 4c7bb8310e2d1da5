"""The volumes that were created: one JSON file each, kept on the host."""

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azurefile import files
from azurefile.options import Options

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Volume:
    """One volume, as Create accepted it."""

    name: str
    options: Options
    given: dict[str, str]
    created: str
    # Whether its share was ever there for a mount: one that is gone since is not to be replaced by an empty one.
    seen: bool = False
    # By which account it was mounted last; empty where there is none.
    account: str = ""


class VolumeStore:
    """All volumes in memory, each change on disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        """Read every volume below `folder`; one that can't be read is reported and left alone."""
        self._folder = folder
        self._volumes: dict[str, Volume] = {}
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in sorted(folder.glob("*.json")):
            if path.name.startswith("."):
                continue
            try:
                volume = _from_json(files.read_json(path))
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                log.error("volume file not readable", extra={"file": path.name, "error": error})
                continue
            self._volumes[volume.name] = volume

    def get(self, name: str) -> Volume | None:
        """The volume of that name."""
        return self._volumes.get(name)

    def all(self) -> list[Volume]:
        """Every volume, by name."""
        # One look at the table: another thread may remove a volume meanwhile.
        return sorted(list(self._volumes.values()), key=lambda volume: volume.name)

    def add(self, volume: Volume) -> None:
        """Keep a volume, in place of the one of its name."""
        files.write_json(self._path(volume.name), dataclasses.asdict(volume), durable=True)
        self._volumes[volume.name] = volume

    def mounted(self, volume: Volume, account: str) -> None:
        """Keep that a volume's share was there, and by which account it was mounted."""
        now = dataclasses.replace(volume, seen=True, account=account)
        if now != volume:
            self.add(now)

    def remove(self, name: str) -> None:
        """Forget a volume."""
        files.remove(self._path(name))
        self._volumes.pop(name, None)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


def _from_json(data: Any) -> Volume:
    known = {field.name for field in dataclasses.fields(Options)}
    if newer := data["options"].keys() - known:
        # Without its volumes an older version would stop what runs on them.
        log.warning("options of a newer version left out", extra={"volume": data["name"], "options": sorted(newer)})
    return Volume(
        name=data["name"],
        options=Options(**{name: value for name, value in data["options"].items() if name in known}),
        given=dict(data["given"]),
        created=data["created"],
        # An older version did not keep these.
        seen=data.get("seen", False),
        account=data.get("account", ""),
    )
