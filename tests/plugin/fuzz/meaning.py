"""What a volume's options must come to by the tables of azurefile/README.md; it shares no code with the plugin."""

import re
from collections.abc import Mapping
from typing import Any

_SHARE = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_AZURE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_MODES = ("dirmode", "filemode")
_NUMBERS = {"uid": 10, "gid": 10, "port": 10, "actimeo": 10, "nconnect": 10, "quota": 10} | dict.fromkeys(_MODES, 8)
_BOOLEANS = ("exclusive", "create", "nolock", "mfsymlinks", "nosharesock", "nobrl", "seal")
_TEXTS = ("server", "account", "vers", "cache")
# Options that not every protocol has.
_REMOTE = {"server", "port", "account", "actimeo", "vers"}
_OF_PROTOCOL = {
    "local": set[str](),
    "nfs": _REMOTE | {"nconnect"},
    "smb": _REMOTE | {"mfsymlinks", "nosharesock", "nobrl", "seal", "cache", "quota"},
}
_PRESETS: dict[tuple[str, str], dict[str, Any]] = {
    ("smb", "files"): {"cache": "strict", "actimeo": 30, "mfsymlinks": True},
    ("smb", "database"): {
        "cache": "none",
        "actimeo": 1,
        "mfsymlinks": True,
        "filemode": 0o640,
        "nosharesock": True,
    },
    ("nfs", "files"): {"nconnect": 4, "actimeo": 30},
    ("nfs", "database"): {"nconnect": 4},
}
_DATABASE = {"uid": 999, "gid": 999, "dirmode": 0o750}


def meaning(name: str, given: Mapping[str, str]) -> dict[str, Any] | None:
    """The options as the plugin must understand them; None if they contradict each other."""
    texts = {k.lower(): v for k, v in given.items()}
    paths = {texts[k].strip("/") if k == "remotepath" else texts[k] for k in ("folder", "remotepath") if k in texts}
    if len(texts) != len(given) or len(paths) > 1 or not _SHARE.fullmatch(texts.get("share", name)):
        return None
    own: dict[str, Any] = {"protocol": texts.get("protocol", "local"), "for": texts.get("for", "files")}
    own |= {"share": texts.get("share", name), "folder": paths.pop() if paths else "", "exclusive": False}
    own |= {k: int(texts[k], base) for k, base in _NUMBERS.items() if k in texts}
    own |= {k: texts[k].lower() in ("", "true") for k in _BOOLEANS if k in texts}
    own |= {k: texts[k] for k in _TEXTS if k in texts}
    return None if _contradicts(own) else _preset(own) | own


def shown(options: Mapping[str, Any]) -> dict[str, str]:
    """A meaning as `docker volume inspect` shows it."""
    told = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in options.items() if v != ""}
    return told | {k: f"{options[k]:04o}" for k in _MODES if k in options}


def _contradicts(own: Mapping[str, Any]) -> bool:
    protocol, foreign = own["protocol"], set().union(*_OF_PROTOCOL.values()) - _OF_PROTOCOL[own["protocol"]]
    if foreign & own.keys() or ("vers" in own and (own["vers"] == "4.1") is not (protocol == "nfs")):
        return True
    if protocol == "nfs":
        nowhere = "server" not in own and "account" not in own
        return nowhere or bool(own.get("create")) or not _AZURE_ACCOUNT.fullmatch(own.get("account", "abc"))
    return (
        (own.get("nolock", own.get("nobrl")) is not own.get("nobrl", own.get("nolock")))
        or (own.get("seal", False) and own.get("vers") == "2.1")
        or (own["exclusive"] and own.get("nosharesock") is False)
        or ("quota" in own and own.get("create") is not True)
        or (protocol == "smb" and ("~" in own["folder"] or own["folder"].endswith("/Con")))
    )


def _preset(own: Mapping[str, Any]) -> dict[str, Any]:
    protocol, database = own["protocol"], own["for"] == "database"
    added = (_DATABASE if database else {}) | _PRESETS.get((protocol, own["for"]), {})
    if protocol == "nfs":
        added |= {"vers": "4.1"}
    if protocol == "smb":
        added |= {"vers": "3.1.1", "seal": own.get("vers") != "2.1"}
        if own["exclusive"]:
            added |= {"cache": "none", "nosharesock": True}
            added |= {"nobrl": True} if database and "nolock" not in own else {}
    return added
