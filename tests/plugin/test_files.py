"""Small files and the volumes kept in them, while several threads are at work."""

import contextlib
import json
import os
import subprocess
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
        over.wait(60)

    monkeypatch.setattr(os, "fsync", slow)
    creating = threading.Thread(target=files.write_json, args=(tmp_path / "new", 1), kwargs={"durable": True})
    creating.start()
    assert begun.wait(60)
    started = time.monotonic()
    files.write_json(tmp_path / "lease", 2, durable=False)
    assert time.monotonic() - started < 30
    over.set()
    creating.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lease", "new"]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "ddtest", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


@pytest.mark.root
def test_on_a_full_disk_what_exists_is_written_in_the_room_that_it_has(small: Path) -> None:
    """What is held must be given back there, too."""
    for name in ("held", "kept"):
        files.write_json(small / name, ["a long text", 1], durable=True)
    with (small / "data").open("wb", buffering=0) as data, contextlib.suppress(OSError):
        while data.write(bytes(4096)):
            pass
    shorter: list[int | str] = [2]
    longer: list[int | str] = ["a much longer text", 3]
    for value in (shorter, longer):
        files.write_json(small / "held", value, durable=False)
        assert files.read_json(small / "held") == value
    for name, text, durable in (("held", "x" * 8000, False), ("new", "x", False), ("kept", "x", True)):
        with pytest.raises(OSError, match="No space left"):
            files.write_json(small / name, text, durable=durable)
    assert sorted(path.name for path in small.iterdir()) == ["data", "held", "kept"]
    assert files.read_json(small / "held") == longer
    assert files.read_json(small / "kept") == ["a long text", 1]


@pytest.mark.usefixtures("restless")
def test_volumes_are_listed_while_others_come_and_go(tmp_path: Path) -> None:
    store = VolumeStore(tmp_path)

    volume = Volume("passing", options.parse("passing", {"share": "dbs", "protocol": "local"}, {}), {}, "")
    store._volumes = {f"kept{number}": volume for number in range(5000)}

    def come_and_go() -> None:
        store.add(volume)
        store.remove("passing")

    assert beside(lambda: store.all().clear(), come_and_go, 500) == []


def test_a_volume_of_a_newer_version_is_still_there_for_an_older_one(tmp_path: Path) -> None:
    """Which else would take what runs on it for a container without a volume, and stop it."""
    given = {"share": "dbs", "protocol": "local", "exclusive": "true"}
    VolumeStore(tmp_path).add(Volume("dbs", options.parse("dbs", given, {}), given, "2026"))
    path = tmp_path / "dbs.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps(data | {"options": data["options"] | {"novelty": "x"}, "newer": 1}))
    found = VolumeStore(tmp_path).get("dbs")
    assert found is not None
    assert found.options.exclusive is True
