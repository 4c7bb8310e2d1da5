"""Which container each mount is for, as the engine's events tell.

A Mount call carries a random ID and no container. The engine's event for that mount does, and
follows within milliseconds. An inspect from inside a Mount would wait for a lock that the engine
holds until that Mount is answered.
"""

import contextlib
import http.client
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from azurefile import liveness
from azurefile.engine import Engine, restarting, volumes
from azurefile.holders import Holders
from azurefile.owner import Container

log = logging.getLogger(__name__)

T = TypeVar("T")

DATABASE_LABEL = "io.datadocker.database"
STACK_LABEL = "io.datadocker.stack"

_TRIES = 3
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
# More than a clock is off that is only slowed down or sped up, between two events of a host that starts.
_STEP_SECONDS = 0.5


class Watcher:
    """Tells the fence which container each mount was for, from a thread of its own."""

    def __init__(self, engine: Engine, held: Callable[[], list[str]], holders: Holders) -> None:
        """Tell `holders`; ask only about volumes that are `held`."""
        self._engine = engine
        self._held = held
        self._holders = holders
        self._listening = threading.Event()
        # Set when the events of one connection have ended.
        self._ended = threading.Event()
        # What the engine has said nothing of in this connection, and when it told of it; one thread asks for it.
        self._late: dict[str, float] = {}
        self._guard = threading.Lock()
        # How far the wall clock is ahead of the one that nobody sets.
        self._ahead = _ahead()

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
                self._holders.engine_left()
            self._listening.clear()
            self._ended.set()
            time.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    def _ready(self) -> None:
        self._listening.set()
        log.info("engine connected")
        self._ended = threading.Event()
        with self._guard:
            self._late = {}
        self._ahead = _ahead()
        self._list()

    def _list(self) -> None:
        threading.Thread(target=self._catch_up, args=(self._ended,), name="names", daemon=True).start()

    def _catch_up(self, ended: threading.Event) -> None:
        """Name what started before the events arrived; beside them, since a busy engine lists slowly."""
        while not ended.is_set():
            # What is granted from here on is told by events, and this list may be older.
            asked = liveness.clock()
            try:
                listed = self._engine.containers()
            except (OSError, http.client.HTTPException, ValueError) as error:
                log.info("containers not listed, asked again", extra={"error": error})
                ended.wait(_RETRY_SECONDS[-1])
                continue
            for container in listed:
                if not restarting(container) and not volumes(container).isdisjoint(self._held()):
                    self._started(container["Id"], asked)
            for identifier in self._holders.unseen():
                if self._engine.look(identifier) == {}:
                    self._holders.forget(identifier)
            return

    def _ask_late(self, ended: threading.Event, late: dict[str, float]) -> None:
        """Ask for what the engine has said nothing of yet, until it does."""
        try:
            while not ended.wait(_RETRY_SECONDS[-1]):
                for identifier, at in [*late.items()]:
                    named = self._name(identifier, at)
                    with self._guard:
                        # Its next start may have been told of meanwhile.
                        if named and late[identifier] == at:
                            del late[identifier]
                with self._guard:
                    if not late:
                        return
        except Exception:
            log.exception("container not understood")
            with self._guard:
                late.clear()

    def _handle(self, event: dict[str, Any]) -> None:
        before, self._ahead = self._ahead, _ahead()
        if abs(self._ahead - before) > _STEP_SECONDS:
            # What was on its way meanwhile may seem older than it is.
            self._list()
        at = _moment(int(event["timeNano"]))
        actor = event["Actor"]
        if event["Type"] == "volume":
            # One that is removed is told of, too.
            if event["Action"] == "mount" and actor["ID"] in self._held():
                self._mounted(actor["ID"], actor["Attributes"].get("container", ""), at)
        elif event["Action"] == "rename":
            self._holders.rename(actor["ID"], actor["Attributes"]["name"].lstrip("/"))
        elif event["Action"] == "destroy":
            self._holders.forget(actor["ID"])
        else:
            self._started(actor["ID"], at)

    def _mounted(self, volume: str, identifier: str, at: float) -> None:
        """The container has its name but no process yet; it may wait for other mounts."""
        try:
            found = _patiently(lambda: self._engine.containers(id=identifier))
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.info("container not listed", extra={"error": error})
            return
        for container in found:
            self._holders.identify(volume, _container(container), at)

    def _started(self, identifier: str, at: float) -> None:
        if not self._name(identifier, at):
            with self._guard:
                late = self._late
                if not late:
                    threading.Thread(target=self._ask_late, args=(self._ended, late), name="late", daemon=True).start()
                late[identifier] = max(at, late.get(identifier, at))

    def _name(self, identifier: str, at: float) -> bool:
        """Name what runs; False if the engine does not say yet, as of one that something else has its hands on."""
        held = self._held()
        if not held:
            return True
        try:
            found = _patiently(lambda: self._engine.inspect(identifier))
            pid = found["State"]["Pid"]
            ticks = liveness.start_ticks(pid) if pid else None
        except (LookupError, ValueError) as error:
            log.info("container gone before it was looked at", extra={"error": error})
            return True
        except (OSError, http.client.HTTPException) as error:
            log.info("container not looked at, asked again", extra={"container": identifier, "error": error})
            return False
        if not pid:
            # It ended, and its next start mounts again.
            return True
        labels = found["Config"]["Labels"] or {}
        for volume in volumes(found).intersection(held):
            container = Container(
                id=identifier,
                name=found["Name"].lstrip("/"),
                database=labels.get(DATABASE_LABEL, ""),
                stack=labels.get(STACK_LABEL, ""),
                pid=pid if ticks else None,
                ticks=ticks,
            )
            self._holders.identify(volume, container, at)
        return True


def _ahead() -> float:
    return time.time() - liveness.clock()


def _moment(told_ns: int) -> float:
    """When the engine told of an event, by `liveness.clock`: only a step of the wall clock on the way here misleads."""
    # Read first: what delays this thread before the other clock makes an event younger, and none is lost.
    age = max(0, time.time_ns() - told_ns) / 1e9
    return liveness.clock() - age


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
