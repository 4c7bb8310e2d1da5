"""A host's plugin on shares that this machine's kernel need not know to mount."""

from pathlib import Path

from tests.machines.samba import SambaServer
from tests.plugin.harness import PluginProcess


def bound_host(folder: Path, share: Path, server: SambaServer | None = None) -> PluginProcess:
    """The plugin, not started yet; `share` stands for what it would mount, and without a server has NFS's fence."""
    defaults = "protocol=nfs,server=127.0.0.1"
    root = folder / "root"
    if server is not None:
        defaults = f"protocol=smb,server=127.0.0.1,port={server.port},account={server.account}"
        credentials = root / "credentials" / server.account
        credentials.parent.mkdir(mode=0o700, parents=True)
        credentials.touch(mode=0o600)
        credentials.write_text(f"key={server.key}\n")
    environment = {"SHARE_FOLDER": str(share)}
    return PluginProcess(folder, defaults=defaults, module="tests.plugin.bound", environment=environment)
