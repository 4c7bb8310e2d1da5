"""Which way the toolchain comes, with and without a proxy."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import cache, clis


class Proxy(http.server.ThreadingHTTPServer):
    """Answers what is asked for by its full URL with `status`, and lets nobody through to port 443."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.asked: list[str] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(self.server.status)  # type: ignore[attr-defined]

    def do_CONNECT(self) -> None:
        self._answer(403)

    def _answer(self, status: int) -> None:
        self.server.asked.append(f"{self.command} {self.path}")  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        for variable in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def test_what_a_proxy_reaches_is_reachable(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    # of a name that nobody has: without the proxy there is no way
    monkeypatch.setattr(clis, "PROBED", "http://get.pulumi.invalid/install.sh")
    assert clis._probe() == "official"
    proxy.status = 503
    assert clis._probe() == "source"
    assert proxy.asked == ["GET http://get.pulumi.invalid/install.sh"] * 2


def test_what_a_proxy_refuses_is_built(proxy: Proxy, capsys: pytest.CaptureFixture[str]) -> None:
    assert clis._probe() == "source"
    assert proxy.asked == ["CONNECT get.pulumi.com:443"]
    assert "pulumiw: get.pulumi.com is not reachable: toolchain source" in capsys.readouterr().err


def test_where_nobody_answers_it_is_built(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(clis, "PROBED", f"http://127.0.0.1:{unused.getsockname()[1]}/install.sh")
        assert clis._probe() == "source"
    assert not proxy.asked


@pytest.mark.parametrize(
    ("said", "taken"),
    [("go1.26.1", True), ("go1.27rc1", True), ("go1.25.9", False), ("devel go1.27", False), ("", False)],
)
def test_a_go_that_is_new_enough_is_taken_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, taken: bool
) -> None:
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\necho {said}\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(cache, "entry", lambda name, make: tmp_path / "pypi")
    assert clis._go(tmp_path) == (go if taken else tmp_path / "pypi/go/bin/go")
