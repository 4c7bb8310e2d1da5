"""The volume driver protocol over the real socket, against the real server and real mounts."""

import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.plugin.harness import (
    PluginProcess,
    Refused,
    open_descriptors,
    resident_kilobytes,
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
        (b" " * (1 << 20) + b"{}", "longer than"),
    ],
)
def test_a_malformed_request_is_refused(plugin: PluginProcess, body: bytes, words: str) -> None:
    status, answer = plugin.raw("/VolumeDriver.Create", body)
    assert status == 400
    assert words in answer["Err"]
    assert plugin.names() == []


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
        raw.settimeout(5)
        raw.connect(str(plugin.socket))
        raw.sendall(garbage + b"\r\n\r\n")
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4096):
            pass
    assert plugin.names() == []


def test_create_is_idempotent(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs", uid="5")
    plugin.create("logs", share="logs", uid="5")
    plugin.create("logs", share="logs", uid="5", protocol="local")
    assert plugin.names() == ["logs"]


def test_create_with_other_options_says_which_differ(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs", uid="5")
    with pytest.raises(Refused, match=r"other options: uid=5 \(asked for: 6\)\. Options"):
        plugin.create("logs", share="logs", uid="6")
    assert plugin.status("logs")["options"]["uid"] == "5"


@pytest.mark.parametrize("protocol", ["smb", "nfs"])
def test_a_protocol_to_come_is_refused_in_one_line(plugin: PluginProcess, protocol: str) -> None:
    with pytest.raises(Refused, match=f"protocol {protocol} is not built into this version"):
        plugin.create("logs", share="logs", protocol=protocol)
    assert plugin.names() == []


def test_bad_defaults_are_an_error_of_create_that_names_them(start_plugin: StartPlugin) -> None:
    plugin = start_plugin(defaults="protocl=local")
    with pytest.raises(Refused, match=r'setting DEFAULTS .*"protocl".*did you mean "protocol"'):
        plugin.create("logs", share="logs")


def test_made_folders_get_the_volumes_owner_and_mode(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", folder="a/b", **{"for": "database"})
    plugin.mount("dbs", "id")
    for made in ("dbs", "dbs/a", "dbs/a/b"):
        found = (plugin.root / "shares" / made).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (999, 999, 0o750)


def test_an_existing_folder_keeps_its_owner_and_mode(plugin: PluginProcess) -> None:
    folder = plugin.root / "shares/dbs"
    folder.mkdir()
    folder.chmod(0o701)
    plugin.create("dbs", share="dbs", **{"for": "database"})
    plugin.mount("dbs", "id")
    assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o701)


def test_create_false_refuses_a_missing_folder(plugin: PluginProcess) -> None:
    plugin.create("dbs", share="dbs", folder="a", create="false")
    with pytest.raises(Refused, match='share "dbs" does not exist; make it, or create'):
        plugin.mount("dbs", "id")
    (plugin.root / "shares/dbs").mkdir()
    with pytest.raises(Refused, match='folder "a" of share "dbs" does not exist'):
        plugin.mount("dbs", "id")
    assert plugin.mounted("dbs") == 0
    assert "holders" not in plugin.status("dbs")


@pytest.mark.parametrize("position", ["share", "folder", "deeper"])
def test_a_symbolic_link_never_leads_out_of_the_shares(plugin: PluginProcess, tmp_path: Path, position: str) -> None:
    outside = tmp_path / "outside"
    (outside / "deeper").mkdir(parents=True)
    link = plugin.root / "shares" / {"share": "dbs"}.get(position, "dbs/a")
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(outside)
    folder = "a/deeper" if position == "deeper" else "a"
    plugin.create("dbs", share="dbs", folder=folder)
    with pytest.raises(Refused, match="symbolic link"):
        plugin.mount("dbs", "id")
    assert plugin.mounted("dbs") == 0
    assert sorted(p.name for p in outside.iterdir()) == ["deeper"]


def test_a_file_in_the_way_is_named(plugin: PluginProcess) -> None:
    (plugin.root / "shares/dbs").write_text("")
    plugin.create("dbs", share="dbs")
    with pytest.raises(Refused, match="symbolic link or a file"):
        plugin.mount("dbs", "id")


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
        assert time.monotonic() - started < 0.9
        with pytest.raises(Refused, match="keeps its fence busy"):
            waiting.result()


def test_state_is_private(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a")
    assert stat.S_IMODE(plugin.socket.stat().st_mode) == 0o600
    for folder in ("azurefile/volumes", "azurefile/mounts", "fence/logs"):
        for path in (plugin.root / folder).iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_an_error_and_loses_nothing(start_plugin: StartPlugin, tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "small", str(root)], check=True)
    try:
        plugin = start_plugin(root=root)
        plugin.create("logs", share="logs")
        filler = root / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb") as file:  # noqa: PT012
            while True:
                file.write(b"x" * 4096)
                file.flush()
        with pytest.raises(Refused, match="No space left"):
            plugin.create("more", share="more")
        with pytest.raises(Refused):
            plugin.mount("logs", "a")
        assert plugin.mounted("logs") == 0
        assert plugin.names() == ["logs"]
        filler.unlink()
        plugin.create("more", share="more")
        plugin.mount("logs", "a")
        plugin.unmount("logs", "a")
        plugin.kill()
    finally:
        plugin.close()
        subprocess.run(["umount", "-l", str(root)], check=True)


def test_cycles_leave_memory_and_descriptors_flat(plugin: PluginProcess) -> None:
    cycles = int(os.environ.get("PLUGIN_CYCLES", "1000"))
    plugin.create("logs", share="logs")

    def cycle(number: int) -> None:
        plugin.mount("logs", f"id{number}")
        plugin.unmount("logs", f"id{number}")

    for number in range(500):
        cycle(number)
    before = open_descriptors(plugin.pid), resident_kilobytes(plugin.pid, "Pss_Anon")
    for number in range(cycles):
        cycle(number)
    after = open_descriptors(plugin.pid), resident_kilobytes(plugin.pid, "Pss_Anon")
    assert after[0] <= before[0] + 1
    assert after[1] - before[1] < 1536, (before, after)


def test_sigterm_ends_cleanly_and_keeps_running_mounts(start_plugin: StartPlugin) -> None:
    plugin = start_plugin()
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a")
    assert plugin.stop() == 0
    assert plugin.mounted("logs") == 1
    plugin.start()
    assert plugin.status("logs")["mounts"] == 1
    plugin.unmount("logs", "a")
    assert plugin.mounted("logs") == 0


def test_logs_are_key_value_lines(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    plugin.mount("logs", "a b\nc")
    lines = plugin.log.read_text().splitlines()
    assert any(
        line.startswith("level=info msg=mounted volume=logs share=logs ms=")
        and line.endswith(f"id={json.dumps('a b' + chr(10) + 'c')}")
        for line in lines
    )
    assert all(line.startswith("level=") for line in lines)


def test_a_secret_in_the_options_is_written_nowhere(plugin: PluginProcess) -> None:
    canary = "canary-7b1d"
    with pytest.raises(Refused) as caught:
        plugin.create("logs", share="logs", accountkey=canary)
    plugin.create("planted", share="logs", folder=canary)
    texts = {p: p.read_text() for p in plugin.root.rglob("*") if p.is_file()}
    assert [p.name for p, text in texts.items() if canary in text] == ["planted.json"]
    assert canary not in str(caught.value)
    assert canary not in plugin.log.read_text()


def test_a_second_process_on_the_same_state_waits(start_plugin: StartPlugin) -> None:
    plugin = start_plugin()
    other = PluginProcess(plugin.folder / "other", root=plugin.root)
    plugin.signal(signal.SIGCONT)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(other.start)
        time.sleep(0.6)
        assert not starting.done()
        plugin.kill()
        starting.result().close()
