"""The engine's API, as far as the plugin needs it."""

import http.client
import json
import socket
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

# A claim waits for this list; an engine with many containers takes longer.
_CLAIM_SECONDS = 0.5
_LIST_SECONDS = 30.0
_INSPECT_SECONDS = 5.0
# Within it the engine mounts, for which it has two minutes itself.
_START_SECONDS = 150.0
_EVENTS = {"type": ["container", "volume"], "event": ["mount", "start", "rename", "destroy"]}


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


@dataclass(frozen=True)
class Ended:
    """A container with a restart policy that ran before and does not run now."""

    id: str
    # The drivers of its volumes, by the volumes' names.
    volumes: dict[str, str]
    # Why its last start failed, empty if it did not; None if the engine does not say.
    error: str | None


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
            return any(volume in volumes(c) for c in listed if not restarting(c))
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def containers(self, timeout: float = _LIST_SECONDS, **filters: str) -> list[dict[str, Any]]:
        """The running containers, or those that match, whatever their state. Takes no container lock."""
        path = "/containers/json"
        if filters:
            path += "?all=1&filters=" + quote(json.dumps({name: [value] for name, value in filters.items()}))
        found: list[dict[str, Any]] = self._get(path, timeout)
        return found

    def inspect(self, container: str) -> dict[str, Any]:
        """One container in full; may wait for the container's lock. Raises LookupError if it is gone."""
        found: dict[str, Any] = self._get(f"/containers/{container}/json", _INSPECT_SECONDS)
        return found

    def using(self, volume: str) -> list[str] | None:
        """The running containers that use a volume, by id; None if the engine does not answer."""
        try:
            return [container["Id"] for container in self.containers() if volume in volumes(container)]
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def ended(self, using: Collection[str]) -> list[Ended] | None:
        """The containers with one of these volumes that the engine does not start; None if it does not answer.

        One that can't be inspected, since something has its lock, keeps no other out.
        """
        try:
            listed = self.containers(status="exited")
        except (OSError, http.client.HTTPException, ValueError):
            return None
        found = []
        for container in listed:
            drivers = _drivers(container)
            if drivers.keys().isdisjoint(using):
                continue
            inspected = self.look(container["Id"])
            if inspected is None:
                found.append(Ended(container["Id"], drivers, None))
            elif inspected and has_restart_policy(inspected):
                found.append(Ended(container["Id"], drivers, str(inspected["State"].get("Error", ""))))
        return found

    def serves(self, plugin: str) -> bool:
        """Whether the engine has a managed plugin of that name, and calls it."""
        try:
            return bool(self._get(f"/plugins/{quote(plugin)}/json", _INSPECT_SECONDS)["Enabled"])
        except (LookupError, OSError, http.client.HTTPException, ValueError):
            return False

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
        """Mounts, starts, renamings and removals from now on, until the connection ends; `ready` once it stands."""
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


def has_restart_policy(inspected: dict[str, Any]) -> bool:
    """Whether a container has a restart policy."""
    return inspected["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")


def restarting(listed: dict[str, Any]) -> bool:
    """Listed among the running ones, it waits for its next start without a process or a mount."""
    return listed.get("State") == "restarting"


def volumes(container: dict[str, Any]) -> set[str]:
    """The names of the volumes that a container has, as it is listed or inspected."""
    return set(_drivers(container))


def _drivers(container: dict[str, Any]) -> dict[str, str]:
    return {m["Name"]: str(m.get("Driver", "")) for m in container.get("Mounts") or [] if m.get("Type") == "volume"}
