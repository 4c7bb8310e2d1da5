"""Options of volumes that the protocol of their shares does not take, or that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from stacks.azure import AzureSharesSettings
from stacks.complaints import Complaint, Places
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
# of Debian's package, as our image has it; on SMB nobody can be made a file's owner
MYSQL_UID = "999"
# as the plugin takes a part of a folder for a short name, or one that Azure keeps for itself; a test compares them
SHORT_NAME = re.compile(r"~[0-9]|^.{6}~[0-9A-Za-z](\.|$)")
RESERVED_NAME = re.compile(r"(LPT|COM)[1-9]|PRN|AUX|NUL|CON|CLOCK\$", re.IGNORECASE)
# the same of a server that is an account's own
AZURE_SERVER = re.compile(
    r"([a-z0-9]{3,24})(\.privatelink|\.z[0-9]+)?"
    r"\.file\.(core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net|storage\.azure\.net)",
    re.IGNORECASE,
)


def check_options(settings: Settings, at: Places) -> Iterable[Complaint]:
    """Yields what the plugin would refuse, and what would not be served on Azure.

    `at` says where in the file each volume stands.
    """
    on_azure = isinstance(settings.shares, AzureSharesSettings)
    for i, volume in enumerate(settings.volumes):
        spelled = {name.lower(): str(value) for name, value in volume.options.items()}
        protocol, here = settings.protocol_of(volume), at["volumes"][i]
        complaints: dict[str, Complaint] = {}
        for name, text in spelled.items():
            value, setting = text.lower(), f"{here}.options.{name}"
            known, only = KNOWN_TO.get(name, (protocol,)), SERVED.get(protocol, {}).get(name, value)
            if on_azure and name in DECIDED:
                complaints[name] = Complaint(setting, "shares of kind azure decide it: leave it out")
            elif protocol not in known:
                complaints[name] = Complaint(
                    setting,
                    f"is of protocol {' or '.join(known)}, and the volume's is {protocol}: leave it out",
                    ("shares.kind", "shares.protocol"),
                )
            elif on_azure and value != only:
                complaints[name] = Complaint(
                    setting,
                    f"{value}: Azure serves these shares {MEANING[only]} alone: leave it out",
                    ("shares.protocol",),
                )
        # shares on Azure have the account that an NFS share is reached by
        given = ({"account": "azure"} if on_azure else {}) | spelled
        for name, what in _contradictions(protocol, given, exclusive=settings.is_exclusive(volume)):
            complaints.setdefault(name, Complaint(f"{here}.options.{name}", what))
        if any(database.volume == volume.name for database in settings.databases):
            server = None if settings.images.mysql else MYSQL_UID
            for name, what in _unusable(protocol, given, server):
                complaints.setdefault(name, Complaint(f"{here}.options.{name}", what))
        yield from complaints.values()
        parts = (volume.folder or "").split("/") if protocol == "smb" else []
        for wrong, why in (
            (any(SHORT_NAME.search(part) for part in parts), "~1 and the like may be short for another folder's name"),
            (any(RESERVED_NAME.fullmatch(part) for part in parts), "Azure keeps CON, AUX and the like for itself"),
        ):
            if wrong:
                yield Complaint(
                    f"{here}.folder",
                    f"{volume.folder}: on SMB, {why}: choose another",
                    ("shares.kind", "shares.protocol"),
                )


def _unusable(protocol: str, spelled: Mapping[str, str], server: str | None) -> Iterator[tuple[str, str]]:
    """Yields (option, complaint) of options with which a database, of user `server`, could not write to its volume."""
    # elsewhere its container makes the files its own; who gives a group or modes knows who may write
    if protocol != "smb" or spelled.keys() & {"gid", "filemode", "dirmode"}:
        return
    if "uid" not in spelled and spelled.get("for", "database").lower() != "database":
        yield "for", f"{spelled['for']}: a database has this volume: leave it out"
    if server and spelled.get("uid", server) != server:
        yield "uid", f"{spelled['uid']}: a database has this volume, whose server is user {server}: leave it out"


def _contradictions(protocol: str, spelled: Mapping[str, str], *, exclusive: bool) -> Iterator[tuple[str, str]]:
    """Yields (option, complaint) of options that can't all be meant."""
    given = {name: value.lower() for name, value in spelled.items()}
    vers = given.get("vers")
    named = AZURE_SERVER.fullmatch(given.get("server", ""))
    if named and given.get("account", named[1]) != named[1]:
        yield "account", f"{given['account']}: server {named[0]} is account {named[1]}'s: leave one of the two out"
    if protocol == "nfs":
        if not given.keys() & {"account", "server"}:
            yield "protocol", "nfs: name the server beside it, as option server"
        if not re.fullmatch("[a-z0-9]{3,24}", spelled.get("account", "nfs")):
            yield "account", "for protocol nfs it is a storage account: 3 to 24 lowercase letters and digits"
        if given.get("create") == "true":
            yield "create", "true: an NFS share can only be made on its server: leave it out"
        if vers not in (None, "4.1"):
            yield "vers", f"{vers}: protocol nfs is served as 4.1: leave it out"
    if protocol == "smb":
        if vers == "4.1":
            yield "vers", "4.1: protocol smb is 2.1, 3.0, 3.02 or 3.1.1: choose one, or leave it out"
        if vers == "2.1" and given.get("seal") == "true":
            yield "seal", "true: vers 2.1 has no encryption: leave one of the two out"
        if "quota" in given and given.get("create") != "true":
            yield "quota", "is for a share that is made: add create: true, or leave it out"
        if given.get("nosharesock") == "false" and exclusive:
            yield (
                "nosharesock",
                "false: an exclusive volume needs a connection of its own, which can be cut alone: leave it out",
            )
        if {"nolock", "nobrl"} <= given.keys() and given["nolock"] != given["nobrl"]:
            yield "nolock", "is another name of nobrl, which differs: leave one out"
