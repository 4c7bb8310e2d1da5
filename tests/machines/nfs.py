"""An NFS 4.1 server of the test's own on the loopback: nfs-ganesha, in user space."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.machines import audit, nfs_log
from tests.machines.share_server import ShareServer
from toolchain import packages

SETTINGS = """
NFS_CORE_PARAM {{
    Protocols = 4;
    NFS_Port = {port};
    Bind_addr = 127.0.0.1;
    Enable_NLM = false;
    Enable_RQUOTA = false;
    Enable_UDP = false;
}}
NFSv4 {{
    Minor_Versions = 1, 2;
    RecoveryRoot = {folder}/recovery;
    Lease_Lifetime = {lease};
    Grace_Period = {grace};
    Graceless = {graceless};
}}
LOG {{
    Default_Log_Level = EVENT;
{audit}
    Facility {{ name = FILE; destination = "{folder}/ganesha.log"; enable = active; }}
}}
"""
EXPORT = """
EXPORT {{
    Export_Id = {number};
    Path = {path};
    Pseudo = /{name};
    Access_Type = RW;
    Squash = No_Root_Squash;
    SecType = sys;
    Protocols = 4;
    Transports = TCP;
    FSAL {{ Name = VFS; }}
}}
"""


class GaneshaServer(ShareServer):
    """Exports are folders, mounted as `SERVER:/NAME` with `vers=4.1,port=…,proto=tcp,sec=sys`."""

    def __init__(
        self,
        *exports: str,
        lease: int = 15,
        grace: int = 15,
        graceless: bool = False,
        audited: bool = True,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """Starts it on a free port of 127.0.0.1.

        Args:
            exports: names of what it exports.
            lease: seconds without a renewal after which a client's locks may be given to others. On a busy machine a
                short one ends under a live client, whose next call is an input or output error.
            grace: seconds after a start in which only locks from before are given; not below `lease`.
            graceless: whether it starts without that, and forgets all locks.
            audited: whether it logs for `writes`, which makes it slower.
            limits: how many bytes the exports of these names have room for.
        """
        packages.require(["ganesha.nfsd"], ["nfs-ganesha", "nfs-ganesha-vfs"], "test shares over NFS")
        super().__init__("nfs")
        self.lease = lease
        self.exports = {name: self.folder / "exports" / name for name in exports}
        (self.folder / "recovery").mkdir()
        for name, limit in (limits or {}).items():
            self.exports[name].mkdir(parents=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit}", "ddtest", self.exports[name]], check=True)
        self._settings = SETTINGS.format(
            port=self.port,
            folder=self.folder,
            lease=lease,
            grace=grace,
            graceless=str(graceless).lower(),
            audit=nfs_log.SETTINGS if audited else "",
        )
        self._configure()
        self.start()

    def command(self) -> tuple[Sequence[str | Path], Path]:
        """What runs the server in the foreground, and the file for what it prints."""
        files = ("-f", self.folder / "ganesha.conf", "-p", self.folder / "pid", "-L", self.folder / "ganesha.log")
        return ["ganesha.nfsd", "-F", *files], self.folder / "output.log"

    def close(self) -> None:
        """Ends it and removes its exports."""
        self.stop()
        for path in self.exports.values():
            if path.is_mount():
                subprocess.run(["umount", "-l", path], check=True)
        super().close()

    def add_export(self, name: str) -> None:
        """Exports a folder more. The server restarts; nothing happens if it has that one."""
        if name not in self.exports:
            self.exports[name] = self.folder / "exports" / name
            self._configure()
            self.stop()
            self.start()

    def remove_export(self, name: str) -> None:
        """Deletes what it exports under this name. The server restarts."""
        self.stop()
        shutil.rmtree(self.exports.pop(name))
        self._configure()
        self.start()

    def _configure(self) -> None:
        text = self._settings
        for number, (name, path) in enumerate(self.exports.items(), 1):
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o777)
            text += EXPORT.format(number=number, name=name, path=path)
        (self.folder / "ganesha.conf").write_text(text)

    @property
    def log(self) -> str:
        """What the server logged, locks and clients included."""
        return (self.folder / "ganesha.log").read_text(errors="replace")

    def turns(self, minimum: int = 1) -> list[audit.Turn]:
        """Who wrote, one client after the other. Smaller writes than `minimum` bytes are left out.

        The server does not log which file a write is for: so a test's data may be told from a plugin's small records.
        """
        return audit.in_turn((w.time, w.client) for w in nfs_log.writes(self.log) if w.count >= minimum)
