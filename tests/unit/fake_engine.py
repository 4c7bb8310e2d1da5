"""An engine's socket whose answers a test decides."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class FakeEngine(socketserver.ThreadingUnixStreamServer):
    """Answers GETs by the first of `answers` whose key is in the path; `events` are streamed."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.path = str(path)
        self.answers: dict[str, Any] = {"/version": {"Version": "1"}, "/containers/json": []}
        self.events: list[dict[str, Any]] = []
        self.log = b""
        self.posted: list[str] = []
        self.silent = threading.Event()


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        engine = self.server
        assert isinstance(engine, FakeEngine)
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
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        engine = self.server
        assert isinstance(engine, FakeEngine)
        engine.posted.append(self.path)
        self.send_response(204)
        self.end_headers()

    def address_string(self) -> str:
        return "client"

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def fake_engine(folder: Path) -> Iterator[FakeEngine]:
    with FakeEngine(folder / "docker.sock") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.silent.set()
            server.shutdown()
            thread.join()
