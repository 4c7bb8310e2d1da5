"""A connection to a Docker engine's API, over its socket or through ssh to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict
from urllib.parse import quote, urlsplit

# of the oldest engines that this is for; a later one may have its own oldest
API = "1.41"
# for its volumes the engine asks every driver that it ever used, one that is gone for 15 s
ANSWER_SECONDS = 30
# a database flushes what is dirty before it stops
STOP_SECONDS = 60
# what ssh says of a jump host that lets nobody through, beside that one's own line
BEHIND_JUMP = ("UNKNOWN port 65535", "kex_exchange_identification: ")
# sshd turns logins away at random while ten are under way (sshd_config(5), MaxStartups); two processes log in at a time
LOGINS = threading.BoundedSemaphore(4)


class Engine(TypedDict):
    """How to reach an engine."""

    url: str
    """`unix:///…` or `ssh://user@address:port`."""
    ssh_opts: list[str]
    """Arguments for ssh; empty for a local engine."""
    machine: NotRequired[str]
    """Which machine it is on, where another may have its address one day."""


class EngineError(Exception):
    """The engine can't be reached or refused. Its text is one line that says what to do."""


class NotThereError(EngineError):
    """The engine does not know what was asked for."""


class SilenceError(EngineError):
    """The engine said nothing for as long as one was ready to wait."""


