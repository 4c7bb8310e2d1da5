"""What can go wrong, as one line that names the thing, the value and the remedy.

PluginError
├── OptionError     an option or a name that Create refuses
├── NoSuchVolume    a call for a volume that was never created
├── InUse           a volume that can't be removed yet
├── ShareError      a share or folder that can't be used
│   ├── StaleMount      a mounted share that the kernel can't come back to by itself
│   ├── ShareMissing    a share that the server does not have
│   ├── ShareSilent     a server that does not answer, or not yet
│   ├── MountUnseen     a mount that the engine does not see
│   └── DiskFull        a host without room for what the plugin keeps
├── Held            a folder that another container holds (held.py)
├── LeaseUnreadable a lease of the plugin's last life that can't be read (leasememory.py)
└── TakenOver       a hold that another plugin voided (lease.py)
"""

# The end of a refusal that may pass: by it starter.py knows a container that the engine left down for it.
COMES_BACK = "what ran before and has a restart policy is started again"
# The path that the plugin sees is on the host perhaps that of another plugin.
ROOT = "the plugin's root (on the host /var/lib/datadocker, unless root.source says otherwise)"


class PluginError(Exception):
    """The base of every error that a caller is meant to read."""


class OptionError(PluginError):
    """An option, or a combination of options, is not acceptable."""


class NoSuchVolume(PluginError):
    """No volume of that name exists."""

    def __init__(self, name: str) -> None:
        """Name the volume and the command that makes one."""
        super().__init__(
            f'volume "{name[:64]}" does not exist; make it with '
            "docker volume create -d <this plugin> -o share=<share> <name>"
        )


class InUse(PluginError):
    """The volume is mounted."""


class ShareError(PluginError):
    """A share or a folder on it can't be used as asked."""


class ShareMissing(ShareError):
    """The server has no share of that name."""


class StaleMount(ShareError):
    """The kernel has an old key, or an old address, and no session: it can't be given the present one."""


class ShareSilent(ShareError):
    """The server does not answer, stopped answering, or asks for a moment."""


class MountUnseen(ShareError):
    """The engine would give its container the empty folder below the mount."""


class DiskFull(ShareError):
    """A disk of the host has no room for what the plugin has to keep."""
