"""What the plugin must do, in a hundred lines that share no code with it: volumes, mount IDs, and files."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.plugin.fuzz.meaning import meaning

# What stands in a share: its kind, and all that must never change by itself.
Entry = tuple[Any, ...]


def folder_entry(options: Mapping[str, Any]) -> Entry:
    """A folder that the plugin makes for a volume."""
    return ("folder", options.get("dirmode", 0o755), options.get("uid", 0), options.get("gid", 0))


@dataclass(frozen=True)
class Expected:
    """An answer: accepted, or refused in words that say this."""

    accepted: bool
    words: str = ""


ACCEPTED = Expected(True)


@dataclass
class Model:
    """The plugin's whole state, as its callers may see it."""

    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    given: dict[str, dict[str, str]] = field(default_factory=dict)
    ids: dict[str, Counter[str]] = field(default_factory=dict)
    # What is in the shares, by path below their root.
    tree: dict[str, Entry] = field(default_factory=dict)

    def mounted(self) -> list[str]:
        """The volumes that have a mount, by name."""
        return sorted(name for name, ids in self.ids.items() if ids)

    def create(self, name: str, given: dict[str, str]) -> Expected:
        """A Create whose name and options are each acceptable."""
        wanted = meaning(name, given)
        if wanted is None:
            return Expected(False, f'volume "{name}"')
        if name not in self.volumes:
            self.volumes[name], self.given[name], self.ids[name] = wanted, dict(given), Counter()
            return ACCEPTED
        same = self.volumes[name] == wanted or self.given[name] == given
        return ACCEPTED if same else Expected(False, "exists with other options")

    def known(self, name: str) -> Expected:
        """A Get or a Path."""
        return ACCEPTED if name in self.volumes else Expected(False, "does not exist")

    def remove(self, name: str) -> Expected:
        """A Remove."""
        if name not in self.volumes:
            return Expected(False, "does not exist")
        if self.ids[name]:
            return Expected(False, "it is mounted for")
        del self.volumes[name], self.given[name], self.ids[name]
        return ACCEPTED

    def mount(self, name: str, mount_id: str) -> Expected:
        """A Mount; the first one makes the folders that are missing."""
        if not mount_id:
            return Expected(False, "needs an ID")
        if name not in self.volumes:
            return Expected(False, "does not exist")
        mine = self.volumes[name]
        if mine["protocol"] == "smb":
            # No account has a key.
            return Expected(False, "credentials file")
        if mount_id not in self.ids[name] and any(self._excludes(mine, self.volumes[o]) for o in self.mounted()):
            return Expected(False, "is held by")
        if not self.ids[name]:
            paths = folders(mine)
            for path in paths:
                kind = self.tree.get(path, ("missing",))[0]
                if kind == "missing" and mine.get("create") is False:
                    return Expected(False, "without create=false")
                if kind not in ("missing", "folder"):
                    return Expected(False, "is a symbolic link or a file")
            for path in paths:
                self.tree.setdefault(path, folder_entry(mine))
        self.ids[name][mount_id] += 1
        return ACCEPTED

    def unmount(self, name: str, mount_id: str) -> Expected:
        """An Unmount; one of an unknown ID changes nothing."""
        if name not in self.volumes:
            return Expected(False, "does not exist")
        if self.ids[name][mount_id] > 0:
            self.ids[name][mount_id] -= 1
        self.ids[name] = +self.ids[name]
        return ACCEPTED

    def _excludes(self, one: dict[str, Any], other: dict[str, Any]) -> bool:
        if one["share"] != other["share"] or not (one["exclusive"] or other["exclusive"]):
            return False
        first, second = folders(one)[-1] + "/", folders(other)[-1] + "/"
        return first.startswith(second) or second.startswith(first)


def folders(options: dict[str, Any]) -> list[str]:
    """The folders on a volume's way, from its share on."""
    parts = [options["share"], *(options["folder"].split("/") if options["folder"] else [])]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
