"""The volume driver protocol over the real socket, against the real server and real mounts."""

import fcntl
import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.plugin.harness import (
    PATIENCE,
    PluginProcess,
    Refused,
    UnixConnection,
)

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


def test_activate_and_capabilities(plugin: PluginProcess) -> None:
    assert plugin.call("Plugin.Activate") == {"Implements": ["VolumeDriver"]}
    answer = plugin.call("VolumeDriver.Capabilities")
    assert answer == {"Capabilities": {"Scope": "local"}}


def test_a_volume_from_create_to_remove(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    assert plugin.names() == ["logs"]
    target = plugin.mounts / "logs"
    assert plugin.call("VolumeDriver.Path", Name="logs") == {"Mountpoint": str(target)}
    assert not (plugin.root / "shares/logs").exists(), "Create touched the share"

    assert plugin.mount("logs", "id1") == target
    (target / "testfile").write_text("a line\n")
    assert (plugin.root / "shares/logs/testfile").read_text() == "a line\n"
    plugin.unmount("logs", "id1")
    assert plugin.mounted("logs") == 0
    assert not target.exists()

    plugin.remove("logs")
    assert plugin.names() == []
    assert (plugin.root / "shares/logs/testfile").read_text() == "a line\n"


def test_get_tells_the_status(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", folder="mysql", exclusive="true")
    volume = plugin.call("VolumeDriver.Get", Name="dbs")["Volume"]
    assert volume["Name"] == "dbs"
    assert volume["CreatedAt"].startswith("20")
    assert volume["Status"] == {
        "protocol": "local",
        "share": "dbs",
        "folder": "mysql",
        "options": {
            "protocol": "local",
            "share": "dbs",
            "folder": "mysql",
            "exclusive": "true",
            "for": "files",
        },
    }
    plugin.mount("dbs", "a")
    status = plugin.status("dbs")
    assert status["mounts"] == 1
    assert status["holders"] == []
    assert status["mountedSince"].endswith("Z")


@pytest.mark.parametrize("call", ["Get", "Path", "Mount", "Unmount", "Remove"])
@pytest.mark.parametrize("name", ["nobody", "", "../../etc", "\0", "x" * 65536, "ü", "\ud800"])
def test_an_unknown_volume_is_refused(plugin: PluginProcess, call: str, name: str) -> None:
    with pytest.raises(Refused, match="does not exist"):
        plugin.call(f"VolumeDriver.{call}", Name=name, ID="x")


@pytest.mark.parametrize("name", ["", "..", "../../etc", "a/b", "\0", "x" * 65536, "ü", "\ud800"])
def test_a_bad_name_is_refused_by_create(plugin: PluginProcess, name: str) -> None:
    with pytest.raises(Refused, match="a name is"):
        plugin.create(name, share="logs")
    assert plugin.names() == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"Name": 7}', "must be strings"),
        (b'{"Name": "logs", "Opts": ["a"]}', "must be an object"),
        (b'{"Name": "logs", "Opts": {"share": 7}}', "must be an object"),
        (b'{"Name": "logs", "Name": "dbs"}', "a name twice"),
        (b'{"Name": "logs", "ID": "a", "ID": "a"}', "a name twice"),
        (b'{"Name": "logs", "Opts": {}, "Opts": {"share": "logs"}}', "a name twice"),
        (b'{"Name": "logs", "Opts": {"exclusive": "true", "exclusive": "false"}}', "a name twice"),
        (b" " * (1 << 20) + b"{}", "longer than"),
    ],
)
def test_a_malformed_request_is_refused(plugin: PluginProcess, body: bytes, words: str) -> None:
    status, answer = plugin.raw("/VolumeDriver.Create", body)
    assert status == 400
    assert words in answer["Err"]
    assert plugin.names() == []


@pytest.mark.parametrize("body", [{}, {"ID": ""}, {"ID": None}])
def test_a_mount_without_an_id_is_refused(plugin: PluginProcess, body: dict[str, object]) -> None:
    """Two of them would count as one container's."""
    plugin.create("dbs", share="dbs", exclusive="true")
    with pytest.raises(Refused, match="needs an ID"):
        plugin.call("VolumeDriver.Mount", Name="dbs", **body)
    assert "mounts" not in plugin.status("dbs")


