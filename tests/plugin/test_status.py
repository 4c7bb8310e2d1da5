"""What the status of a volume says of its mount."""

import asyncio
from pathlib import Path

import pytest

from azurefile.attachments import Attachment, Attachments
from azurefile.credentials import Credentials
from azurefile.driver import Driver
from azurefile.network import Address
from azurefile.protocols.smb import _of_volume, mount_options
from tests.plugin.drivers import driver_in
from tests.plugin.shared import Machine, OnShare, World, volume

pytestmark = pytest.mark.root


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return driver_in(tmp_path)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"protocol": "smb"}, "serverino=true sec=ntlmssp filemode=0755 uid=0 cache=strict seal=true mfsymlinks=true"),
        ({"protocol": "smb", "exclusive": "true"}, "soft=true echo_interval=5 nosharesock=true cache=none wsize=65536"),
        ({"protocol": "smb", "for": "database"}, "nolease=true uid=999 filemode=0640 dirmode=0750"),
        ({"protocol": "smb", "for": "database", "exclusive": "true"}, "nobrl=true soft=true cache=none"),
        ({"protocol": "smb", "exclusive": "true", "cache": "strict"}, "nopersistenthandles=true cache=strict"),
        ({"protocol": "smb", "nolock": "true"}, "nobrl=true"),
        ({"protocol": "nfs"}, "hard=true sec=sys vers=4.1 nconnect=4 actimeo=30"),
        ({"protocol": "nfs", "exclusive": "true"}, "nosharecache=true"),
    ],
)
def test_the_status_of_a_mounted_volume_shows_what_the_kernel_was_told(
    driver: Driver, tmp_path: Path, world: World, one: Machine, given: dict[str, str], words: str
) -> None:
    stub = OnShare(tmp_path / "root", one.store)
    stub.in_force = driver._protocols[given["protocol"]].in_force  # type: ignore[method-assign]
    driver._protocols[given["protocol"]] = stub
    expected = dict(word.split("=") for word in words.split())

    def shown() -> dict[str, str]:
        found: dict[str, str] = driver.get("dbs")["Status"]["options"]
        return found

    async def calls() -> None:
        await driver.create("dbs", {"share": "dbs", "account": "account", **given})
        before = shown()
        await driver.mount("dbs", "a")
        assert expected.items() <= shown().items()
        assert before.items() < shown().items()
        assert shown().keys().isdisjoint({"user", "pass", "password", "ip", "addr"})
        await driver.unmount("dbs", "a")
        assert shown() == before

    asyncio.run(calls())


def test_the_status_shows_options_as_the_kernel_is_told_them_with_the_key() -> None:
    options, key = volume("dbs").options, Credentials("account", "server", "canary")
    told = mount_options(options, key, Address("10.0.0.4", 445, "10.0.0.5"), 5)
    assert told["pass"] == "canary"
    assert _of_volume(options, 5).items() < told.items()


def test_a_look_at_a_volume_that_is_just_being_mounted_takes_no_mount_id_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is in a thread of its own, and the first to ask makes what both need."""
    attachments, mounting = Attachments(tmp_path / "state", tmp_path / "mounted"), list[Attachment]()
    file = attachments._file

    def mount(name: str) -> Path:
        monkeypatch.setattr(attachments, "_file", file)
        mounting.append(attachments.of(name))
        return file(name)

    monkeypatch.setattr(attachments, "_file", mount)
    looked = attachments.of("dbs")
    assert mounting[0] is looked
    mounting[0].add("a", 0)
    assert attachments.counted() == ["dbs"]
