"""An engine's socket whose answers a test decides."""

from __future__ import annotations

import http.server
import json
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar


class FakeEngine(socketserver.ThreadingUnixStreamServer):
    """Answers GETs by the last of `answers` whose key is in the path, POSTs with 204; `events` are streamed."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.path = str(path)
        self.answers: dict[str, Any] = {
            "/_ping": "OK",
            "/containers/json": [],
            "/images/": {},
            "/info": {},
            "/plugins": [],
            "/volumes": {"Volumes": None},
        }
        self.events: list[dict[str, Any]] = []
        self.log = b""
        # further ones of each answer
        self.headers: dict[str, str] = {}
        self.posted: list[str] = []
        self.silent = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # whoever has seen enough of the events hangs up
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        """Status and body of an answer that a test's own engine gives; nothing leaves it to `answers`."""
        return None


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        engine = self.server
        assert isinstance(engine, FakeEngine)
        if self._responded(engine):
            return
        if "/events" in self.path:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            for event in engine.events:
                self.wfile.write(json.dumps(event).encode() + b"\n")
            self.wfile.flush()
            engine.silent.wait()
            return
        status, body = 404, json.dumps({"message": "no such thing"}).encode()
        for key, answer in engine.answers.items():
            if key in self.path:
                status = 500 if isinstance(answer, Exception) else 200
                said = {"message": str(answer)} if isinstance(answer, Exception) else answer
                body = json.dumps(said).encode()
        if "/logs" in self.path:
            status, body = 200, bytes([2, 0, 0, 0]) + len(engine.log).to_bytes(4, "big") + engine.log
        self._answer(status, body)

    def do_POST(self) -> None:
        engine = self.server
        assert isinstance(engine, FakeEngine)
        if not self._responded(engine):
            engine.posted.append(self.path)
            self._answer(204, b"")

    def do_DELETE(self) -> None:
        engine = self.server
        assert isinstance(engine, FakeEngine)
        if not self._responded(engine):
            self._answer(204, b"")

    def _responded(self, engine: FakeEngine) -> bool:
        answer = engine.respond(self.command, self.path, self._body())
        if answer is not None:
            self._answer(*answer)
        return answer is not None

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        assert isinstance(self.server, FakeEngine)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        pass


def listed_plugin(name: str, root: str, description: str = "datadocker/azurefile:1") -> dict[str, Any]:
    """An enabled plugin whose folder is `root`, as an engine lists it."""
    mounts = [{"Name": "root", "Source": root}, {"Name": "engine", "Source": "/var/run"}]
    return {
        "Name": f"{name}:latest",
        "Enabled": True,
        "Config": {"Description": description},
        "Settings": {"Mounts": mounts, "Env": []},
    }


Kind = TypeVar("Kind", bound=FakeEngine)


@contextmanager
def served(engine: Kind) -> Iterator[Kind]:
    with engine:
        thread = threading.Thread(target=engine.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield engine
        finally:
            engine.silent.set()
            engine.shutdown()
            thread.join()


@contextmanager
def fake_engine(folder: Path) -> Iterator[FakeEngine]:
    with served(FakeEngine(folder / "docker.sock")) as engine:
        yield engine


class NewerEngine(FakeEngine):
    """Takes calls of API version 1.100 or later; `asked` is what it was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.answers["/version"] = {"ApiVersion": "1.102", "MinAPIVersion": "1.100"}
        self.asked: list[str] = []

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        self.asked.append(path)
        if not path.startswith("/v1.41/"):
            return None
        said = "client version 1.41 is too old. Minimum supported API version is 1.100"
        return 400, json.dumps({"message": said}).encode()
