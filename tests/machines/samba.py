"""A samba server of the test's own on the loopback, as strict as Azure Files."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.machines import audit
from tests.machines.share_server import ShareServer
from toolchain import packages

AUDIT_MODULE = Path(f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/samba/vfs/full_audit.so")
# what Azure has: SMB 3 with encryption, names without case, opens that survive a short loss of the connection
GLOBAL = """
[global]
server role = standalone server
interfaces = 127.0.0.1/8
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
server min protocol = SMB3_00
smb encrypt = required
server multi channel support = no
posix locking = no
map to guest = never
username map = {folder}/users
passdb backend = tdbsam:{folder}/private/passdb.tdb
private dir = {folder}/private
state directory = {folder}/state
cache directory = {folder}/cache
lock directory = {folder}/lock
pid directory = {folder}/pid
ncalrpc dir = {folder}/ncalrpc
log file = {folder}/log/smbd
max log size = 0
load printers = no
disable spoolss = yes
debug syslog format = yes
{audit}
"""
SHARE = """
[{name}]
path = {path}
read only = {read_only}
force user = root
create mask = 0777
directory mask = 0777
"""


class SambaServer(ShareServer):
    """One storage account: shares are folders, and its key is the one password."""

    def __init__(self, account: str = "ddtestaccount", *, audited: bool = True) -> None:
        """Starts it on a free port of 127.0.0.1. Without `audited` it is faster and `uses` knows nothing."""
        if not (shutil.which("smbd") and AUDIT_MODULE.exists()):
            packages.install(["samba", "samba-vfs-modules"], "test shares over SMB")
        super().__init__("smb")
        self.account = account
        self.key = ""
        self._audited = audited
        self._shares: dict[str, Path] = {}
        self._read_only: set[str] = set()
        for name in ("private", "state", "cache", "lock", "pid", "ncalrpc", "log", "shares"):
            (self.folder / name).mkdir()
        # samba wants a user of the machine behind each account: no user has to be made if that is root
        (self.folder / "users").write_text(f"root = {account}\n")
        self._configure()
        self.set_key(new_key())
        self.start()

    @property
    def credentials(self) -> bytes:
        """A credentials file as mount.cifs(8) takes it."""
        return f"username={self.account}\npassword={self.key}\n".encode()

    def add_share(self, name: str, *, limit: int | None = None, read_only: bool = False) -> Path:
        """Makes a share and returns its folder; one with a `limit` in bytes is full when it is full."""
        path = self.folder / "shares" / name
        path.mkdir()
        if limit is not None:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit}", "ddtest", path], check=True)
        self._shares[name] = path
        if read_only:
            self._read_only.add(name)
        self._configure()
        self._control("smbd", "reload-config")
        return path

    def share(self, name: str) -> Path:
        """Returns the folder that a share is."""
        return self._shares[name]

    def delete_share(self, name: str) -> None:
        """Deletes a share with its data under those who have it mounted."""
        path = self._shares.pop(name)
        self._configure()
        self._control("smbd", "reload-config")
        self._control("smbd", "close-share", name)
        if path.is_mount():
            subprocess.run(["umount", "-l", path], check=True)
        shutil.rmtree(path)

    def set_key(self, key: str) -> None:
        """Makes `key` the account's only key. Who is logged in stays so until the connection ends."""
        done = subprocess.run(
            ["smbpasswd", "-c", self._file, "-s", "-a", "root"],
            input=f"{key}\n{key}\n".encode(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"smbpasswd: {done.stderr.decode().strip()}")
        self.key = key

    def command(self) -> tuple[Sequence[str | Path], Path]:
        """What runs the server in the foreground, and the file for what it prints."""
        return ["smbd", "-F", "--no-process-group", "-s", self._file], self.folder / "smbd.log"

    def disconnect(self, ports: Iterable[int] | None = None) -> None:
        """Ends the connections that come from these ports (see `Machine.host_ports`), or all of them."""
        wanted = None if ports is None else set(ports)
        for session in self.status()["sessions"].values():
            port = int(session["hostname"].rsplit(":", 1)[1])
            if wanted is None or port in wanted:
                os.kill(int(session["server_id"]["pid"]), signal.SIGTERM)

    def status(self) -> dict[str, Any]:
        """Sessions, tree connections, open files and locks, as smbstatus(1) tells them."""
        done = subprocess.run(
            ["smbstatus", "-s", self._file, "--json"], capture_output=True, text=True, check=True, timeout=20
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def locked_ranges(self) -> dict[str, int]:
        """Files of the shares by name, and how many ranges of their bytes are locked at the server."""
        command = ["smbstatus", "-s", str(self._file), "--byterange", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        files = json.loads(done.stdout).get("byte_range_locks", {}).values()
        return {file["file_name"]: len(file["locks"]) for file in files}

    def events(self) -> list[audit.Event]:
        """Logins and calls on files, as the server logged them, oldest first."""
        return list(audit.events((self.folder / "log" / "smbd").read_text(errors="replace")))

    def uses(self, share: str) -> list[audit.Use]:
        """Who had which file of a share open from when to when, and wrote to it, in the order of opening."""
        return audit.uses(self.events(), share, str(self._shares[share]))

    def turns(self, share: str, folder: str = "") -> list[audit.Turn]:
        """Who changed files of a share's folder, one client after the other."""
        return audit.turns(self.events(), share, str(self._shares[share] / folder))

    def close(self) -> None:
        """Ends it and removes its shares."""
        self.stop()
        for path in self._shares.values():
            if path.is_mount():
                subprocess.run(["umount", "-l", path], check=True)
        super().close()

    @property
    def _file(self) -> Path:
        return self.folder / "smb.conf"

    def _configure(self) -> None:
        text = GLOBAL.format(port=self.port, folder=self.folder, audit=audit.SETTINGS if self._audited else "")
        for name, path in self._shares.items():
            text += SHARE.format(name=name, path=path, read_only="yes" if name in self._read_only else "no")
        aside = self._file.with_suffix(".part")
        aside.write_text(text)
        aside.rename(self._file)

    def _control(self, *arguments: str) -> None:
        if self._server is not None:
            subprocess.run(["smbcontrol", "-s", self._file, *arguments], check=True, timeout=20)


def new_key() -> str:
    """Returns a key as Azure makes them: 64 random bytes in base64."""
    return base64.b64encode(os.urandom(64)).decode()
