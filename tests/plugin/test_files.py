"""Small files and the volumes kept in them, while several threads are at work."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from azurefile import files, options
from azurefile.volumes import Volume, VolumeStore


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def beside(work: Callable[[], None], other: Callable[[], None], rounds: int) -> list[Exception]:
    """Do one so many times, and the other all the while; returns what was raised."""
    raised: list[Exception] = []
    over = threading.Event()

    def background() -> None:
        try:
            while not over.is_set():
                other()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=background)
    thread.start()
    try:
        for _ in range(rounds):
            work()
    except Exception as error:
        raised.append(error)
    over.set()
    thread.join()
    return raised


@pytest.mark.usefixtures("restless")
def test_two_writers_of_one_file_leave_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    short, long = ["a"] * 10, ["b"] * 1000
    raised = beside(
        lambda: files.write_json(path, short, durable=False), lambda: files.write_json(path, long, durable=False), 300
    )
    assert raised == []
    assert files.read_json(path) in (short, long)
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_slow_to_keep_one_file_delays_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow(_: int) -> None:
        begun.set()
        over.wait(5)

    monkeypatch.setattr(os, "fsync", slow)
    creating = threading.Thread(target=files.write_json, args=(tmp_path / "new", 1), kwargs={"durable": True})
    creating.start()
    begun.wait(5)
    started = time.monotonic()
    files.write_json(tmp_path / "lease", 2, durable=False)
    assert time.monotonic() - started < 1
    over.set()
    creating.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lease", "new"]


@pytest.mark.usefixtures("restless")
def test_volumes_are_listed_while_others_come_and_go(tmp_path: Path) -> None:
    store = VolumeStore(tmp_path)

    volume = Volume("passing", options.parse("passing", {"share": "dbs", "protocol": "local"}, {}), {}, "")
    store._volumes = {f"kept{number}": volume for number in range(5000)}

    def come_and_go() -> None:
        store.add(volume)
        store.remove("passing")

    assert beside(lambda: store.all().clear(), come_and_go, 500) == []
