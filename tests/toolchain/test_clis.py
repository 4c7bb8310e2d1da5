"""Which way the toolchain comes, with and without a proxy."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import cache, clis, packages, sources
from toolchain.progress import ToolchainError, run


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
    monkeypatch.setattr(clis, "PROBE_SECONDS", 60)
    assert clis._probe() == "official"
    proxy.status = 503
    assert clis._probe() == "source"
    assert proxy.asked == ["GET http://get.pulumi.invalid/install.sh"] * 2


def test_what_a_proxy_refuses_is_built(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(clis, "PROBE_SECONDS", 60)
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


def test_a_name_that_nobody_resolves_is_waited_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    over = threading.Event()
    monkeypatch.setattr(clis, "PROBE_SECONDS", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [][: over.wait(10)])
    started = time.monotonic()
    assert clis._probe() == "source"
    assert time.monotonic() - started < 5
    over.set()
    assert "looking whether get.pulumi.com is reachable" in capsys.readouterr().err


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
    assert clis.find_go(tmp_path) == (go if taken else tmp_path / "pypi/go/bin/go")


def test_what_base_images_need_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def built(*_: object) -> None:
        raise AssertionError("it was built")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(clis.CHOICE, "source")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "mmdebstrap" else program)
    monkeypatch.setattr(clis, "_build", built)
    with pytest.raises(ToolchainError, match="making base images needs the packages mmdebstrap: sudo apt-get install"):
        clis.ensure(tmp_path, tmp_path / ".venv")


def test_a_provider_that_was_removed_from_the_cache_is_put_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The CLI removes it where all checkouts have it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    installed: list[Path] = []

    def install(folder: Path) -> None:
        installed.append(folder)
        (folder / f"plugins/resource-docker-v{sources.DOCKER_VERSION}/pulumi-resource-docker").touch()

    monkeypatch.setattr(clis, "_install_plugin", install)
    built = tmp_path / "built"
    # what is left of it
    (built / f"plugins/resource-docker-v{sources.DOCKER_VERSION}").mkdir(parents=True)
    (built / "home").mkdir()
    for _ in range(2):
        clis._put_back(built)
    assert installed == [built]
    assert not (built / "home").exists()


def test_the_official_installer_comes_with_what_it_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[list[str]] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(clis.CHOICE, "official")
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "curl" else program)
    monkeypatch.setattr(packages, "install", lambda names, *_: done.append(names))
    places: list[str] = []

    def told(command: list[object], _: str, env: dict[str, str]) -> None:
        done.append([str(command[0])])
        places.append(env["TMPDIR"])

    monkeypatch.setattr(clis, "run", told)
    made = clis.ensure(tmp_path, tmp_path / ".venv")
    assert done == [["curl", "ca-certificates", "tar"], [f"{tmp_path}/.venv/bin/python"]]
    # it unpacks where there is room, and programs may be run from
    assert places[0].startswith(str(tmp_path))
    # where the CLI puts what it downloads, for all checkouts
    assert (made / "plugins").is_dir()


def test_what_the_official_installer_says_is_told(tmp_path: Path) -> None:
    (tmp_path / "pulumi").mkdir()
    (tmp_path / "pulumi/__init__.py").touch()
    (tmp_path / "semver.py").write_text("class VersionInfo: parse = staticmethod(str)\n")
    (tmp_path / "pulumi/automation.py").write_text(
        "import subprocess\n"
        "class PulumiCommand:\n"
        "    def install(root, version):\n"
        "        subprocess.check_output('echo no such version; exit 3', shell=True)\n"
    )
    with pytest.raises(ToolchainError, match=r"downloading failed \(exit code 1\):\n  no such version$"):
        run([sys.executable, "-c", clis.INSTALL, tmp_path, "3.0.0"], "downloading", {"PYTHONPATH": str(tmp_path)})


def test_the_way_that_was_taken_is_known_although_the_cache_is_gone(tmp_path: Path) -> None:
    """Another one would make other base images, and so all containers anew."""
    assert clis._way_taken(tmp_path) is None
    (tmp_path / ".toolchain").symlink_to("/gone/official-3.259.0")
    assert clis._way_taken(tmp_path) == "official"
