"""What Create and the first mount make of options: volumes, folders, owners and modes."""

import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plugin.harness import (
    PluginProcess,
    Refused,
)

pytestmark = pytest.mark.root

StartPlugin = Callable[..., PluginProcess]


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
def test_create_touches_no_network_and_needs_no_key(plugin: PluginProcess, protocol: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        plugin.create("heard", protocol=protocol, server="127.0.0.1", port=str(server.getsockname()[1]), share="logs")
        with pytest.raises(TimeoutError):
            server.accept()
    plugin.create("logs", protocol=protocol, server="192.0.2.1", share="logs")
    assert plugin.status("logs")["options"]["server"] == "192.0.2.1"
    plugin.create("logs", protocol=protocol, server="192.0.2.1", share="logs")
    with pytest.raises(Refused, match="other options: server="):
        plugin.create("logs", protocol=protocol, server="192.0.2.2", share="logs")


def test_create_accepts_the_options_of_0_5_1_under_every_protocol(plugin: PluginProcess) -> None:
    old = {"share": "logs", "filemode": "0777", "dirmode": "0777", "uid": "1000", "gid": "1000"}
    for protocol in ("local", "smb", "nfs"):
        where = {} if protocol == "local" else {"server": "192.0.2.1"}
        plugin.create(protocol, protocol=protocol, nolock="true", remotepath="/a/b", **where, **old)
        assert plugin.status(protocol)["folder"] == "a/b"


def test_bad_defaults_are_an_error_of_create_that_names_them(start_plugin: StartPlugin) -> None:
    plugin = start_plugin(defaults="protocl=local")
    said = r'^the plugin\'s setting DEFAULTS .*"protocl".*did you mean "protocol".*docker plugin set PLUGIN DEFAULTS=…'
    with pytest.raises(Refused, match=said):
        plugin.create("logs", share="logs")


def test_bad_defaults_are_logged_as_the_plugin_starts(start_plugin: StartPlugin) -> None:
    plugin = start_plugin(defaults="protocl=local")
    (line,) = (line for line in plugin.log.read_text().splitlines() if line.startswith("level=error"))
    assert line.startswith('level=error msg="no volume can be created" error="the plugin\'s setting DEFAULTS is not')


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
    with pytest.raises(Refused, match=r'share "dbs" does not exist; make it, or .* without create=false'):
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
