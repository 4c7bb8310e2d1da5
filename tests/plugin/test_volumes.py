"""The table of volumes: what is in a file of another hand's, and one that goes while it is looked at."""

import asyncio
import json
from pathlib import Path

import pytest

from azurefile.volumes import VolumeStore
from tests.plugin.drivers import driver_in

pytestmark = pytest.mark.root


@pytest.mark.parametrize("text", ["", "[]", "null", '{"name": "odd"}', '{"name": "odd", "options": []}'])
def test_a_file_that_is_no_volumes_keeps_the_others(tmp_path: Path, text: str) -> None:
    driver = driver_in(tmp_path)
    asyncio.run(driver.create("dbs", {"share": "dbs"}))
    (file,) = tmp_path.rglob("dbs.json")
    file.with_name("odd.json").write_text(text)
    assert [volume.name for volume in VolumeStore(file.parent).all()] == ["dbs"]
    assert json.loads(file.read_text())["name"] == "dbs"


def test_a_volume_that_is_removed_meanwhile_breaks_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = driver_in(tmp_path)
    asyncio.run(driver.create("dbs", {"share": "dbs"}))
    monkeypatch.setattr(driver._volumes, "get", lambda _: None)
    assert [volume["Name"] for volume in driver.list()] == ["dbs"]
