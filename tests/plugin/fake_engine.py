"""A stand-in for the engine's socket: containers with real processes, and events."""

import contextlib
import json
import os
import queue
import socketserver
import subprocess
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PLUGIN = "azurefile:latest"


class FakeContainer:
    """A container as the engine would tell of it, with a real process as its first."""

    def __init__(
        self, name: str, volume: str, labels: dict[str, str] | None = None, restart: str = "unless-stopped"
    ) -> None:
        self.id = os.urandom(32).hex()
        self.name = name
        self.volume = volume
        self.labels = labels or {}
        self.restart = restart
        # Between two lives: without a process, and yet among the running ones.
        self.restarting = False
        # Why its last start failed.
        self.error = ""
        # Its further volumes, with their drivers.
        self.others: dict[str, str] = {}
        # Something has its lock: it is listed, but not inspected.
        self.locked = False
        # Kills that come to nothing, as of one that is slow to go.
        self.deaf = 0
        self.process = subprocess.Popen(["sleep", "1000"])
        self.started_at = time.time()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def up(self) -> bool:
        return self.restarting or self.process.poll() is None

    def listed(self) -> dict[str, Any]:
        return {
            "Id": self.id,
            "Names": [f"/{self.name}"],
            "Labels": self.labels,
            "State": "restarting" if self.restarting else "running",
            "Mounts": [
                {"Type": "volume", "Name": name, "Driver": driver}
                for name, driver in {self.volume: PLUGIN, **self.others}.items()
            ],
        }

    def inspected(self) -> dict[str, Any]:
        running = self.process.poll() is None
        return {
            **self.listed(),
            "Name": f"/{self.name}",
            "State": {
                "Pid": self.process.pid if running else 0,
                "Error": self.error,
                "StartedAt": datetime.fromtimestamp(self.started_at, UTC).isoformat(),
            },
            "Config": {"Labels": self.labels},
            "HostConfig": {"RestartPolicy": {"Name": self.restart}},
        }


class FakeEngine:
    """The calls that the plugin makes to an engine, over a real socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.containers: list[FakeContainer] = []
        self.silent = False
        self.plugin_enabled = True
        # Seconds that a list takes, and lists that come to nothing.
        self.slow = 0.0
        self.broken_lists = 0
        self.started: list[str] = []
        # Starts that fail, as those whose Mount is refused.
        self.failing = 0
        self._streams: list[queue.Queue[dict[str, Any] | None]] = []
        self._listed = False
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                # A plugin that is killed hangs up.
                with contextlib.suppress(BrokenPipeError):
                    engine._answer(self)

            def do_POST(self) -> None:
                with contextlib.suppress(BrokenPipeError):
                    engine._act(self)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(str(path), Handler)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def run(self, name: str, volume: str, **labels: str) -> FakeContainer:
        """A container that has its mount already: tell of the mount, then of the start."""
        container = FakeContainer(name, volume, {f"io.datadocker.{k}": v for k, v in labels.items()})
        self.containers.append(container)
        self.tell("volume", "mount", volume, container=container.id)
        self.tell("container", "start", container.id, name=name)
        return container

    def rename(self, container: FakeContainer, name: str) -> None:
        old, container.name = container.name, name
        self.tell("container", "rename", container.id, name=name, oldName=f"/{old}")

    def tell(self, kind: str, action: str, actor: str, **attributes: str) -> None:
        event = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": attributes},
            "timeNano": time.time_ns(),
        }
        for stream in self._streams:
            stream.put(event)

    def wait_for_listener(self, listed: bool = False) -> None:
        """Until somebody reads the events; if `listed`, also until what runs was listed, which reads names too."""
        for _ in range(3000):
            if self._streams and (self._listed or not listed):
                return
            time.sleep(0.01)
        raise TimeoutError

    def drop(self) -> None:
        """End every event stream, as an engine that restarts does."""
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.put(None)

    def close(self) -> None:
        self.drop()
        self._server.shutdown()
        self._server.server_close()
        for container in self.containers:
            container.kill()

    def _act(self, request: BaseHTTPRequestHandler) -> None:
        _, _, identifier, action = request.path.split("/")
        container = next(c for c in self.containers if c.id == identifier)
        failed = action == "start" and self.failing > 0
        self.failing -= failed
        if action == "kill" and container.deaf > 0:
            container.deaf -= 1
        elif action == "kill":
            container.kill()
        elif not failed:
            container.error = ""
            self.started.append(container.name)
        request.send_response(500 if failed else 204)
        request.end_headers()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        url = urlsplit(request.path)
        while self.silent:
            time.sleep(0.05)
        asked = unquote(url.path.split("/")[2]) if url.path.count("/") == 3 else None
        one = next((c for c in self.containers if c.id == asked), None)
        while one is not None and one.locked:
            time.sleep(0.05)
        known = asked in (None, PLUGIN) or one is not None
        request.send_response(200 if known else 404)
        request.end_headers()
        filters = json.loads(parse_qs(url.query).get("filters", ["{}"])[0])
        if url.path == "/events":
            stream: queue.Queue[dict[str, Any] | None] = queue.Queue()
            self._streams.append(stream)
            while (event := stream.get()) is not None:
                if event["Type"] not in filters["type"] or event["Action"] not in filters["event"]:
                    continue
                request.wfile.write(json.dumps(event).encode() + b"\n")
                request.wfile.flush()
        elif url.path == "/containers/json":
            time.sleep(self.slow)
            if self.broken_lists > 0:
                self.broken_lists -= 1
                return
            found = [
                c.listed()
                for c in self.containers
                if (c.id in filters["id"] if "id" in filters else c.up != (filters == {"status": ["exited"]}))
            ]
            request.wfile.write(json.dumps(found).encode())
            self._listed = self._listed or "id" not in filters
        elif asked == PLUGIN:
            request.wfile.write(json.dumps({"Enabled": self.plugin_enabled}).encode())
        else:
            told = one.inspected() if one is not None else {"message": "No such container"}
            request.wfile.write(json.dumps(told).encode())
