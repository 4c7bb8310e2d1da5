"""A plugin is made of the files that are there, by an engine that gets them from nowhere else."""

import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import install
from azurefile.errors import PluginError
from tests.unit.fake_engine import FakeEngine, served


class CreatingEngine(FakeEngine):
    """Keeps the archive of the plugin that it is to create, or refuses it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.created: dict[str, bytes] = {}
        self.refusal = ""

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes] | None:
        if self.refusal:
            return 409, json.dumps({"message": self.refusal}).encode()
        self.created[path] = body
        return 204, b""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[CreatingEngine]:
    with served(CreatingEngine(tmp_path / "docker.sock")) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "root"
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/tool").write_text("program")
    (folder / "usr/bin/tool").chmod(0o755)
    os.link(folder / "usr/bin/tool", folder / "usr/bin/same")
    (folder / "bin").symlink_to("./usr/bin")
    monkeypatch.setattr(install, "_ROOT", ("--one-file-system", f"--directory={folder}", "./"))
    return folder


def test_files_and_links_are_below_rootfs_and_the_config_is_beside_it(engine: CreatingEngine, root: Path) -> None:
    install.install(engine.path, "azurefile", '{"description": "x"}')
    (body,) = engine.created.values()
    assert list(engine.created) == ["/plugins/create?name=azurefile"]
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        found = {member.name: member for member in archive}
        config = archive.extractfile("config.json")
        assert config is not None
        assert json.load(config) == {"description": "x"}
    assert next(iter(found)) == "config.json"
    hard = [m.linkname for m in found.values() if m.islnk()]
    assert hard in (["rootfs/usr/bin/tool"], ["rootfs/usr/bin/same"])
    assert found["rootfs/bin"].linkname == "./usr/bin"
    assert found["rootfs/usr/bin/tool"].mode == 0o755
    assert all(name == "config.json" or name.startswith("rootfs") for name in found)


def test_what_the_engine_refuses_is_said(engine: CreatingEngine, root: Path) -> None:
    engine.refusal = "plugin azurefile already exists"
    with pytest.raises(PluginError, match=r"refused the plugin: plugin azurefile already exists$"):
        install.install(engine.path, "azurefile", "{}")


def test_what_can_not_be_packed_makes_no_half_plugin(
    engine: CreatingEngine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "_ROOT", ("--directory=/", "nothing-of-this-name"))
    with pytest.raises(PluginError, match="tar ended with 2"):
        install.install(engine.path, "azurefile", "{}")
    assert engine.created == {}
