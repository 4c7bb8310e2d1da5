"""Reaching a server before the kernel tries: quick, and in words that help."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from azurefile import mounts, network
from azurefile.errors import ShareError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_server_that_hangs_is_asked_by_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sweep asks again, for hours maybe."""
    back, asked = threading.Event(), []

    def hangs(target: Path) -> None:
        asked.append(target)
        back.wait(10)

    monkeypatch.setattr("os.statvfs", hangs)
    assert [mounts.answers(tmp_path, 0.05) for _ in range(3)] == [False] * 3
    assert asked == [tmp_path]
    threading.Timer(0.1, back.set).start()
    assert mounts.answers(tmp_path, 5)
    assert mounts.answers(tmp_path, 5)


def test_a_server_that_answers_has_an_address(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    address = network.reach("localhost", port, network.BY_SERVER)
    assert (address.ip, address.port, address.local_ip) == ("127.0.0.1", port, "127.0.0.1")


def test_a_name_that_does_not_resolve_names_the_option_that_it_came_from() -> None:
    with pytest.raises(ShareError, match=r'option "server": the server no.such.invalid has no address'):
        network.reach("no.such.invalid", 445, network.BY_SERVER)
    with pytest.raises(ShareError, match=r'option "account": the server x.file.invalid has no address'):
        network.reach("x.file.invalid", 445, network.BY_ACCOUNT)


def test_a_name_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_RESOLVE_SECONDS", 0.1)

    over = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        over.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(ShareError, match="the name server does not answer"):
        network.reach("slow.invalid", 445, network.BY_SERVER)
    over.set()


def test_a_closed_port_is_told_from_a_blocked_one(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ShareError, match=f"refuses connections on port {port}"):
        network.reach("127.0.0.1", port, network.BY_SERVER)

    def drop(*_: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", drop)
    with pytest.raises(ShareError, match=r"does not answer on port 445; .*\(many networks block 445"):
        network.reach("127.0.0.1", 445, network.BY_SERVER)


@pytest.mark.parametrize(("name_seconds", "each"), [(4, 0.5), (60, 0.1)], ids=["slow", "frozen"])
def test_all_addresses_of_a_server_are_tried_within_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, name_seconds: float, each: float
) -> None:
    """A name may have many, of which none answers; the last is given as long as the first."""
    clock, waits = [1000.0], []

    def slow_name(*_: object, **__: object) -> list[object]:
        clock[0] += name_seconds
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{n}", 445)) for n in range(12)]

    def drop(connection: socket.socket, *_: object) -> None:
        waits.append(connection.gettimeout() or 0.0)
        clock[0] += waits[-1]
        raise TimeoutError("timed out")

    monkeypatch.setattr(network, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(socket, "getaddrinfo", slow_name)
    monkeypatch.setattr(socket.socket, "connect", drop)
    with pytest.raises(ShareError, match="does not answer on port 445"):
        network.reach("many.invalid", 445, network.BY_SERVER)
    assert waits == pytest.approx([each] * 12)


def test_an_address_is_the_same_however_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [(socket.AF_INET6, "fd00::1"), (socket.AF_INET, "10.0.0.1")]
    monkeypatch.setattr(network, "_resolve", lambda *_: known)
    assert not network.moved("share.example", 445, "fd00:0000:0000:0000:0000:0000:0000:0001")
    assert not network.moved("share.example", 445, "10.0.0.1")
    assert network.moved("share.example", 445, "10.0.0.2")
