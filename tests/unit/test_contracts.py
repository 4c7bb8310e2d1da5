"""What stands in two places, since neither may import the other: they say the same."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from azurefile import owner as records
from azurefile import watcher
from components import folders, state
from components.databases import mysql
from components.images import base
from provider import image, neighbours, oneoff, owner
from provider.turns import turn
from stacks import owner as of_stack
from stacks import production
from toolchain import bases, passphrase, recovery, statefiles, targeted, vanished


def test_the_wrapper_knows_the_plugin_by_what_the_provider_knows_it_by() -> None:
    assert recovery.OURS == neighbours.OURS


def test_the_wrapper_knows_what_a_stack_made_by_its_label() -> None:
    assert recovery.LABEL == owner.STACK_LABEL


def test_the_wrapper_knows_the_provider_s_own_containers_by_their_label() -> None:
    assert recovery.ONEOFF == oneoff.LABEL


@pytest.mark.parametrize("cache", ["{home}/cache", "ignored", ""])
def test_the_wrapper_waits_for_a_provider_s_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", cache.format(home=tmp_path))
    with recovery._turn("/r"):
        (file,) = tmp_path.rglob("*.lock")
    with turn("/r"), file.open() as opened, pytest.raises(BlockingIOError):
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_wrapper_knows_an_import_by_what_the_provider_marks_it_with() -> None:
    assert recovery.ROOTFS == image.CONTENT_LABEL


def test_the_wrapper_knows_resources_by_their_types() -> None:
    assert (recovery.CONTAINER, recovery.VOLUME, recovery.PLUGIN) == (state.CONTAINER, state.VOLUME, state.PLUGIN)
    assert (vanished.MACHINE, targeted.ACCOUNT) == (state.VM, state.ACCOUNT)


def test_the_wrapper_knows_who_made_a_stack_by_what_the_program_keeps() -> None:
    assert (statefiles.OWNER, statefiles.KEPT) == (state.STASH, of_stack.KEPT)


def test_the_wrapper_makes_the_root_filesystems_that_the_program_takes() -> None:
    assert {*bases.SUITES} == {*base.OFFICIAL}


def test_the_program_takes_for_one_folder_what_the_plugin_does() -> None:
    """Else an `up` would make volumes that the fence refuses."""
    for letter in map(chr, range(0x20000)):
        assert folders._folded(letter) == records._folded(letter)
    for name in ("k\u0131z", "I\u0307x", "\u0390", "\u03aa\u0301", "b\ufe0f", "Stra\u00dfe", "A\u0301\u0323"):
        assert folders._folded(name) == records._folded(name)


def test_the_plugin_knows_a_stack_by_its_label() -> None:
    assert watcher.STACK_LABEL == owner.STACK_LABEL


def test_the_plugin_knows_a_database_by_its_label() -> None:
    assert watcher.DATABASE_LABEL == mysql.LABEL


def test_the_passphrase_of_dev_is_the_one_that_no_other_stack_may_have() -> None:
    assert passphrase.PUBLISHED == production.PUBLISHED


def test_the_salt_of_dev_is_the_one_that_is_no_other_stack_s() -> None:
    file = (Path(__file__).parents[2] / "Pulumi.dev.yaml").read_text()
    assert f"encryptionsalt: {passphrase.PUBLISHED_SALT}\n" in file