@pytest.mark.parametrize("call", ["Create", "Get", "Path", "Mount", "Unmount", "Remove"])
def test_a_call_whose_body_was_lost_has_no_answer(plugin: PluginProcess, call: str) -> None:
    """The engine repeats it so after the plugin died, and would take "no such volume" for the truth."""
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        plugin.raw(f"/VolumeDriver.{call}", b"")
    assert "level=error" not in plugin.log.read_text()


@pytest.mark.parametrize("call", ["Plugin.Activate", "VolumeDriver.Capabilities", "VolumeDriver.List"])
def test_a_call_that_says_nothing_needs_no_body(plugin: PluginProcess, call: str) -> None:
    assert plugin.raw(f"/{call}", b"")[0] == 200


def test_an_idle_connection_is_not_ended(plugin: PluginProcess) -> None:
    """The call that meets its end is lost: an engine that keeps it for 30 s may be about to use it."""
    connection = UnixConnection(plugin.socket)
    connection.request("POST", "/Plugin.Activate", b"{}")
    connection.getresponse().read()
    connection.sock.settimeout(6)
    with pytest.raises(TimeoutError):
        connection.sock.recv(1)
    connection.close()


def test_an_unknown_call_is_refused(plugin: PluginProcess) -> None:
    assert plugin.raw("/VolumeDriver.Explode", b"{}")[0] == 404
    assert plugin.raw("/VolumeDriver.List", b"{}", method="GET")[0] == 405


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0\0\0",
        b"GET\r\n\r\n",
        b"POST / HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_malformed_http_harms_nobody(plugin: PluginProcess, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(PATIENCE)
        raw.connect(str(plugin.socket))
        raw.sendall(garbage + b"\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass
    assert plugin.names() == []


def test_mount_ids_are_a_multiset(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    for mount_id in ("a", "a", "b"):
        plugin.mount("logs", mount_id)
    assert plugin.mounted("logs") == 1
    assert plugin.status("logs")["mounts"] == 3
    plugin.unmount("logs", "a")
    plugin.unmount("logs", "b")
    assert plugin.mounted("logs") == 1
    plugin.unmount("logs", "a")
    assert plugin.mounted("logs") == 0


def test_an_unknown_id_takes_nothing_from_the_others(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    plugin.unmount("logs", "never-seen")
    plugin.mount("logs", "a")
    plugin.unmount("logs", "never-seen")
    assert plugin.mounted("logs") == 1
    plugin.unmount("logs", "a")
    plugin.unmount("logs", "a")
    plugin.mount("logs", "a")
    assert plugin.status("logs")["mounts"] == 1


def test_remove_is_refused_while_mounted(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a")
    with pytest.raises(Refused, match="it is mounted for a container"):
        plugin.remove("logs")
    plugin.unmount("logs", "a")
    plugin.remove("logs")


def test_fifty_containers_mount_one_volume_at_once(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda i: plugin.mount("logs", f"id{i}"), range(50)))
        assert plugin.mounted("logs") == 1
        assert plugin.status("logs")["mounts"] == 50
        list(pool.map(lambda i: plugin.unmount("logs", f"id{i}"), range(50)))
    assert plugin.mounted("logs") == 0


def test_a_share_that_hangs_costs_only_its_own_callers(plugin: PluginProcess) -> None:
    """A second plugin, stopped while it has the share's mutex, stands for a share that hangs."""
    plugin.create("slow", share="slow")
    plugin.create("fast", share="fast")
    mutex = plugin.root / "fence/slow/.mutex"
    mutex.parent.mkdir(parents=True)
    with mutex.open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = pool.submit(plugin.mount, "slow", "a")
        started = time.monotonic()
        for _ in range(20):
            plugin.names()
            plugin.status("slow")
            plugin.call("VolumeDriver.Path", Name="slow")
            plugin.mount("fast", "a")
            plugin.unmount("fast", "a")
        assert not waiting.done()
        # Longer than a claim takes, and as another plugin's hundred may.
        time.sleep(max(0.0, started + 1.5 - time.monotonic()))
        assert not waiting.done()
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert waiting.result() == plugin.mounts / "slow"


def test_a_hundred_databases_of_one_share_are_mounted_at_once(plugin: PluginProcess) -> None:
    for number in range(200):
        plugin.create(f"db{number}", share="dbs", folder=f"db{number}", exclusive="true")
    with ThreadPoolExecutor(100) as pool:
        list(pool.map(lambda number: plugin.mount(f"db{number}", "a"), range(200)))
