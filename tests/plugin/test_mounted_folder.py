"""The fence's files on a mounted share: what a container planted among them, and a share without room."""

import contextlib
import errno
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from azurefile.errors import ShareError, ShareSilent
from azurefile.identity import Host
from azurefile.leases import Leases
from azurefile.optionvalues import RESERVED_FOLDER
from azurefile.owner import Container
from azurefile.protocols.nfs_folder import MountedFolder, MountedLock
from azurefile.sharedstore import SharedStore
from tests.plugin.shared import Forgetful, volume
from tests.plugin.test_shared_store import Mounted

pytestmark = pytest.mark.root

STRANGE = 'share "dbs": {} is a link or something else that the fence did not make; remove it from the share'
CALLS: dict[str, Callable[[MountedFolder], object]] = {
    "names": lambda folder: folder.names(),
    "read": lambda folder: folder.read("x.json"),
    "write": lambda folder: folder.write("x.json", b"{}\n"),
    "remove": lambda folder: folder.remove("x.json"),
    "lock": lambda folder: folder.lock("x.json"),
}


@pytest.fixture
def folder(tmp_path: Path) -> MountedFolder:
    return MountedFolder(Mounted(tmp_path), "dbs")


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    made = tmp_path / RESERVED_FOLDER
    made.mkdir()
    return made


def refused(work: Callable[[], object], place: str) -> None:
    """It is refused at once; what hangs is left to the thread that it hangs in."""
    said: list[ShareError] = []

    def call() -> None:
        try:
            work()
        except ShareError as error:
            said.append(error)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    assert [str(error) for error in said] == [STRANGE.format(place)]
    # A silent share would be waited for.
    assert not isinstance(said[0], ShareSilent)


@pytest.mark.parametrize("call", CALLS)
def test_no_folder_is_reached_through_a_link_in_the_place_of_the_fences_own(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, folder: MountedFolder, call: str
) -> None:
    host = tmp_path_factory.mktemp("host")
    (host / "x.json").write_text("the host's")
    (tmp_path / RESERVED_FOLDER).symlink_to(host)
    refused(lambda: CALLS[call](folder), RESERVED_FOLDER)
    assert os.listdir(host) == ["x.json"]
    assert (host / "x.json").read_text() == "the host's"


@pytest.mark.parametrize("call", ["read", "lock"])
@pytest.mark.parametrize("plant", ["link", "endless", "pipe", "folder", "device"])
def test_what_is_no_plain_file_is_neither_read_nor_locked(
    tmp_path: Path, inside: Path, folder: MountedFolder, call: str, plant: str
) -> None:
    host = tmp_path / "host"
    host.write_text("the host's")
    place = inside / "x.json"
    plants: dict[str, Callable[[], None]] = {
        "link": lambda: place.symlink_to(host),
        "endless": lambda: place.symlink_to("/dev/zero"),
        "pipe": lambda: os.mkfifo(place),
        "folder": place.mkdir,
        "device": lambda: os.mknod(place, 0o20600, os.makedev(1, 5)),
    }
    plants[plant]()
    refused(lambda: CALLS[call](folder), f"{RESERVED_FOLDER}/x.json")
    assert host.read_text() == "the host's"


