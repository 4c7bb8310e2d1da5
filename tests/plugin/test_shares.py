"""The one-shot commands: prepare the host, delete a share for good."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from azurefile import mounts, shares
from azurefile.errors import InUse
from tests.plugin.harness import REPOSITORY, PluginProcess
from tests.unit.fake_engine import fake_engine

pytestmark = pytest.mark.root


def azurefile(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "azurefile", f"--root={root}", *command],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_prepare_makes_the_folders_with_their_modes(tmp_path: Path) -> None:
    root = tmp_path / "root"
    assert azurefile(root, "prepare").returncode == 0
    (root / "shares").chmod(0o711)
    assert azurefile(root, "prepare").returncode == 0
    assert {p.name: oct(mode(p)) for p in root.iterdir()} == {
        "azurefile": "0o700",
        "credentials": "0o700",
        "fence": "0o700",
        "shares": "0o700",
    }
    assert mode(root) == 0o711


@pytest.mark.parametrize("command", [["prepare"], ["install", "azurefile"]])
def test_nothing_is_made_where_the_engines_socket_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """As a folder of a Mac that a virtual machine has mounted: the socket is seen, and nobody listens."""
    path, root = tmp_path / "docker.sock", tmp_path / "root"
    monkeypatch.setenv("ENGINE", str(path))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    said = azurefile(root, *command)
    assert (said.returncode, said.stderr) == (
        1,
        "azurefile: the engine's own machine has nothing that answers where its socket is here (Connection refused), "
        "as with Colima and Lima: link the socket to /var/run/docker.sock here, and unset DOCKER_HOST. On Linux, where "
        "that is a link itself: name what it leads to by datadocker:host.socket, or over ssh have the engine listen "
        "there itself\n",
    )
    assert not root.exists()
    path.unlink()
    with fake_engine(tmp_path):
        assert azurefile(root, "prepare").returncode == 0
    assert root.exists()


def test_an_engine_that_refuses_to_list_its_containers_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with an authorization plugin."""
    monkeypatch.setenv("ENGINE", str(tmp_path / "docker.sock"))
    with fake_engine(tmp_path) as engine:
        engine.answers["/containers/json"] = PermissionError("not for you")
        said = azurefile(tmp_path / "root", "prepare")
    assert (said.returncode, said.stderr) == (0, "")


