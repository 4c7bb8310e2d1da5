"""Options of volumes that the protocol of their shares does not take."""

from __future__ import annotations

from collections.abc import Iterable

from stacks.azure import AzureSharesSettings
from stacks.relations import Complaint, Places
from stacks.settings import Settings

# what follows from the shares' own settings
DECIDED = ("account", "port", "protocol", "quota", "server")
# option → the protocols that it is of, where these are not all; a test compares it with the plugin's
KNOWN_TO = {
    **dict.fromkeys(("account", "actimeo", "port", "server", "vers"), ("smb", "nfs")),
    **dict.fromkeys(("cache", "mfsymlinks", "nobrl", "nosharesock", "quota", "seal"), ("smb",)),
    "nconnect": ("nfs",),
}
# the one value that a share on Azure takes, and what it means
SERVED = {"smb": {"vers": "3.1.1", "seal": "true"}, "nfs": {"vers": "4.1"}}
MEANING = {"true": "encrypted", "3.1.1": "by SMB 3.1.1", "4.1": "by NFS 4.1"}


def check_options(settings: Settings, at: Places) -> Iterable[Complaint]:
    """Yields what the plugin would refuse, and what would not be served on Azure.

    `at` says where in the file each volume stands.
    """
    shares = settings.shares
    on_azure = isinstance(shares, AzureSharesSettings)
    for i, volume in enumerate(settings.volumes):
        given = {name.lower(): str(value).lower() for name, value in volume.options.items()}
        protocol = shares.protocol if isinstance(shares, AzureSharesSettings) else given.get("protocol", "local")
        here = f"{at['volumes'][i]}.options"
        for name, value in given.items():
            known, only = KNOWN_TO.get(name, (protocol,)), SERVED.get(protocol, {}).get(name, value)
            if on_azure and name in DECIDED:
                yield Complaint(f"{here}.{name}", "shares of kind azure decide it: leave it out")
            elif protocol not in known:
                yield Complaint(
                    f"{here}.{name}",
                    f"is of protocol {' or '.join(known)}, and the volume's is {protocol}: leave it out",
                    ("shares.kind", "shares.protocol"),
                )
            elif on_azure and value != only:
                yield Complaint(
                    f"{here}.{name}",
                    f"{value}: Azure serves these shares {MEANING[only]} alone: leave it out",
                    ("shares.protocol",),
                )
        if protocol == "nfs" and given.get("create") == "true":
            yield Complaint(f"{here}.create", "true: an NFS share can only be made on its server: leave it out")
        if protocol == "smb" and given.get("nosharesock") == "false" and settings.is_exclusive(volume):
            yield Complaint(
                f"{here}.nosharesock",
                "false: an exclusive volume needs a connection of its own, which can be cut alone: leave it out",
            )
        if protocol == "smb" and {"nolock", "nobrl"} <= given.keys() and given["nolock"] != given["nobrl"]:
            yield Complaint(f"{here}.nolock", "is another name of nobrl, which differs: leave one out")
