"""Callers that are broken, slow, or many, and shares that hang: nobody else waits, and nothing is left of them."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from azurefile import mounts
from tests.plugin.fuzz import wire
from tests.plugin.fuzz.malformed import MESSAGES, Message
from tests.plugin.fuzz.model import ACCEPTED
from tests.plugin.fuzz.world import World
from tests.plugin.harness import assert_leaves_nothing, open_descriptors

pytestmark = pytest.mark.root

HANGING = 20
# One that waits for the share takes 10 s; a machine that runs the rest of the tests beside this one may take its time.
LIST_SECONDS = 3
ROUNDS = 3
# Less than one small object for each of the more than thousand requests of three windows.
SPARE_KILOBYTES = 256


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def world(shared_world: World) -> Iterator[World]:
    """A world that must be empty and quiet again after each test."""
    yield shared_world
    shared_world.drain()


def create(world: World, name: str, **opts: str) -> None:
    world.call("Create", world.model.create(name, opts), Name=name, Opts=opts)


def mount(world: World, name: str) -> None:
    world.call("Mount", world.model.mount(name, "a"), Name=name, ID="a")


def unmount(world: World, name: str) -> None:
    world.call("Unmount", world.model.unmount(name, "a"), Name=name, ID="a")


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_a_malformed_request_is_refused_and_forgotten(world: World, message: Message) -> None:
    world.send_message(message)
    world.holds()


def test_a_mount_of_the_host_with_an_odd_name_stops_nobody(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The kernel's table of mounts has every character but a few as it is."""
    odd = tmp_path_factory.mktemp("odd") / "a\rb\x0bc\u2028d\x85e"
    odd.mkdir()
    mounts.bind(str(odd), odd)
    try:
        create(world, "one", share="dbs")
        mount(world, "one")
        world.holds()
    finally:
        subprocess.run(["umount", str(odd)], check=True)


def test_a_table_without_mounts_is_read(tmp_path: Path) -> None:
    """A process that ends has none."""
    table = tmp_path / "mountinfo"
    table.touch()
    assert mounts.read_mountinfo(table) == []


def test_slow_callers_keep_nobody_waiting(world: World) -> None:
    """Connections that send a request byte by byte, or nothing at all, and stay."""
    request = wire.request("/VolumeDriver.Create", b'{"Name":"never","Opts":{"share":"never"}}')
    slow = [wire.connect(world.plugin.socket) for _ in range(200)]
    try:
        for position in range(30):
            for number, connection in enumerate(slow[1:]):
                connection.sendall(request[position * (number % 5) : (position + 1) * (number % 5)])
            world.holds()
        assert open_descriptors(world.plugin.pid) >= len(slow), "the callers do not hang"
    finally:
        for connection in slow:
            connection.close()


def test_callers_that_hang_up_leave_nothing(world: World) -> None:
    create(world, "one", share="dbs")
    for number in range(100):
        with wire.connect(world.plugin.socket) as connection:
            body = json.dumps({"Name": "one", "ID": "a"}).encode()
            data = wire.request("/VolumeDriver.Get", body)
            connection.sendall(data[: len(data) * number // 100])
    world.holds()


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Takes connections, as many as come, and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield server


def list_seconds(world: World) -> float:
    started = time.monotonic()
    answer = world.call("List", ACCEPTED)
    assert len(answer.json["Volumes"]) == HANGING + 1
    return time.monotonic() - started


def test_list_is_quick_while_mounts_hang(world: World, silent_server: socket.socket) -> None:
    """Of a server that takes a connection and never answers; its callers alone wait for it."""
    key = world.plugin.root / "credentials/acc"
    key.write_text("key=a2V5\n")
    key.chmod(0o600)
    port = str(silent_server.getsockname()[1])
    names = [f"hangs{n}" for n in range(HANGING)]
    for name in names:
        options = {"protocol": "smb", "server": "127.0.0.1", "account": "acc", "share": f"share-{name}", "port": port}
        world.call("Create", ACCEPTED, Name=name, Opts=options)
    create(world, "fast", share="dbs")
    with ThreadPoolExecutor(HANGING) as pool:
        waiting = [pool.submit(world.call, "Mount", Name=name, ID="a") for name in names]
        callers = []
        try:
            silent_server.settimeout(20)
            callers = [silent_server.accept()[0] for _ in range(3)]
            # only those that begin while the mounts hang: on a busy machine they are fewer
            seconds = [list_seconds(world)]
            while len(seconds) < 20 and not any(answer.done() for answer in waiting):
                seconds.append(list_seconds(world))
            mount(world, "fast")
            assert sorted(seconds)[len(seconds) // 2] < LIST_SECONDS, seconds
        finally:
            silent_server.close()
            for caller in callers:
                caller.close()
        assert all(answer.result().error for answer in waiting)
    unmount(world, "fast")
    for name in names:
        world.call("Remove", ACCEPTED, Name=name)
    key.unlink()


def test_requests_of_every_kind_leave_memory_and_descriptors_flat(world: World) -> None:
    def requests() -> None:
        for message in MESSAGES * ROUNDS:
            world.send_message(message)
        for _ in range(ROUNDS):
            create(world, "one", share="dbs", folder="ü/日本")
            for call in ("Mount", "Unmount"):
                world.storm([(call, {"Name": "one", "ID": f"id{n}"}) for n in range(50)])
            mount(world, "one")
            unmount(world, "one")
            world.call("Remove", world.model.remove("one"), Name="one")

    assert_leaves_nothing(world.plugin.pid, requests, SPARE_KILOBYTES)


def test_the_last_of_several_mounts_on_a_path_says_where_its_server_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "30 1 0:9 / /a rw shared:1 - cifs //s/x rw,vers=3.1.1,addr=10.0.0.1,file_mode=0755\n"
        "31 1 0:8 / /b rw - nfs4 s:/x rw,clientaddr=10.0.0.9,local_lock=none,addr=fd00::1\n"
        "32 1 0:7 / /a rw - cifs //s/x rw,addr=10.0.0.2\n"
        "33 1 0:6 / /c rw - ext4 /dev/vda rw\n"
    )
    entries = mounts.read_mountinfo(table)
    monkeypatch.setattr(mounts, "read_mountinfo", lambda: entries)
    assert [mounts.server_address(Path(p)) for p in ("/a", "/b", "/c", "/d")] == ["10.0.0.2", "fd00::1", "", ""]