@pytest.mark.parametrize(("call", "more"), [("read", ()), ("write", (b"{}\n",)), ("remove", ()), ("lock", ())])
def test_no_file_is_reached_through_a_link_in_its_name(
    tmp_path: Path, inside: Path, folder: MountedFolder, call: str, more: tuple[bytes, ...]
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (host / "x.json").write_text("the host's")
    (inside / "a").symlink_to(host)
    with pytest.raises(ShareError, match=r"a/x\.json is no name of a file of the fence"):
        getattr(folder, call)("a/x.json", *more)
    assert os.listdir(host) == ["x.json"]
    assert (host / "x.json").read_text() == "the host's"


def test_a_record_whose_key_leads_through_a_link_has_nothing_written_there(
    tmp_path: Path, inside: Path, folder: MountedFolder
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    store = SharedStore(folder, "dbs")
    lease = Leases("azurefile", Host("one", "id-one", 60), Forgetful()).grant(volume("dbs"), store)
    (inside / "a").symlink_to(host)
    forged = lease.owner.to_json() | {"host_id": "a/x", "boot": "earlier"}
    (inside / "forged.json").write_text(json.dumps(forged))
    for record in store.records():
        store.take(record.owner, "two")
    assert os.listdir(host) == []


@pytest.mark.parametrize("plant", ["link", "pipe"])
def test_nothing_is_written_through_what_stands_where_a_new_record_is_made(
    tmp_path: Path, inside: Path, folder: MountedFolder, monkeypatch: pytest.MonkeyPatch, plant: str
) -> None:
    """Nobody guesses its name, and it would not help."""
    host = tmp_path / "host"
    host.write_text("the host's")
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    name = ".x.json.guessed"
    if plant == "link":
        (inside / name).symlink_to(host)
    else:
        os.mkfifo(inside / name)
    with pytest.raises(ShareError, match="File exists"):
        folder.write("x.json", b"{}\n")
    assert host.read_text() == "the host's"
    assert os.path.lexists(inside / name)


def test_a_link_is_replaced_by_a_record_and_its_target_stays(
    tmp_path: Path, inside: Path, folder: MountedFolder
) -> None:
    host = tmp_path / "host"
    host.write_text("the host's")
    (inside / "x.json").symlink_to(host)
    folder.write("x.json", b"{}\n")
    assert host.read_text() == "the host's"
    assert not (inside / "x.json").is_symlink()


def test_a_file_without_end_is_read_to_a_bound_and_is_no_record(inside: Path, folder: MountedFolder) -> None:
    with (inside / "x.json").open("wb") as file:
        file.truncate(1 << 40)
    found = folder.read("x.json")
    assert found is not None
    assert len(found[0]) == 256 * 1024
    assert SharedStore(folder, "dbs").records() == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A share with room for a few records."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "ddtest", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(share: Path) -> None:
    with (share / "data").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_a_full_share_ends_no_hold(small: Path, folder: MountedFolder) -> None:
    store = SharedStore(folder, "dbs")
    leases = Leases("azurefile", Host("one", "id-one", 60), Forgetful())
    held = [leases.grant(volume(name, folder=name), store) for name in ("a", "b")]
    before = {record.owner.volume: record.owner.renewed for record in store.records()}
    clock = small / RESERVED_FOLDER / "clock"
    written = clock.stat().st_mtime_ns
    fill(small)
    for lease in held:
        leases.renew(lease)
    after = {record.owner.volume: record.owner.renewed for record in store.records()}
    assert all(after[name] > before[name] for name in ("a", "b"))
    store.now()
    assert clock.stat().st_mtime_ns > written
    assert [name for name in folder.names() if name.startswith(".")] == []
    with pytest.raises(ShareError, match='share "dbs" is full; raise its quota or make room'):
        leases.grant(volume("c", folder="c"), store)
    for lease in held:
        leases.drop(lease)
    assert not any(record.in_force for record in store.records())


def test_a_record_that_outgrows_its_room_on_a_full_share_is_renewed_with_fewer_containers(
    small: Path, folder: MountedFolder
) -> None:
    store = SharedStore(folder, "dbs")
    leases = Leases("azurefile", Host("one", "id-one", 60), Forgetful())
    lease = leases.grant(volume("a", exclusive="false"), store)
    (record,) = store.records()
    before = record.owner.renewed
    lease.owner.containers = [Container(f"{number:064}", f"writer{number}") for number in range(40)]
    fill(small)
    leases.renew(lease)
    (record,) = store.records()
    assert record.owner.renewed > before
    assert record.owner.containers == lease.owner.containers[: len(record.owner.containers)]
    assert 0 < len(record.owner.containers) < len(lease.owner.containers)
    leases.drop(lease)
    assert not any(record.in_force for record in store.records())


def test_on_a_full_share_a_text_that_does_not_fit_leaves_the_old_one_whole(small: Path, folder: MountedFolder) -> None:
    folder.write("x.json", b"[1]\n")
    fill(small)
    folder.write("x.json", b"[1, 2]\n")
    folder.write("x.json", b"[3]\n")
    with pytest.raises(ShareError, match="is full"):
        folder.write("x.json", b"[" + b"1, " * 2000 + b"1]\n")
    found = folder.read("x.json")
    assert found is not None
    assert json.loads(found[0]) == [3]


def open_below(folder: Path) -> list[str]:
    """What this process has open in a folder; elsewhere the threads of other tests may open and close."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [path for path in found if Path(path).is_relative_to(folder)]


@pytest.mark.parametrize(
    ("call", "where"),
    [
        ("read", "fstat"),
        ("lock", "open"),
        ("lock", "fstat"),
        ("names", "listdir"),
        ("write", "rename"),
        ("remove", "unlink"),
    ],
)
def test_a_file_that_another_host_replaces_meanwhile_is_looked_at_again(
    tmp_path: Path, folder: MountedFolder, monkeypatch: pytest.MonkeyPatch, call: str, where: str
) -> None:
    """NFS knows a file by its handle, which goes with it; what took its place has another."""
    folder.write("x.json", b"{}\n")
    real = getattr(os, where)
    stale = 2

    def replaced(*args: Any, **named: Any) -> Any:
        nonlocal stale
        if (where != "open" or args[0] == "x.json") and stale:
            stale -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, where, replaced)
        found = CALLS[call](folder)
    assert stale == 0
    if isinstance(found, MountedLock):
        found.close()
    assert open_below(tmp_path) == []
    # The share is still mounted where it was: Mounted has no other place.
    assert folder.names() == ([] if call == "remove" else ["x.json"])


@pytest.mark.parametrize("call", ["names", "read", "write", "lock"])
def test_a_mount_that_another_thread_gives_up_meanwhile_is_no_empty_share_and_no_folder_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Where it was mounted is then an empty folder, for as long as it is there."""
    subprocess.run(["mount", "-t", "tmpfs", "ddtest", tmp_path], check=True)
    share = MountedFolder(Mounted(tmp_path), "dbs")
    share.write("x.json", b"{}\n")
    real = os.open

    def given_up(path: Any, *args: Any, **named: Any) -> int:
        if RESERVED_FOLDER in str(path) and os.path.ismount(tmp_path):
            subprocess.run(["umount", "-l", tmp_path], check=True)
        return real(path, *args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", given_up)
        found = CALLS[call](share)
    assert not os.path.ismount(tmp_path)
    assert found
    if isinstance(found, MountedLock):
        found.close()
    assert os.listdir(tmp_path) == []


def test_a_lock_on_a_full_share_stands(folder: MountedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = folder.lock("a.lock")
    assert lock is not None

    def full(*_: object) -> int:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "pwrite", full)
    assert lock.confirm()


def test_a_lock_tells_what_room_is_left(small: Path, folder: MountedFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = folder.lock("a.lock")
    assert lock is not None
    assert lock.room() == 64 * 1024
    fill(small)
    assert lock.room() == 0

    def gone(_: int) -> os.statvfs_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fstatvfs", gone)
    assert lock.room() is None
    lock.close()


def test_a_lock_that_the_server_forgot_is_lost_by_what_the_kernel_says_of_the_write(
    folder: MountedFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the write into its memory, and hears of the lock only when the server has it."""
    lock = folder.lock("a.lock")
    assert lock is not None

    def lost(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", lost)
    assert not lock.confirm()
