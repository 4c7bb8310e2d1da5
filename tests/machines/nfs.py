"""An NFS 4.1 server of the test's own on the loopback: nfs-ganesha, in user space."""

import shutil
import signal
from types import TracebackType
from typing import Self

from tests.machines import audit, nfs_log
from tests.machines.ports import free_port
from tests.machines.process import Supervised, scratch
from toolchain import packages

START_SECONDS = 30
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


class GaneshaServer:
    """Exports are folders, mounted as `SERVER:/NAME` with `vers=4.1,port=…,proto=tcp,sec=sys`."""

    def __init__(
        self, *exports: str, lease: int = 15, grace: int = 15, graceless: bool = False, audited: bool = True
    ) -> None:
        """Starts it on a free port of 127.0.0.1.

        Args:
            exports: names of what it exports.
            lease: seconds without a renewal after which a client's locks may be given to others. On a busy machine a
                short one ends under a live client, whose next call is an input or output error.
            grace: seconds after a start in which only locks from before are given; not below `lease`.
            graceless: whether it starts without that, and forgets all locks.
            audited: whether it logs for `writes`, which makes it slower.
        """
        packages.require(["ganesha.nfsd"], ["nfs-ganesha", "nfs-ganesha-vfs"], "test shares over NFS")
        self.folder = scratch("nfs")
        self.port = free_port()
        self.lease = lease
        self.exports = {name: self.folder / "exports" / name for name in exports}
        self._server: Supervised | None = None
        (self.folder / "recovery").mkdir()
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the server on the port that it has. Nothing happens if it runs."""
        if self._server is None:
            files = ("-f", self.folder / "ganesha.conf", "-p", self.folder / "pid", "-L", self.folder / "ganesha.log")
            self._server = Supervised(["ganesha.nfsd", "-F", *files], log=self.folder / "output.log")
            self._server.wait_for_port(self.port, START_SECONDS)

    def stop(self) -> None:
        """Ends the server with all its connections; what it exports and who had locks stays."""
        if self._server is not None:
            self._server.kill()
            self._server = None

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

    def pause(self) -> None:
        """Makes the server hang: connections stay, nothing is answered."""
        assert self._server is not None
        self._server.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a `pause`."""
        assert self._server is not None
        self._server.signal(signal.SIGCONT)

    @property
    def log(self) -> str:
        """What the server logged, locks and clients included."""
        return (self.folder / "ganesha.log").read_text(errors="replace")

    def turns(self, minimum: int = 1) -> list[audit.Turn]:
        """Who wrote, one client after the other. Smaller writes than `minimum` bytes are left out.

        The server does not log which file a write is for: so a test's data may be told from a plugin's small records.
        """
        return audit.in_turn((w.time, w.client) for w in nfs_log.writes(self.log) if w.count >= minimum)

    def close(self) -> None:
        """Ends it and removes what it exported."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
