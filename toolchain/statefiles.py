"""The files in which a backend of files keeps the stacks' states and locks, and what a killed run left of them."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import shutil
import socket
import time
import zlib
from pathlib import Path
from typing import Any

from toolchain.progress import ToolchainError, say

PROJECT = "datadocker"
# by this name it keeps who made the stack
OWNER, KEPT = "pulumi:index:Stash", "checkout"
# beside what is the CLI's
RUNS = "datadocker-runs"
# how long a lock may be only half written, or have another name yet
ASIDE_SECONDS = 1.0


class StateFiles:
    """The project's stacks in one folder; of a backend that keeps them elsewhere nothing is known."""

    def __init__(self, folder: Path | None) -> None:
        """Look in `folder`, the backend's `.pulumi`."""
        self.folder = folder

    def exists(self, stack: str) -> bool:
        """Whether there is a state of `stack`."""
        if self.folder is None:
            return False
        folder = self.folder / "stacks" / PROJECT
        return any((folder / f"{stack}.json{packed}").exists() for packed in ("", ".gz", ".zst"))

    def mend(self, stack: str) -> None:
        """Makes whole what a killed run left of `stack`, before anything of it is read."""
        self._break_dead_locks(stack)
        self._mend_files(stack)

    def _break_dead_locks(self, stack: str) -> None:
        """Removes the locks that processes of this machine held when they were killed."""
        for file in self._locks(stack):
            try:
                holder = _holder(file)
            except OSError:
                continue
            here, pid = holder.get("hostname", socket.gethostname()) == socket.gethostname(), holder.get("pid", 0)
            if here and not is_pulumi(pid) and not self._is_kept(pid):
                file.unlink(missing_ok=True)
                say("broke the lock of a pulumi that is gone")

    def keep_locks(self) -> None:
        """Lets no other wrapper take this process for dead, as one in a container would, which does not see it.

        What becomes of it keeps the lock, on the byte of its pid, and a child of it does not (fcntl(2), record locks).
        """
        if self.folder is not None:
            with contextlib.suppress(OSError):
                runs = os.open(self.folder / RUNS, os.O_RDONLY | os.O_CREAT, 0o666)
                os.set_inheritable(runs, True)
                fcntl.lockf(runs, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, os.getpid())

    def wait_for_turn(self, stack: str) -> None:
        """Waits until no other wrapper changes `stack`, and keeps others waiting then, as long as `keep_locks` does.

        The CLI looks for another's lock before and after it takes its own: of two that begin at once, both may give up.
        """
        if self.folder is not None:
            with contextlib.suppress(OSError):
                self.folder.mkdir(exist_ok=True)
                # a file of its own: who closes that of the pids, as `_is_kept` does, would let it go
                turn = os.open(self.folder / f"{RUNS}-{stack}", os.O_RDWR | os.O_CREAT, 0o666)
                os.set_inheritable(turn, True)
                try:
                    fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    say(f"another pulumiw is changing stack {stack}: waiting for it (Ctrl-C ends this)")
                    fcntl.lockf(turn, fcntl.LOCK_EX)

    def _is_kept(self, pid: int) -> bool:
        """Whether a process that has this pid anywhere keeps its locks. It ends our own `keep_locks`: ask before."""
        if self.folder is None:
            return False
        try:
            with (self.folder / RUNS).open("r+") as runs:
                fcntl.lockf(runs, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, pid)
        except BlockingIOError:
            return True
        except OSError:
            # there is none, or no such lock there
            return False
        return False

    def _mend_files(self, stack: str) -> None:
        """Repairs what a kill in the middle of writing left of the stack's files.

        The CLI writes a state aside and renames it, but its attributes in place; empty ones make it give up. The
        state before the last write is kept beside it.
        """
        if self.folder is None or self.locked(stack):
            return
        self._mend_meta()
        folder = self.folder / "stacks" / PROJECT
        for attributes in folder.glob(f"{stack}.json*.attrs"):
            if not _is_json(attributes):
                attributes.unlink()
        for aside in folder.glob(f"{stack}.json*.tmp"):
            aside.unlink()
        state, before = folder / f"{stack}.json", folder / f"{stack}.json.bak"
        if state.exists() and not _is_json(state) and _is_json(before):
            aside = folder / f"{stack}.json.{os.getpid()}.tmp"
            shutil.copyfile(before, aside)
            aside.rename(state)
            say(f"the state of stack {stack} was half written: took the one before it")

    def _mend_meta(self) -> None:
        """Removes what says how the folder is laid out, if a power cut left it empty: the CLI writes it anew."""
        meta = self.folder / "meta.yaml" if self.folder is not None else None
        if meta is not None and meta.exists():
            attributes = meta.with_name(f"{meta.name}.attrs")
            if not meta.read_bytes().strip(b"\0"):
                meta.unlink()
            if attributes.exists() and not (meta.exists() and _is_json(attributes)):
                attributes.unlink()

    def locked(self, stack: str) -> bool:
        """Whether a run holds `stack`."""
        return bool(self._locks(stack))

    def pending(self, stack: str) -> list[dict[str, Any]]:
        """Returns the operations that a killed run had begun and not ended."""
        return list(self._latest(stack, if_it_mentions='"pending_operations"').get("pending_operations") or [])

    def by_passphrase(self, stack: str) -> bool:
        """Whether a passphrase keeps the secrets in the state of `stack`."""
        return (self._latest(stack, if_it_mentions='"passphrase"').get("secrets_providers") or {}).get(
            "type"
        ) == "passphrase"

    def engines(self, stack: str) -> dict[str, list[str]]:
        """Returns DOCKER_HOST → arguments for ssh, of each engine that `stack` has resources on."""
        resources = self._latest(stack).get("resources") or []
        inputs = [r.get("inputs", {}) for r in resources if r["type"] == "pulumi:providers:docker"]
        return {str(i["host"]): _list(i.get("sshOpts")) for i in inputs if "host" in i}

    def owner(self, stack: str) -> str:
        """Returns who made `stack`, host:folder#token; nothing if it was none, or is not known."""
        for resource in self._latest(stack, if_it_mentions=f'"{OWNER}').get("resources") or []:
            kept = (resource.get("outputs") or {}).get("output")
            if resource["type"] == OWNER and resource["urn"].endswith(f"::{KEPT}") and isinstance(kept, dict):
                return str(kept["owner"])
        return ""

    def _locks(self, stack: str) -> list[Path]:
        """What the CLI takes for locks: also a file that it had not renamed yet when it was killed."""
        found = self.folder.glob(f"locks/*/{PROJECT}/{stack}/*.json*") if self.folder is not None else []
        return [file for file in found if file.suffix != ".attrs"]

    def _latest(self, stack: str, if_it_mentions: str = "") -> dict[str, Any]:
        """The stack's state. Decoding it is spared where the text does not hold what is looked for.

        Raises:
            ToolchainError: if it can't be decoded.
        """
        if self.folder is None:
            return {}
        plain = self.folder / "stacks" / PROJECT / f"{stack}.json"
        there = [file for file in (plain, plain.with_name(f"{plain.name}.gz")) if file.exists()]
        if not there:
            return {}
        # as the CLI does, where both are there
        latest = max(there, key=lambda file: file.stat().st_mtime)
        try:
            text = latest.read_text("utf-8") if latest == plain else gzip.decompress(latest.read_bytes()).decode()
            # the CLI says what is wrong with one that a power cut emptied, where none was kept before
            if not text.strip("\0") or if_it_mentions not in text:
                return {}
            return json.loads(text)["checkpoint"].get("latest") or {}
        except (ValueError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ToolchainError(
                f"{latest} is no whole state ({error}): put back a copy of it, or the one before (.bak) if it is whole"
            ) from None


def _holder(file: Path) -> dict[str, Any]:
    """Who has a lock; nobody who left half of it, by a kill or a power cut, and is not writing it."""
    before, since = None, time.monotonic()
    while True:
        seen = file.stat()
        try:
            holder = dict(json.loads(file.read_bytes()))
        except (ValueError, TypeError):
            holder = {}
        if holder and file.suffix != ".tmp":
            return holder
        # by no clock of the file system's, which may be another machine's
        now = (seen.st_ino, seen.st_size, seen.st_mtime_ns)
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > ASIDE_SECONDS:
            return holder
        time.sleep(0.05)


def _list(value: Any) -> list[str]:
    # a provider's own arguments are kept as JSON text
    return list(json.loads(value) if isinstance(value, str) else value or [])


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def is_pulumi(pid: int) -> bool:
    """Whether process `pid` is a Pulumi CLI; one of which this user may not see what it is may be one."""
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return _lives(pid)
    return program.rpartition(b"/")[2] == b"pulumi"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return pid > 0
