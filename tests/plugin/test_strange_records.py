"""Records on a share that another version of the plugin wrote, or nobody who knows what a record is."""

import json
from typing import Any

import pytest

from azurefile.errors import ShareError
from azurefile.held import Held
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


def test_a_record_of_another_version_is_in_the_way_while_it_is_locked(
    folder: MemoryFolder, one: Machine, two: Machine
) -> None:
    one.claim()
    name = "id-one.azurefile.dbs.json"
    data, written = folder.files[name]
    folder.files[name] = (json.dumps(json.loads(data) | {"news": 1}).encode(), written)
    with pytest.raises(Held):
        two.claim()
    folder.files[name] = (data.replace(b'"folder"', b'"news"'), written)
    with pytest.raises(ShareError, match="same version of the plugin on every host"):
        two.claim()
    folder.locks.clear()
    two.claim()


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("id-one.azurefile.dbs copy.json", {}),
        ("id-one.azurefile.dbs.json", {"volume": "../dbs"}),
        ("id-one.azurefile.dbs.json", {"takeover": 1e12}),
        ("id-one.azurefile.dbs.json", {"takeover": float("nan")}),
        ("id-one.azurefile.dbs.json", {"folder": 5}),
        ("id-one.azurefile.dbs.json", None),
    ],
    ids=["copy", "key", "takeover", "nan", "type", "depth"],
)
def test_what_no_plugin_wrote_holds_nothing_once_the_holder_is_gone_and_is_told_once(
    world: World,
    folder: MemoryFolder,
    one: Machine,
    two: Machine,
    caplog: pytest.LogCaptureFixture,
    file: str,
    changed: dict[str, Any] | None,
) -> None:
    one.claim()
    data, written = folder.files["id-one.azurefile.dbs.json"]
    text = b"[" * 100_000 if changed is None else json.dumps(json.loads(data) | changed).encode()
    folder.files[file] = (text, written)
    folder.locks.clear()
    world.now += TAKEOVER
    two.mount()
    two.leases.release("dbs")
    two.claim()
    assert [record.message for record in caplog.records].count("owner record not readable") == 1
    assert not any("/" in name for name in folder.files)


def test_a_mark_that_cant_be_read_voids_nothing_and_is_told_once(
    folder: MemoryFolder, one: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    lease = one.claim()
    folder.write("id-one.azurefile.dbs.taken", b"[" * 100_000)
    for _ in range(3):
        one.leases.renew(lease)
    assert [record.message for record in caplog.records] == ["mark not readable"]
