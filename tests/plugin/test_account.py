"""The account of a volume that names none: the one that there is a file for, and of several the one before."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from azurefile.errors import ShareError
from azurefile.protocols.smb import Smb
from azurefile.sharedstore import SharedStore
from azurefile.volumes import VolumeStore
from tests.plugin.drivers import driver_in
from tests.plugin.shared import TAKEOVER, MemoryFolder, OnShare, World, volume


@pytest.mark.root
def test_a_volume_keeps_the_account_that_it_was_mounted_by_last(tmp_path: Path) -> None:
    driver = driver_in(tmp_path)
    kept = tmp_path / "root/azurefile/volumes"

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs"})
        for account in ("first", "second"):
            store = SharedStore(MemoryFolder(World()), "dbs", account)
            driver._protocols["local"] = OnShare(tmp_path / "root", store)
            await driver.mount("dbs", "a")
            await driver.unmount("dbs", "a")
            found = VolumeStore(kept).get("dbs")
            assert found is not None
            assert found.account == account

    asyncio.run(calls())


def test_a_second_file_leaves_a_volume_on_its_account(tmp_path: Path) -> None:
    """A file for another project would keep every database without the option from starting."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    way, unnamed = Smb(tmp_path, TAKEOVER), volume("dbs", server="files.example")
    (folder / "first").write_text("key=1\n")
    assert way.locks(unnamed, "").account == "first"
    (folder / "another").write_text("key=2\n")
    for account, place in (("first", "first"), ("another", "another"), ("gone", ""), ("", "")):
        assert way.locks(replace(unnamed, account=account), "").account == place
    (folder / "another").unlink()
    assert way.locks(replace(unnamed, account="another"), "").account == "first"
    named = volume("dbs", server="files.example", account="second")
    assert way.locks(replace(named, account="first"), "").account == "second"


def test_a_hold_is_resumed_by_the_account_that_had_it(tmp_path: Path) -> None:
    file = tmp_path / "credentials/second"
    file.parent.mkdir()
    file.write_text("key=x\n")
    file.chmod(0o600)
    way = Smb(tmp_path, TAKEOVER)
    dbs = volume("dbs", server="127.0.0.1")
    assert way.locks(dbs, "").account == "second"
    assert way.locks(dbs, "first").account == "first"
    # the data, too
    with pytest.raises(ShareError, match=r"credentials/first in the plugin's root .* does not exist"):
        way.refresh(dbs, tmp_path)
