"""Where each volume is mounted, and for which of the engine's mount IDs."""

import contextlib
import logging
import tempfile
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from azurefile import files, liveness, mounts, room

log = logging.getLogger(__name__)

# What a few mounts write, so that the first to come back is not the last.
_ROOM_BYTES = 64 * 1024


@dataclass
class Attachment:
    """One volume's mount point, and the engine's mount IDs on it as a multiset.

    `docker cp` to a running container mounts again under that container's own ID, so an ID
    has a count. An ID that was never seen here is no error: the engine may have restarted.
    """

    path: Path
    target: Path
    boot: str
    since: float = 0.0
    ids: dict[str, int] = field(default_factory=dict)
    # False once there is a file of which nobody knows what it says.
    readable: bool = True

    @classmethod
    def load(cls, path: Path, target: Path, boot: str) -> "Attachment":
        """Read the IDs back; a file of an earlier boot counts nothing."""
        attachment = cls(path, target, boot)
        try:
            data = files.read_json(path)
            if data["boot"] == boot:
                attachment.since = float(data["since"])
                attachment.ids = {str(i): int(n) for i, n in data["ids"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            attachment.readable = False
            log.warning("mount file not readable", extra={"file": path.name, "error": error})
        return attachment

    @property
    def out(self) -> int | None:
        """How many IDs are out, None if their file could not be read."""
        return len(self.ids) if self.readable else None

    def add(self, mount_id: str, now: float) -> None:
        """Count one Mount."""
        if not self.ids:
            self.since = now
        before = dict(self.ids)
        self.ids[mount_id] = self.ids.get(mount_id, 0) + 1
        try:
            self._save()
        except BaseException:
            self.ids = before
            raise

    def remove(self, mount_id: str) -> bool:
        """Count one Unmount; says whether the ID was known."""
        if mount_id not in self.ids:
            return False
        self.ids[mount_id] -= 1
        if self.ids[mount_id] <= 0:
            del self.ids[mount_id]
        self._save()
        return True

    def clear(self) -> None:
        """Forget every ID."""
        self.ids = {}
        self.readable = True
        with contextlib.suppress(FileNotFoundError):
            self.path.unlink()

    def void(self) -> None:
        """Forget every ID and unmount."""
        self.clear()
        mounts.detach(self.target)

    def _save(self) -> None:
        if not self.ids and self.readable:
            self.clear()
            return
        # What nobody knows stays unknown to the plugin's next life, too.
        state = {"boot": self.boot, "since": self.since, "ids": self.ids if self.readable else None}
        files.write_json(self.path, state, durable=False)


class Attachments:
    """One a volume: its IDs are kept in a file of `state`, its mount point is in `mounted`."""

    def __init__(self, state: Path, mounted: Path) -> None:
        """Use both folders, made where they are missing."""
        self._state = state
        self._mounted = mounted
        self._boot = liveness.boot_id()
        self._known: dict[str, Attachment] = {}
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        mounted.mkdir(parents=True, exist_ok=True)

    def load(self, volume: str) -> Attachment:
        """What a volume had in the plugin's last life."""
        self._known[volume] = Attachment.load(self._file(volume), self.target(volume), self._boot)
        return self._known[volume]

    def of(self, volume: str) -> Attachment:
        """A volume's, without IDs if it is a new one."""
        # Of two threads that ask first, both get the same one.
        return self._known.setdefault(volume, Attachment(self._file(volume), self.target(volume), self._boot))

    def counted(self) -> list[str]:
        """The volumes that are mounted for some ID."""
        return [volume for volume, attachment in list(self._known.items()) if attachment.ids]

    def forget(self, volume: str) -> None:
        """Drop what is known of a volume that is removed."""
        self._known.pop(volume, None)

    def target(self, volume: str) -> Path:
        """A volume's mount point, whether it is mounted or not."""
        return self._mounted / volume

    def detach_others(self, volumes: Container[str]) -> None:
        """Unmount what is mounted for none of these volumes."""
        for entry in self._mounted.iterdir():
            if entry.name not in volumes:
                mounts.detach(entry)

    def check_room(self) -> None:
        """Raise DiskFull if no mount could be noted."""
        with room.needed("nothing can be mounted"), tempfile.TemporaryFile(dir=self._state) as file:
            file.write(bytes(_ROOM_BYTES))

    def _file(self, volume: str) -> Path:
        return self._state / f"{volume}.json"