class EngineConnection:
    """Calls to one engine's API (docs.docker.com/reference/api/engine/version/v1.41)."""

    def __init__(self, path: str, where: str = "", told: Callable[[], str] = str) -> None:
        """`path`: the engine's Unix socket; on another host: `where` in words, and what ssh has `told` last."""
        self.path = path
        self.api = API
        self._where = where or f"at {path}"
        self._told = told

    def ping(self, *, timeout: float = 10) -> None:
        """Asks only whether the engine answers; its version would take it 25 ms. Then it takes calls of version `api`.

        Raises:
            EngineError: as `get` does, and if it is Podman that answers.
        """
        with self._request("GET", "/_ping", timeout, {}) as answer:
            # by this its own clients tell it from Docker's engine
            if answer.getheader("Libpod-API-Version"):
                raise EngineError(
                    f"what answers {self._where} is Podman, which has no volume plugins: this needs Docker's engine; "
                    "name its socket by datadocker:host.socket, or start it there"
                )

    def get(self, path: str, *, timeout: float = ANSWER_SECONDS, **query: object) -> Any:
        """Returns the decoded JSON of `GET path?query`; dicts in `query` are sent as JSON.

        Raises:
            EngineError: if the engine does not answer, or answers with an error.
        """
        with self._request("GET", path, timeout, query) as answer:
            return json.loads(answer.read() or b"null")

    def post(self, path: str, *, timeout: float = 60) -> None:
        """Sends `POST path` without a body.

        Raises:
            EngineError: as `get` does.
        """
        with self._request("POST", path, timeout, {}):
            pass

    def log(self, container: str, tail: int) -> str:
        """Returns the last `tail` lines of a container's log, decoded from the engine's frames.

        Raises:
            EngineError: as `get` does.
        """
        wanted: dict[str, object] = {"stderr": 1, "stdout": 1, "tail": tail}
        with self._request("GET", f"/containers/{container}/logs", 10, wanted) as answer:
            raw, lines = answer.read(), []
        while len(raw) >= 8:
            # docs.docker.com: attach to a container, stream format
            size = int.from_bytes(raw[4:8], "big")
            lines.append(raw[8 : 8 + size].decode(errors="replace").strip())
            raw = raw[8 + size :]
        return "\n".join(lines)

    @contextlib.contextmanager
    def lines(self, path: str, *, timeout: float, **query: object) -> Iterator[Iterator[dict[str, Any]]]:
        """Opens a stream of JSON objects, such as the engine's events from this moment on.

        Raises:
            EngineError: as `get` does.
            SilenceError: if nothing comes for `timeout` seconds.
        """
        with self._request("GET", path, timeout, query) as answer:
            yield (json.loads(line) for line in iter(answer.readline, b""))

    def _take_oldest(self) -> None:
        """Goes on with the oldest version that the engine still takes, where that is a later one."""
        with self._request("GET", "/version", 10, {}, versioned=False) as answer:
            oldest = str(json.loads(answer.read()).get("MinAPIVersion", API))
        self.api = max(self.api, oldest, key=lambda version: [int(number) for number in version.split(".")])

    @contextlib.contextmanager
    def _request(
        self, method: str, path: str, timeout: float, query: dict[str, object], *, versioned: bool = True
    ) -> Iterator[http.client.HTTPResponse]:
        sent = {k: json.dumps(v) if isinstance(v, dict) else str(v) for k, v in query.items()}
        api = self.api
        url = (f"/v{api}{path}" if versioned else path) + ("?" if sent else "")
        url += "&".join(f"{k}={quote(v)}" for k, v in sent.items())
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request(method, url)
            answer = connection.getresponse()
            if answer.status >= http.client.BAD_REQUEST:
                said = json.loads(answer.read() or b"{}").get("message", answer.reason)
                # asked for only now: most engines take ours, and their version takes them 25 ms
                if versioned and answer.status == http.client.BAD_REQUEST and "is too old" in said:
                    self._take_oldest()
                    if self.api != api:
                        with self._request(method, path, timeout, query) as again:
                            yield again
                        return
                if "is too new" in said:
                    said = f"it is older than 20.10, which this needs: upgrade it ({said})"
                refused = NotThereError if answer.status == http.client.NOT_FOUND else EngineError
                raise refused(f"the Docker engine {self._where} answered: {said}")
            yield answer
        except PermissionError:
            raise EngineError(
                f"no permission to use the Docker engine's socket {self.path}: "
                "add your user to the group docker, or run as root"
            ) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise EngineError(
                f"no Docker engine answers at {self.path}: start it (systemctl start docker), "
                "or, for a new stack, set datadocker:host.socket to the socket of the one that runs"
            ) from None
        except TimeoutError:
            raise SilenceError(f"the Docker engine {self._where} did not answer within {timeout:.0f} s") from None
        except (OSError, http.client.HTTPException) as error:
            reason, asked = str(error) or type(error).__name__, "does it run there?"
            if told := self._told():
                reason = told
                asked = (
                    "does it run there, may this user use it (group docker), and does sshd forward sockets "
                    "(AllowStreamLocalForwarding)?"
                )
            raise EngineError(f"the Docker engine {self._where} broke off ({reason}): {asked}") from None
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _listens(path: Path) -> bool:
    # ssh makes the file a moment before it listens
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def connect(engine: Engine) -> Iterator[EngineConnection]:
    """Opens the way to an engine.

    Over ssh the engine's socket is forwarded once: a call then takes milliseconds, not an ssh login each.

    Raises:
        EngineError: if ssh fails, with ssh's own last line.
    """
    parts = urlsplit(engine["url"])
    if parts.scheme == "unix":
        yield EngineConnection(parts.path)
        return
    with tempfile.TemporaryDirectory(prefix="datadocker-") as folder:
        forwarded = Path(folder, "engine.sock")
        command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"]
        command += ["-o", "ConnectTimeout=20", "-L", f"{forwarded}:/var/run/docker.sock", *engine["ssh_opts"]]
        command += ["-p", str(parts.port or 22), f"{parts.username}@{parts.hostname}", "cat"]
        if shutil.which("ssh") is None:
            raise EngineError("the host is reached by ssh, and there is no ssh here: install openssh-client")
        said, there = Path(folder, "ssh.log"), f"{parts.username}@{parts.hostname}"
        with contextlib.ExitStack() as login:
            login.enter_context(LOGINS)
            with said.open("w") as log:
                ssh = subprocess.Popen(
                    command,
                    # the other end reads it until we are gone, however we end, and ssh ends then
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                )
            try:
                while not _listens(forwarded):
                    if ssh.poll() is not None:
                        raise EngineError(
                            f"ssh to {there} failed: {_last_line(said) or 'it said nothing'}; mend datadocker:host, or "
                            "what keeps ssh out"
                        )
                    time.sleep(0.02)  # ssh tells nobody when its forward stands
                login.close()
                # what a server says to everybody comes before
                greeted = said.stat().st_size
                yield EngineConnection(str(forwarded), f"on {there}", lambda: _last_line(said, greeted))
            finally:
                ssh.terminate()
                ssh.wait()


def _last_line(file: Path, start: int = 0) -> str:
    lines = file.read_bytes()[start:].decode(errors="replace").strip().splitlines() or [""]
    return next((line for line in reversed(lines) if not any(w in line for w in BEHIND_JUMP)), lines[-1])