def test_remove_share_deletes_data_and_fence(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")
    (plugin.mount("logs", "a") / "file").write_text("x")
    plugin.unmount("logs", "a")
    plugin.remove("logs")
    (plugin.root / "shares/logs2").mkdir()
    done = azurefile(plugin.root, "remove-share", "logs")
    assert (done.returncode, done.stdout, done.stderr) == (0, 'share "logs" is deleted\n', "")
    assert [p.name for p in (plugin.root / "shares").iterdir()] == ["logs2"]
    assert not (plugin.root / "fence/logs").exists()
    done = azurefile(plugin.root, "remove-share", "logs")
    nothing = 'there is no local share "logs" in the plugin\'s root: nothing was deleted\n'
    assert (done.returncode, done.stdout, done.stderr) == (0, nothing, "")


@pytest.mark.parametrize("exclusive", ["true", "false"])
@pytest.mark.parametrize("killed", [False, True])
def test_remove_share_refuses_a_held_share(plugin: PluginProcess, exclusive: str, killed: bool) -> None:
    plugin.create("dbs", share="dbs", exclusive=exclusive)
    (plugin.mount("dbs", "a") / "file").write_text("x")
    if killed:
        plugin.kill()
    done = azurefile(plugin.root, "remove-share", "dbs")
    assert done.returncode == 1
    assert done.stderr.startswith('azurefile: share "dbs" is held by a container through volume "dbs"')
    assert done.stderr.count("\n") == 1
    assert (plugin.root / "shares/dbs/file").read_text() == "x"


def test_remove_share_refuses_the_share_of_a_volume_and_not_one_of_its_name_elsewhere(plugin: PluginProcess) -> None:
    for protocol in ("smb", "nfs"):
        plugin.create(protocol, share="dbs", protocol=protocol, server="192.0.2.1")
    plugin.create("mine", share="dbs")
    plugin.mount("mine", "a")
    plugin.unmount("mine", "a")
    done = azurefile(plugin.root, "remove-share", "dbs")
    assert done.stderr == 'azurefile: share "dbs" is mapped by volume "mine"; remove that volume first\n'
    plugin.remove("mine")
    assert azurefile(plugin.root, "remove-share", "dbs").returncode == 0
    assert not (plugin.root / "shares/dbs").exists()


@pytest.mark.parametrize("text", ["[]", "5", '{"options": 5}', '{"options": []}', "{}", "{"])
def test_remove_share_refuses_beside_a_volume_file_that_tells_of_no_share(tmp_path: Path, text: str) -> None:
    """Of a newer version, or torn: the share may be what it maps."""
    azurefile(tmp_path, "prepare")
    for folder in ("shares/dbs", "azurefile/volumes"):
        (tmp_path / folder).mkdir()
    file = tmp_path / "azurefile/volumes/other.json"
    file.write_text(text)
    done = azurefile(tmp_path, "remove-share", "dbs")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    where = "azurefile/volumes/other.json in the plugin's folder"
    assert done.stderr.startswith(
        f'azurefile: share "dbs" may be mapped by the volume of {where}, which can\'t be read'
    )
    assert (tmp_path / "shares/dbs").exists()


@pytest.mark.parametrize("place", ["shares/volumes/x.json", "fence/volumes/x.json", "azurefile/volumes/._x.json"])
def test_remove_share_takes_no_other_file_for_a_volumes(tmp_path: Path, place: str) -> None:
    """Another share may be named volumes, and what it has is its users'."""
    azurefile(tmp_path, "prepare")
    (tmp_path / "shares/dbs").mkdir()
    file = tmp_path / place
    file.parent.mkdir()
    file.write_text("{}")
    assert azurefile(tmp_path, "remove-share", "dbs").returncode == 0
    assert file.exists()


def test_remove_share_leaves_the_fence_of_a_held_share_whose_folder_is_not_there(plugin: PluginProcess) -> None:
    """As between a claim and its mount, which makes the folder."""
    plugin.create("dbs", share="dbs")
    plugin.mount("dbs", "a")
    (plugin.root / "shares/dbs").rmdir()
    done = azurefile(plugin.root, "remove-share", "dbs")
    assert done.stderr.startswith('azurefile: share "dbs" is held by a container through volume "dbs"')
    assert list((plugin.root / "fence/dbs").glob("*.json"))


def test_remove_share_makes_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    assert azurefile(tmp_path, "remove-share", "dbs").returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_remove_share_refuses_what_is_mounted_from_it(tmp_path: Path) -> None:
    azurefile(tmp_path, "prepare")
    folder = tmp_path / "shares/dbs/a"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    target = tmp_path / "target"
    target.mkdir()
    mounts.bind(str(folder), target)
    try:
        done = azurefile(tmp_path, "remove-share", "dbs")
        assert done.returncode == 1
        assert f"is mounted on {target}" in done.stderr
        assert (folder / "file").exists()
    finally:
        mounts.detach(target)
    assert azurefile(tmp_path, "remove-share", "dbs").returncode == 0


def test_remove_share_refuses_a_disk_mounted_inside(tmp_path: Path) -> None:
    azurefile(tmp_path, "prepare")
    inside = tmp_path / "shares/dbs/disk"
    inside.mkdir(parents=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").write_text("x")
    mounts.bind(str(other), inside)
    try:
        done = azurefile(tmp_path, "remove-share", "dbs")
        assert done.returncode == 1
        assert "unmount it first" in done.stderr
    finally:
        mounts.detach(inside)
    assert (other / "file").exists()


@pytest.mark.parametrize("link", ["root", "shares"])
def test_remove_share_refuses_what_is_mounted_where_a_link_leads(tmp_path: Path, link: str) -> None:
    root, real, other = tmp_path / "root", tmp_path / "real", tmp_path / "other"
    real.mkdir()
    if link == "shares":
        root.mkdir()
    (root if link == "root" else root / "shares").symlink_to(real)
    azurefile(root, "prepare")
    inside = root.resolve() / "shares/dbs/disk"
    inside.mkdir(parents=True)
    other.mkdir()
    (other / "file").write_text("x")
    mounts.bind(str(other), inside.resolve())
    try:
        done = azurefile(root, "remove-share", "dbs")
        assert done.returncode == 1
        assert "unmount it first" in done.stderr
    finally:
        mounts.detach(inside.resolve())
    assert (other / "file").exists()


@pytest.mark.parametrize("place", ["dbs", ".trash-dbs-123", "dbs" + "/a" * 1200])
def test_remove_share_refuses_another_disk_that_no_table_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    azurefile(tmp_path, "prepare")
    inside = tmp_path / "shares" / place / "disk"
    subprocess.run(["mkdir", "-p", inside], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", inside], check=True)
    monkeypatch.setattr(mounts, "read_mountinfo", lambda *_: [])
    try:
        (inside / "file").write_text("x")
        with pytest.raises(InUse, match="a disk of its own"):
            shares.remove_share(tmp_path, "dbs")
        assert (inside / "file").exists()
    finally:
        subprocess.run(["umount", inside], check=True)
        # What neither Python nor pytest can delete.
        subprocess.run(["rm", "-r", tmp_path / "shares"], check=True)


def test_remove_share_follows_no_links(tmp_path: Path) -> None:
    azurefile(tmp_path, "prepare")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (tmp_path / "shares/dbs").mkdir()
    (tmp_path / "shares/dbs/link").symlink_to(outside)
    (tmp_path / "shares/link").symlink_to(outside)
    for share in ("dbs", "link"):
        assert azurefile(tmp_path, "remove-share", share).returncode == 0
    assert list((tmp_path / "shares").iterdir()) == []
    assert (outside / "file").read_text() == "x"


def test_remove_share_deletes_folders_in_folders_that_no_path_reaches(tmp_path: Path) -> None:
    azurefile(tmp_path, "prepare")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("x")
    (tmp_path / "shares/dbs").mkdir()
    here = os.open(tmp_path / "shares/dbs", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("a", dir_fd=here)
        os.mkdir("b", dir_fd=here)
        below = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.symlink(outside, "link", dir_fd=here)
    os.close(here)
    done = azurefile(tmp_path, "remove-share", "dbs")
    remained = os.listdir(tmp_path / "shares")
    # What neither Python nor pytest can delete.
    subprocess.run(["rm", "-r", tmp_path / "shares"], check=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'share "dbs" is deleted\n', "")
    assert remained == []
    assert (outside / "file").read_text() == "x"


@pytest.mark.parametrize("share", ["..", "../shares", "a/b", "", ".trash-x", "LOGS"])
def test_remove_share_refuses_what_is_no_share(tmp_path: Path, share: str) -> None:
    azurefile(tmp_path, "prepare")
    done = azurefile(tmp_path, "remove-share", share)
    assert done.returncode == 1
    assert "it must be 3 to 63" in done.stderr


def test_an_interrupted_removal_is_finished(tmp_path: Path) -> None:
    azurefile(tmp_path, "prepare")
    for name in (".trash-dbs-123", ".trash-dbs-x-123"):
        (tmp_path / "shares" / name / "deep").mkdir(parents=True)
    done = azurefile(tmp_path, "remove-share", "dbs")
    assert (done.returncode, done.stdout) == (0, 'share "dbs" is deleted\n')
    assert [p.name for p in (tmp_path / "shares").iterdir()] == [".trash-dbs-x-123"]
