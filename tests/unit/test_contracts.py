"""What stands in two places, since neither may import the other: they say the same."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from azurefile import watcher
from components.databases import mysql
from provider import neighbours, oneoff, owner
from provider.turns import turn
from stacks import production
from toolchain import passphrase, recovery


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


def test_the_plugin_knows_a_stack_by_its_label() -> None:
    assert watcher.STACK_LABEL == owner.STACK_LABEL


def test_the_plugin_knows_a_database_by_its_label() -> None:
    assert watcher.DATABASE_LABEL == mysql.LABEL


def test_the_passphrase_of_dev_is_the_one_that_no_other_stack_may_have() -> None:
    assert passphrase.PUBLISHED == production.PUBLISHED
