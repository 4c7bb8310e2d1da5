"""What the engine knows about containers, read in the background and never inside a Mount.

A Mount call carries a random ID and no container. The engine's event for that mount does, and
follows within milliseconds. An inspect from inside a Mount would wait for a lock that the engine
holds until that Mount is answered.
"""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

from azurefile import liveness
from azurefile.owner import Container

log = logging.getLogger(__name__)

T = TypeVar("T")

DATABASE_LABEL = "io.datadocker.database"
STACK_LABEL = "io.datadocker.stack"

# A claim waits for this list; an engine with many containers takes longer.
_CLAIM_SECONDS = 0.5
_LIST_SECONDS = 30.0
_INSPECT_SECONDS = 5.0
_TRIES = 3
# Within it the engine mounts, for which it has two minutes itself.
_START_SECONDS = 150.0
_EVENTS = {"type": ["container", "volume"], "event": ["mount", "start"]}
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the engine's socket."""

    def __init__(self, path: str, timeout: float | None) -> None:
        """`path`: the socket; `timeout`: seconds for each read and write."""
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """The few calls of the engine's API that the plugin makes."""

    def __init__(self, path: str) -> None:
        """Use the engine's socket at `path`; it need not answer yet."""
        self._path = path

    def running(self, volume: str) -> bool | None:
        """Whether a running container uses the volume; None if the engine does not answer.

        One that is about to restart has no process: it may be the very one that asks.
        """
        try:
            listed = self.containers(timeout=_CLAIM_SECONDS)
            return any(volume in _volumes(c) for c in listed if not _restarting(c))
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def containers(self, identifier: str | None = None, timeout: float = _LIST_SECONDS) -> list[dict[str, Any]]:
        """The running containers, or the one named whatever its state. Takes no container lock."""
        path = "/containers/json"
        if identifier is not None:
            path += "?all=1&filters=" + quote(json.dumps({"id": [identifier]}))
        found: list[dict[str, Any]] = self._get(path, timeout)
        return found

    def inspect(self, container: str) -> dict[str, Any]:
        """One container in full; may wait for the container's lock. Raises LookupError if it is gone."""
        found: dict[str, Any] = self._get(f"/containers/{container}/json", _INSPECT_SECONDS)
        return found

    def using(self, volume: str) -> list[str] | None:
        """The running containers that use a volume, by id; None if the engine does not answer."""
        try:
            return [container["Id"] for container in self.containers() if volume in _volumes(container)]
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def kill(self, container: str) -> bool:
        """End a container without asking it; a stop could wait for a share that hangs. False if it did not work."""
        return self._post(f"/containers/{container}/kill")

    def start(self, container: str) -> bool:
        """Start a container that was killed; what its Mount answers is in the engine's log."""
        return self._post(f"/containers/{container}/start", _START_SECONDS)

    def look(self, container: str) -> dict[str, Any] | None:
        """One container in full: nothing in it if it is gone, None if the engine does not say."""
        try:
            return self.inspect(container)
        except LookupError:
            return {}
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def events(self, ready: Callable[[], None]) -> Iterator[dict[str, Any]]:
        """Mounts and starts from now on, until the connection ends; `ready` once it stands."""
        connection = UnixConnection(self._path, None)
        try:
            connection.request("GET", "/events?filters=" + quote(json.dumps(_EVENTS)))
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise ValueError(f"the engine answered {response.status} to /events")
            ready()
            while line := response.readline():
                yield json.loads(line)
        finally:
            connection.close()

    def _post(self, path: str, timeout: float = 3.0) -> bool:
        connection = UnixConnection(self._path, timeout)
        try:
            connection.request("POST", path)
            response = connection.getresponse()
            response.read()
            return response.status < http.client.BAD_REQUEST
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _get(self, path: str, timeout: float) -> Any:
        connection = UnixConnection(self._path, timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
            if response.status == http.client.NOT_FOUND:
                raise LookupError(path)
            if response.status != http.client.OK:
                raise ValueError(f"the engine answered {response.status} to {path}")
            return json.loads(body)
        finally:
            connection.close()


class Watcher:
    """Tells the fence which container each mount was for, from a thread of its own."""

    def __init__(
        self,
        engine: Engine,
        held: Callable[[], list[str]],
        identify: Callable[[str, Container, int], None],
        left: Callable[[], None],
    ) -> None:
        """Report to `identify`, and to `left` that an engine ended; ask only about volumes that are `held`."""
        self._engine = engine
        self._held = held
        self._identify = identify
        self._left = left
        self._listening = threading.Event()
        # Set when the events of one connection have ended.
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin; the thread ends with the process."""
        threading.Thread(target=self._run, name="events", daemon=True).start()

    def listening(self) -> bool:
        """Whether events arrive."""
        return self._listening.is_set()

    def _run(self) -> None:
        failures = 0
        while True:
            try:
                for event in self._engine.events(self._ready):
                    failures = 0
                    self._handle(event)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if failures == len(_RETRY_SECONDS):
                    log.warning("engine does not answer", extra={"error": error})
            except Exception:
                # Without names the fence still holds; without this thread it would never get any.
                log.exception("event not understood")
            if self._listening.is_set():
                # Not when the next one answers: it mounts before that, and what it mounts is its own.
                self._left()
            self._listening.clear()
            self._ended.set()
            time.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    def _ready(self) -> None:
        self._listening.set()
        log.info("engine connected")
        self._ended = threading.Event()
        threading.Thread(target=self._catch_up, args=(self._ended,), name="names", daemon=True).start()

    def _catch_up(self, ended: threading.Event) -> None:
        """Name what started before the events arrived; beside them, since a busy engine lists slowly."""
        while not ended.is_set():
            # What is granted from here on is told by events, and this list may be older.
            asked_ns = time.time_ns()
            try:
                listed = self._engine.containers()
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.info("containers not listed, asked again", extra={"error": error})
                ended.wait(_RETRY_SECONDS[-1])
                continue
            for container in listed:
                if not _restarting(container) and not _volumes(container).isdisjoint(self._held()):
                    self._started(container["Id"], asked_ns)
            return

    def _handle(self, event: dict[str, Any]) -> None:
        at_ns = int(event["timeNano"])
        actor = event["Actor"]
        if event["Type"] == "volume":
            if actor["ID"] in self._held():
                self._mounted(actor["ID"], actor["Attributes"].get("container", ""), at_ns)
        else:
            self._started(actor["ID"], at_ns)

    def _mounted(self, volume: str, identifier: str, at_ns: int) -> None:
        """The container has its name but no process yet; it may wait for other mounts."""
        try:
            found = _patiently(lambda: self._engine.containers(identifier))
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.info("container not listed", extra={"error": error})
            return
        for container in found:
            self._identify(volume, _container(container), at_ns)

    def _started(self, identifier: str, at_ns: int) -> None:
        held = self._held()
        if not held:
            return
        try:
            found = _patiently(lambda: self._engine.inspect(identifier))
            pid = found["State"]["Pid"]
            ticks = liveness.start_ticks(pid) if pid else None
        except (LookupError, OSError, http.client.HTTPException, ValueError) as error:
            log.info("container gone before it was looked at", extra={"error": error})
            return
        if not pid:
            # It ended, and its next start mounts again.
            return
        labels = found["Config"]["Labels"] or {}
        for volume in _volumes(found).intersection(held):
            container = Container(
                id=identifier,
                name=found["Name"].lstrip("/"),
                database=labels.get(DATABASE_LABEL, ""),
                stack=labels.get(STACK_LABEL, ""),
                pid=pid if ticks else None,
                ticks=ticks,
            )
            self._identify(volume, container, at_ns)


def _patiently(ask: Callable[[], T]) -> T:
    """Ask again after a timeout: a busy engine answers late, and tells of nothing twice by itself."""
    for _ in range(_TRIES - 1):
        with contextlib.suppress(TimeoutError):
            return ask()
    return ask()


def _container(listed: dict[str, Any]) -> Container:
    labels = listed.get("Labels") or {}
    return Container(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/") if listed.get("Names") else "",
        database=labels.get(DATABASE_LABEL, ""),
        stack=labels.get(STACK_LABEL, ""),
    )


def _restarting(listed: dict[str, Any]) -> bool:
    """Listed among the running ones, it waits for its next start without a process or a mount."""
    return listed.get("State") == "restarting"


def _volumes(container: dict[str, Any]) -> set[str]:
    return {m["Name"] for m in container.get("Mounts") or [] if m.get("Type") == "volume"}
