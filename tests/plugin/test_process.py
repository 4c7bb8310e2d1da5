"""The plugin as a process: its files, its log, its size, and how it ends."""

import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.plugin.harness import PATIENCE, REPOSITORY, PluginProcess, Refused, eventually

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


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
        for name in ("logs", "held"):
            plugin.create(name, share=name)
        for mount_id in ("a", "b"):
            plugin.mount("held", mount_id)
        filler = root / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb") as file:  # noqa: PT012
            while True:
                file.write(b"x" * 4096)
                file.flush()
        full = r"the disk of the plugin's root \(.* root.source .*\) is full; free some space on it"
        with pytest.raises(Refused, match=f'^volume "more" can\'t be kept: {full}$'):
            plugin.create("more", share="more")
        before = len(plugin.log.read_text())
        with pytest.raises(Refused, match=f'^volume "logs": share "logs" can\'t be mounted: {full}; once that is over'):
            plugin.mount("logs", "a")
        told = [line for line in plugin.log.read_text()[before:].splitlines() if " volume=logs " in line]
        warned = [line for line in told if not line.startswith("level=debug")]
        assert len(warned) == 1
        assert warned[0].startswith('level=warning msg="mount failed" volume=logs')
        assert plugin.mounted("logs") == 0
        assert plugin.names() == ["held", "logs"]
        plugin.unmount("held", "a")
        assert plugin.status("held")["mounts"] == 1
        record = json.loads((root / "fence/held/azurefile.held.json").read_text())
        assert (record["mounts"], record["released"]) == (1, None)
        plugin.unmount("held", "b")
        assert plugin.mounted("held") == 0
        assert json.loads((root / "fence/held/azurefile.held.json").read_text())["released"]
        plugin.remove("held")
        filler.unlink()
        plugin.create("more", share="more")
        plugin.mount("logs", "a")
        plugin.unmount("logs", "a")
        plugin.kill()
    finally:
        plugin.close()
        subprocess.run(["umount", "-l", str(root)], check=True)


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


def test_one_whose_files_were_removed_makes_way_for_the_next(start_plugin: StartPlugin, tmp_path: Path) -> None:
    program = tmp_path / "program"
    shutil.copytree(REPOSITORY / "azurefile", program / "azurefile")
    root = tmp_path / "root"
    removed = start_plugin(root=root, program=program)
    shutil.rmtree(program)
    assert removed.wait() == 0
    assert "the plugin was removed" in removed.log.read_text()
    start_plugin(root=root).create("logs", share="logs")


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
        eventually(lambda: _assert_waits(other))
        assert not starting.done()
        plugin.kill()
        starting.result().close()


def _assert_waits(plugin: PluginProcess) -> None:
    assert plugin.log.exists()
    assert 'another plugin runs with this STATE: its end is waited for" state=azurefile' in plugin.log.read_text()


def test_nothing_slow_is_imported_before_the_socket_listens() -> None:
    code = "import sys, azurefile.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    slow = {"asyncio", "uvicorn", "starlette", "smbprotocol", "azure", "azurefile.driver"}
    assert slow.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("text", ["19", "91", "a minute", "20.5", "٣٠", "-30"])
def test_a_takeover_time_that_can_not_be_kept_is_refused(tmp_path: Path, text: str) -> None:
    """In half of it a holder stops its containers; for all of it a claim waits within one Mount."""
    said = _refused_at_the_start(tmp_path, "takeover-seconds", text)
    assert f'TAKEOVER_SECONDS is "{text}"; it must be a whole number from 20 to 90' in said


def test_a_takeover_time_of_any_length_is_one_short_line(tmp_path: Path) -> None:
    said = _refused_at_the_start(tmp_path, "takeover-seconds", "9" * 5000)
    assert said.startswith("azurefile: the plugin's setting TAKEOVER_SECONDS is \"999")
    assert len(said) < 300


@pytest.mark.parametrize(
    ("level", "warned"), [("loud\n" + "x" * 5000, True), ("trace", True), ("Warning", False), ("error", False)]
)
def test_a_log_level_that_is_unknown_is_told(tmp_path: Path, level: str, warned: bool) -> None:
    command = [sys.executable, "-m", "azurefile", f"--root={tmp_path}", f"--log-level={level}", "prepare"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    lines = [line[:100] for line in done.stderr.splitlines()]
    said = 'level=warning msg="the plugin\'s setting LOG_LEVEL must be debug, info, warning or error; info is taken"'
    assert [line.startswith(said[:100]) for line in lines] == [True] * warned
    assert len(done.stderr) < 300


@pytest.mark.parametrize("name", ["a.b", "../x", "a/b", ".", "shares", "fence", "credentials", "a" * 65, "a\n"])
def test_a_state_that_may_be_confused_is_refused(tmp_path: Path, name: str) -> None:
    """With a dot, two volumes of two plugins would have one owner record."""
    said = _refused_at_the_start(tmp_path / "root", "state", name)
    assert f'STATE is "{name}"; it must be 1 to 64 letters, digits, "-" or "_", and none of the root\'s' in said
    assert list(tmp_path.iterdir()) == []


def _refused_at_the_start(root: Path, setting: str, value: str) -> str:
    listener = root / "azurefile.sock"
    given = ["--root", str(root), "--socket", str(listener), f"--{setting}", value]
    done = subprocess.run(
        [sys.executable, "-m", "azurefile", *given], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    # an engine that finds a socket asks it for ever
    assert not listener.exists()
    assert done.returncode != 0
    return done.stderr + done.stdout
