"""A plugin process, the shares it may change, a canary beside them, and everything that must hold."""

import json
import os
import shutil
import stat
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from azurefile import liveness, mounts
from tests.plugin.fuzz import draws, wire
from tests.plugin.fuzz.malformed import Message
from tests.plugin.fuzz.meaning import shown
from tests.plugin.fuzz.model import ACCEPTED, Entry, Expected, Model
from tests.plugin.fuzz.wire import Answer
from tests.plugin.harness import PluginProcess, eventually, open_descriptors

_KINDS = {stat.S_IFDIR: "folder", stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}


class World:
    """Sends requests, compares each answer with the model, and all that can be seen with the rest of it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ddtest-"))
        self.canary = self.folder / "canary"
        self._plant_canary()
        self.canary_tree = tree(self.canary)
        self.plugin = PluginProcess(self.folder / "plugin")
        self.shares = self.plugin.root / "shares"
        self.model = Model()
        self.requests = Counter[str]()
        self._log_read = 0
        self._shares_used: set[str] = set()
        self.start()
        self._descriptors = self.quiet_descriptors()

    def close(self) -> None:
        self.plugin.close()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start the plugin, again perhaps."""
        self.plugin.start()
        ticks = liveness.start_ticks(self.plugin.pid)
        assert ticks is not None
        self._process = self.plugin.pid, ticks

    def call(self, call: str, expected: Expected | None = None, **body: Any) -> Answer:
        """One call of the protocol, whose answer must be what the model says."""
        answer = self.send(f"VolumeDriver.{call}", json.dumps(body).encode())
        if expected is not None:
            self.compare(answer, expected)
        return answer

    def send(self, call: str, body: bytes, *, malformed: bool = False, **headers: str) -> Answer:
        """One request with any body."""
        body = body.replace(draws.CANARY.encode(), str(self.canary).encode())
        answers = self.exchange(call, wire.request(f"/{call}", body, **headers))
        assert len(answers) == 1, f"{len(answers)} answers to {call} {body[:200]!r}"
        wire.well_formed(answers[0], malformed=malformed)
        return answers[0]

    def exchange(self, kind: str, data: bytes, **how: bool) -> list[Answer]:
        """Any bytes on a connection of their own, counted as one request."""
        self.requests[kind] += 1
        answers = wire.exchange(self.plugin.socket, data, **how)
        assert liveness.process_alive(*self._process), "the plugin died"
        return answers

    def send_message(self, message: Message) -> None:
        """A malformed request, or a strange one."""
        answers = self.exchange("malformed", message.data, half_close=message.half_close, heads=message.heads)
        if message.heads:
            assert all(not answer.body for answer in answers), answers
        else:
            for answer in answers:
                wire.well_formed(answer, malformed=True)
        statuses = [answer.status for answer in answers]
        assert all(status in message.statuses or (message.silent and status >= 400) for status in statuses), statuses
        assert len(answers) == message.count or (message.silent and not answers), statuses

    def compare(self, answer: Answer, expected: Expected) -> None:
        assert (answer.status == 200) is expected.accepted, (answer, expected)
        if not expected.accepted:
            assert expected.words in answer.error, (answer, expected)

    def storm(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Answer]:
        """All of the calls at once, each from a thread of its own, while List goes on answering."""
        with ThreadPoolExecutor(len(calls)) as pool:
            answers = [pool.submit(self.call, call, **body) for call, body in calls]
            for _ in range(3):
                self.call("List", ACCEPTED)
            return [answer.result() for answer in answers]

    def holds(self) -> None:
        """Everything that must be true after every step."""
        assert liveness.process_alive(*self._process), self.plugin.log.read_text()[-2000:]
        self._list_is_the_model()
        self._mounts_are_the_model()
        self._files_are_the_model()
        assert tree(self.canary) == self.canary_tree, "the canary beside the shares was touched"

    def counts_hold(self, name: str) -> None:
        """A volume's status tells its mounts."""
        found = self.call("Get", self.model.known(name), Name=name).json["Volume"]
        options, status = self.model.volumes[name], found["Status"]
        assert found.keys() == {"Name", "Mountpoint", "CreatedAt", "Status"}
        assert found["Mountpoint"] == str(self.plugin.mounts / name)
        assert (status["protocol"], status["share"]) == (options["protocol"], options["share"])
        assert (status["folder"], status["options"]) == (options["folder"], shown(options))
        assert status.get("mounts", 0) == self.model.ids[name].total(), (name, status, self.model.ids[name])

    def drain(self) -> None:
        """Unmount and remove everything through the plugin, and see that nothing is left of it."""
        for name, ids in list(self.model.ids.items()):
            self.counts_hold(name)
            for mount_id in list(ids.elements()):
                self.call("Unmount", self.model.unmount(name, mount_id), Name=name, ID=mount_id)
            self.call("Remove", self.model.remove(name), Name=name)
        self.holds()
        assert self.model.tree == tree(self.shares)
        self._layout_holds()
        self._log_holds()
        eventually(self._no_descriptor_leaked)
        for entry in self.shares.iterdir():
            entry.unlink() if entry.is_symlink() or not entry.is_dir() else shutil.rmtree(entry)
        self.model.tree.clear()

    def quiet_descriptors(self) -> int:
        """How many are open once they have stopped changing."""
        counts = [-1]

        def settled() -> None:
            counts.append(open_descriptors(self.plugin.pid))
            assert counts[-1] == counts[-2]

        eventually(settled)
        return counts[-1]

    def _list_is_the_model(self) -> None:
        [answer] = wire.exchange(self.plugin.socket, wire.request("/VolumeDriver.List"))
        wire.well_formed(answer)
        assert answer.status == 200, answer
        found = answer.json
        assert found.keys() == {"Volumes"}
        assert [v["Name"] for v in found["Volumes"]] == sorted(self.model.volumes)
        assert all(v.keys() == {"Name", "Mountpoint", "CreatedAt"} for v in found["Volumes"])

    def _mounts_are_the_model(self) -> None:
        below = f"{self.folder}/"
        wanted = sorted(
            str(path) for path in (self.plugin.mounts, *map(self.plugin.mounts.joinpath, self.model.mounted()))
        )
        # as an engine sees it, and the plugin itself
        for process in ("self", self.plugin.pid):
            entries = mounts.read_mountinfo(Path(f"/proc/{process}/mountinfo"))
            assert sorted(entry.target for entry in entries if entry.target.startswith(below)) == wanted
        assert sorted(os.listdir(self.plugin.mounts)) == self.model.mounted(), "a mount point was left"

    def _files_are_the_model(self) -> None:
        found, wanted = tree(self.shares), self.model.tree
        assert found == wanted, {path: (found.get(path), wanted.get(path)) for path in found.keys() | wanted.keys()}

    def _layout_holds(self) -> None:
        """Nothing of the plugin's is where nothing of it belongs."""
        state = self.plugin.root / "azurefile"
        self._shares_used |= {path.split("/")[0] for path in self.model.tree}
        wanted: dict[Path, set[str]] = {
            self.folder: {"canary", "plugin"},
            self.plugin.folder: {"root", "mounts", "plugin.sock", "log"},
            self.plugin.root: {"azurefile", "credentials", "fence", "shares"},
            state: {"host-id", "leases", "mounts", "plugin.lock", "stopped", "volumes"},
            state / "volumes": {f"{name}.json" for name in self.model.volumes},
            state / "mounts": {f"{name}.json" for name in self.model.mounted()},
        }
        for folder, names in wanted.items():
            assert set(os.listdir(folder)) == names, folder
        for fence in (self.plugin.root / "fence").iterdir():
            assert {f.name for f in fence.iterdir()} <= {".mutex"}, "a removed volume's record was left"

    def forget_half_written(self) -> None:
        """What was being written when it was killed is left under a name that nobody reads."""
        for left in self.plugin.root.rglob(".*.tmp"):
            left.unlink()

    def _log_holds(self) -> None:
        """Lines of key=value, no call that failed in an unforeseen way, no secret."""
        with self.plugin.log.open("rb") as file:
            file.seek(self._log_read)
            text = file.read().decode()
        self._log_read += len(text.encode())
        for line in text.split("\n")[:-1]:
            assert line.startswith("level="), line[:500]
            assert not line.startswith("level=error"), line[:2000]
            assert "trace=" not in line, line[:2000]
        assert draws.SECRET not in text

    def _no_descriptor_leaked(self) -> None:
        now = open_descriptors(self.plugin.pid)
        assert now <= self._descriptors, f"{now} descriptors, {self._descriptors} before"

    def _plant_canary(self) -> None:
        (self.canary / "folder").mkdir(parents=True)
        (self.canary / "file").write_text("untouched\n")
        (self.canary / "folder/deeper").write_bytes(b"\0" * 100)
        (self.canary / "folder").chmod(0o751)


class Worlds:
    """One world serves every example that leaves it empty, since a plugin takes long to start."""

    current: ClassVar[World | None] = None
    requests: ClassVar[Counter[str]] = Counter()

    @classmethod
    def enter(cls) -> World:
        cls.current = cls.current or World()
        return cls.current

    @classmethod
    def leave(cls, *, empty: bool) -> None:
        world = cls.current
        assert world is not None
        cls.requests += world.requests
        world.requests.clear()
        if not empty:
            cls.current = None
            world.close()


def tree(root: Path) -> dict[str, Entry]:
    """Everything below a folder, by path, with all that must not change by itself; links are not followed."""
    found: dict[str, Entry] = {}
    stack = [root]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                path = Path(entry.path)
                found[str(path.relative_to(root))] = look(path)
                if entry.is_dir(follow_symlinks=False):
                    stack.append(path)
    return found


def look(path: Path) -> Entry:
    """One file, link or folder."""
    status = path.lstat()
    kind = _KINDS[stat.S_IFMT(status.st_mode)]
    common = (kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    if kind == "folder":
        return common
    content = path.read_bytes() if kind == "file" else os.readlink(path) if kind == "link" else None
    return (*common, status.st_ino, status.st_mtime_ns, content)
