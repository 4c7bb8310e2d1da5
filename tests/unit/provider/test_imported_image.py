"""A root filesystem is sent to an engine that lacks it, and only once."""

from __future__ import annotations

import contextlib
import gzip
import json
import platform
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from provider.connection import Engine, EngineConnection
from provider.image import CONTENT_LABEL, ImportedImage
from provider.resource import Failure
from tests.unit.fake_engine import FakeEngine, served

LABELS = {"io.datadocker.stack": "datadocker/staging"}


class ImageEngine(FakeEngine):
    """Knows images by repository and their content's key, and notes what was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.images: dict[tuple[str, str], str] = {}
        self.asked: list[tuple[str, dict[str, list[str]], bytes]] = []
        self.architecture = platform.machine()
        self.answer = (200, b'{"stream": "Step 1/2"}\n{"status": "sha256:made"}\n')

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        what, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        if what.endswith("/info"):
            return 200, json.dumps({"Architecture": self.architecture}).encode()
        if what.endswith("/images/json"):
            asked = json.loads(query["filters"][0])
            found = [
                {"Id": i}
                for (repository, content), i in self.images.items()
                if asked["label"] == [f"{CONTENT_LABEL}={content}"]
                and asked.get("reference", [repository]) == [repository]
            ]
            return 200, json.dumps(found).encode()
        if what.endswith("/json"):
            return 200, json.dumps({"Id": "sha256:there"}).encode()
        if method == "POST":
            self.asked.append((what.partition("/images/")[2] or what.rsplit("/", 1)[1], query, body))
            return self.answer
        return None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ImageEngine]:
    with served(ImageEngine(tmp_path / "docker.sock")) as made:
        yield made


def make(engine: ImageEngine, folder: Path, url: str = "") -> None:
    archive = folder / "bookworm.tar"
    archive.write_bytes(b"files")
    props = {
        "engine": {"url": url or f"unix://{engine.path}", "ssh_opts": []},
        "reference": "datadocker/base-bookworm:1",
        "archive": str(archive),
        "content": "bases-1-bookworm",
        "labels": LABELS,
    }
    assert ImportedImage().create(props) == "datadocker/base-bookworm:1"


def test_an_engine_without_these_files_is_sent_them(engine: ImageEngine, tmp_path: Path) -> None:
    engine.images = {
        ("datadocker/base-bookworm", "bases-2-bookworm"): "sha256:other",
        # built on such a one: labels are handed down
        ("datadocker/writer", "bases-1-bookworm"): "sha256:writer",
    }
    make(engine, tmp_path)
    (what, query, body), (then, tag, _) = engine.asked
    assert (what, body) == ("create", b"files")
    assert f'LABEL {CONTENT_LABEL}="bases-1-bookworm"' in query["changes"]
    # killed in between, it leaves no tag that comes after a destroy
    assert not query.keys() & {"repo", "tag"}
    assert (then, tag) == ("sha256:made/tag", {"repo": ["datadocker/base-bookworm"], "tag": ["1"], "force": ["0"]})


@pytest.fixture
def remote(engine: ImageEngine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine's URL, by which it is reached over a network."""

    @contextlib.contextmanager
    def connected(_: Engine) -> Iterator[EngineConnection]:
        yield EngineConnection(engine.path)

    monkeypatch.setattr("provider.resource.connect", connected)
    return "ssh://ops@box:22"


def test_over_a_network_they_are_sent_compressed(engine: ImageEngine, tmp_path: Path, remote: str) -> None:
    make(engine, tmp_path, remote)
    (what, _, body), _ = engine.asked
    assert (what, gzip.decompress(body)) == ("create", b"files")


def test_to_a_host_of_another_architecture_they_are_not_sent(engine: ImageEngine, tmp_path: Path, remote: str) -> None:
    engine.architecture = "riscv64"
    with pytest.raises(
        Failure, match=rf"for {platform.machine()}, and the host is riscv64: run this on such a machine"
    ):
        make(engine, tmp_path, remote)
    assert not engine.asked


def test_an_engine_that_has_them_only_gets_other_labels(
    engine: ImageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # no credentials are needed for it: a helper that is gone does not matter
    (tmp_path / "config.json").write_text('{"credsStore": "gone"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    engine.images = {
        ("datadocker/writer", "bases-1-bookworm"): "sha256:writer",
        ("datadocker/base-bookworm", "bases-1-bookworm"): "sha256:there",
    }
    make(engine, tmp_path)
    ((what, query, body),) = engine.asked
    assert what == "build"
    assert query["t"] == ["datadocker/base-bookworm:1"]
    assert json.loads(query["labels"][0]) == LABELS | {CONTENT_LABEL: "bases-1-bookworm"}
    assert b"FROM sha256:there" in body


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, b'{"stream": "Step 1/2"}\n{"errorDetail": {"message": "x"}, "error": "x"}\n'), (400, b'{"message":"x"}\n')],
)
@pytest.mark.parametrize("there", [True, False])
def test_files_or_other_labels_that_are_refused_are_one_line(
    engine: ImageEngine, tmp_path: Path, status: int, said: bytes, there: bool
) -> None:
    engine.images = {("datadocker/base-bookworm", "bases-1-bookworm"): "sha256:there"} if there else {}
    engine.answer = (status, said)
    with pytest.raises(Failure, match=r"^the Docker engine refused: x$"):
        make(engine, tmp_path)
