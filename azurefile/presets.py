"""What is known to be right for each purpose and protocol, where a volume does not say otherwise."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# 999 is mysql's id in the official image and in ours. A database keeps what it needs in memory of
# its own and trusts nothing that another cache may hold; files are looked at again after half a
# minute. A connection of its own (nosharesock) is one that can be cut alone.
_EVERYWHERE: Mapping[str, Mapping[str, Any]] = {
    "files": {},
    "database": {"uid": 999, "gid": 999, "dirmode": 0o750},
}
_PRESETS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("files", "smb"): {"cache": "strict", "actimeo": 30, "mfsymlinks": True},
    ("database", "smb"): {
        "cache": "none",
        "actimeo": 1,
        "mfsymlinks": True,
        "filemode": 0o640,
        "nosharesock": True,
    },
    ("files", "nfs"): {"nconnect": 4, "actimeo": 30},
    ("database", "nfs"): {"nconnect": 4},
}
_DIALECTS = {"smb": "3.1.1", "nfs": "4.1"}
_WITHOUT_ENCRYPTION = ("2.1",)
# Of an account in one of Azure's clouds, also by a private link or in a DNS zone of its own.
_AZURE_SERVER = re.compile(
    r"([a-z0-9]{3,24})(\.privatelink|\.z[0-9]+)?"
    r"\.file\.(core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net|storage\.azure\.net)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Contradiction:
    """Options that can't all be meant, and what to do about it."""

    problem: str
    remedy: str
    # By field what overrides one that the volume does not say itself.
    instead: Mapping[str, str] = field(default_factory=dict)


def preset(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the purpose that a volume's fields name adds to its protocol; `exclusive` counts too."""
    protocol, purpose = values["protocol"], values.get("purpose", "files")
    added = {**_EVERYWHERE[purpose], **_PRESETS.get((purpose, protocol), {})}
    if protocol == "smb" and values.get("exclusive"):
        # What the kernel keeps back in a cache, nobody can keep from coming when another host has the folder.
        added["cache"] = "none"
        if purpose == "database":
            # InnoDB opens its redo files twice, and an SMB lock refuses the second open of the same process too.
            # Without the fence such a lock is still the better of two evils.
            added["nobrl"] = True
    return added


def complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a volume's options with what its purpose and protocol add to them."""
    protocol, added = values["protocol"], preset(values)
    if protocol in _DIALECTS:
        added["vers"] = _DIALECTS[protocol]
    if protocol == "smb":
        added["seal"] = values.get("vers") not in _WITHOUT_ENCRYPTION
        if values.get("exclusive"):
            added["nosharesock"] = True
    if protocol == "nfs" and (named := _AZURE_SERVER.fullmatch(values.get("server", ""))):
        # There no share is exported without its account.
        added["account"] = named[1].lower()
    if "nolock" in values:
        # Another name of it.
        added.pop("nobrl", None)
    return {**added, **values}


def contradiction(values: Mapping[str, Any]) -> Contradiction | None:
    """Two options that can't both be meant, if there are any."""
    protocol = values["protocol"]
    if protocol == "nfs" and not values.get("server") and not values.get("account"):
        return Contradiction('option "server" is missing, and "account" too', "protocol nfs needs one of them")
    if protocol == "nfs" and values.get("create"):
        return Contradiction(
            'option "create" is true, but an NFS share can only be made on its server', "make it there and leave it out"
        )
    if values.get("seal") and values.get("vers") in _WITHOUT_ENCRYPTION:
        return Contradiction(
            f'option "seal" is true, but vers={values["vers"]} has no encryption',
            "leave one of the two out",
            {"seal": "seal=false", "vers": f"vers={_DIALECTS[protocol]}"},
        )
    named = _AZURE_SERVER.fullmatch(values.get("server", ""))
    if named and values.get("account", named[1]).lower() != named[1].lower():
        return Contradiction(
            f'option "server" is "{named[0]}", which is account {named[1]}\'s, but option "account" is '
            f'"{values["account"]}"',
            "leave one of the two out",
            {"account": f"account={named[1].lower()}", "server": "that account's own server=…"},
        )
    if values.get("exclusive") and values.get("nosharesock") is False:
        return Contradiction(
            'option "nosharesock" is false, but an exclusive volume needs a connection of its own, which can be '
            "cut without cutting others",
            "leave one of the two out",
            {"exclusive": "exclusive=false", "nosharesock": "nosharesock=true"},
        )
    if values.get("quota") is not None and values.get("create") is not True:
        return Contradiction('option "quota" is for a share that is made', "add create=true, or leave it out")
    return None
