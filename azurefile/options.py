"""The whole vocabulary of a volume's options. Nothing here touches a disk or a network."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azurefile import presets
from azurefile.errors import OptionError

SMB, NFS, LOCAL = "smb", "nfs", "local"

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_VOLUME_NAME_LENGTH = 200
_SHARE_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_SERVER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
_SERVER_LENGTH = 253
_MODE = re.compile(r"[0-7]{3,4}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_FOLDER_BYTES = 1024
_NAME_BYTES = 255
# Azure refuses these in file names, so a folder that has one could never move to a real share.
_FOLDER_FORBIDDEN = re.compile(r'[\\:*?"<>|]')
# Holds the fence where a share's own root is mounted.
RESERVED_FOLDER = ".azurefile"

# People try these first. They get an answer, and the value is not repeated anywhere.
_SECRETS = {
    "accountkey", "credentials", "key", "pass", "passwd", "password", "sas", "sastoken", "secret",
    "storageaccountkey", "storagekey", "token",
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """A volume's options after defaults and presets; None means that the protocol decides."""

    protocol: str
    share: str
    folder: str = ""
    filemode: int | None = None
    dirmode: int | None = None
    uid: int | None = None
    gid: int | None = None
    nolock: bool | None = None
    server: str | None = None
    port: int | None = None
    account: str | None = None
    mfsymlinks: bool | None = None
    nosharesock: bool | None = None
    nobrl: bool | None = None
    actimeo: int | None = None
    cache: str | None = None
    seal: bool | None = None
    vers: str | None = None
    nconnect: int | None = None
    exclusive: bool = False
    create: bool | None = None
    quota: int | None = None
    purpose: str = "files"

    def in_force(self) -> dict[str, str]:
        """The options as a user would write them, without what was left to the protocol."""
        shown = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None or value == "":
                continue
            name = _FIELD_OPTION.get(field.name, field.name)
            if name in ("filemode", "dirmode"):
                shown[name] = f"{value:04o}"
            else:
                shown[name] = str(value).lower() if isinstance(value, bool) else str(value)
        return shown


def _boolean(text: str) -> bool:
    # `-o exclusive` without a value reaches the driver as an empty string.
    choices = {"": True, "true": True, "false": False}
    if text.lower() not in choices:
        raise ValueError("true or false")
    return choices[text.lower()]


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(choices[0] if len(choices) == 1 else "one of " + ", ".join(choices))
        return text.lower()

    return parse


def _matching(pattern: re.Pattern[str], length: int, accepted: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if len(text) > length or not pattern.fullmatch(text):
            raise ValueError(accepted)
        return text

    return parse


def _mode(text: str) -> int:
    if not _MODE.fullmatch(text):
        raise ValueError("an octal mode of three or four digits such as 0750")
    return int(text, 8)


def _share(text: str) -> str:
    if not 3 <= len(text) <= 63 or not _SHARE_NAME.fullmatch(text):
        raise ValueError(
            "3 to 63 lowercase letters, digits and single hyphens, beginning and ending with a letter or digit"
        )
    return text


def _folder(text: str) -> str:
    accepted = (
        "a relative path below the share such as mysql/orders, "
        'without "..", empty parts, control characters or any of \\ : * ? " < > |'
    )
    parts = text.split("/")
    for part in parts:
        if part in ("", ".", "..") or not part.isprintable() or _FOLDER_FORBIDDEN.search(part):
            raise ValueError(accepted)
        if part != part.strip() or part.endswith("."):
            raise ValueError("a path whose parts neither end in a dot nor begin or end in a space")
        if len(part.encode()) > _NAME_BYTES:
            raise ValueError(f"a path whose parts have at most {_NAME_BYTES} bytes each")
    if len(text.encode()) > _FOLDER_BYTES:
        raise ValueError(f"a path of at most {_FOLDER_BYTES} bytes")
    if parts[0].lower() == RESERVED_FOLDER:
        raise ValueError(f"another path: {RESERVED_FOLDER} is where the fence keeps its records")
    return text


def _remotepath(text: str) -> str:
    # 0.5.1 joined it to the share's address, so a leading slash did no harm there.
    return _folder(text.strip("/"))


@dataclass(frozen=True)
class _Option:
    parse: Callable[[str], Any]
    protocols: tuple[str, ...] = (SMB, NFS, LOCAL)
    field: str = ""


# Options of azurefile 0.5.1 are accepted under every protocol, so that its volumes move unchanged.
_OPTIONS: dict[str, _Option] = {
    "share": _Option(_share),
    "filemode": _Option(_mode),
    "dirmode": _Option(_mode),
    "uid": _Option(_number(0, 2**32 - 2)),
    "gid": _Option(_number(0, 2**32 - 2)),
    "nolock": _Option(_boolean),
    "remotepath": _Option(_remotepath, field="folder"),
    "protocol": _Option(_choice(SMB, NFS, LOCAL)),
    "server": _Option(_matching(_SERVER, _SERVER_LENGTH, "a host name or an IP address"), (SMB, NFS)),
    "port": _Option(_number(1, 65535), (SMB, NFS)),
    "account": _Option(
        _matching(_ACCOUNT, 24, "a storage account: 3 to 24 lowercase letters and digits"),
        (SMB, NFS),
    ),
    "folder": _Option(_folder),
    "mfsymlinks": _Option(_boolean, (SMB,)),
    "nosharesock": _Option(_boolean, (SMB,)),
    "nobrl": _Option(_boolean, (SMB,)),
    "actimeo": _Option(_number(0, 86400), (SMB, NFS)),
    "cache": _Option(_choice("none", "strict", "loose"), (SMB,)),
    "seal": _Option(_boolean, (SMB,)),
    "vers": _Option(_choice("2.1", "3.0", "3.02", "3.1.1", "4.1"), (SMB, NFS)),
    "nconnect": _Option(_number(1, 16), (NFS,)),
    "exclusive": _Option(_boolean),
    "create": _Option(_boolean),
    "quota": _Option(_number(1, 262144), (SMB,)),
    "for": _Option(_choice("files", "database"), field="purpose"),
}
_FIELD_OPTION = {"purpose": "for"}


def check_volume_name(name: str) -> None:
    """Refuse a name that Docker would refuse, before it becomes a path."""
    if len(name) > _VOLUME_NAME_LENGTH or not _VOLUME_NAME.fullmatch(name):
        raise OptionError(
            f"volume {_show(name)}: a name is a letter or digit and then letters, digits, "
            f'"_", "." or "-", at most {_VOLUME_NAME_LENGTH} in all'
        )


def check_share_name(share: str) -> None:
    """Refuse what Azure would refuse as the name of a share."""
    try:
        _share(share)
    except ValueError as error:
        raise OptionError(f"share {_show(share)}: it must be {error}") from error


def parse_defaults(text: str) -> dict[str, str]:
    """Read the plugin's DEFAULTS, `name=value` pairs separated by commas, and check them."""
    pairs = [part.strip() for part in text.split(",") if part.strip()]
    defaults = {name.strip(): value.strip() for name, _, value in (p.partition("=") for p in pairs)}
    # What only a volume can say is filled in.
    example = {"share": "defaults"} | ({"server": "defaults"} if defaults.get("protocol") == NFS else {})
    parse("defaults", {**example, **defaults}, {})
    return defaults


def parse(volume: str, given: Mapping[str, str], defaults: Mapping[str, str]) -> Options:
    """Check every option of a new volume and resolve presets.

    `defaults` belong to one protocol, so they count only for a volume that names none.
    """
    check_volume_name(volume)
    texts = _by_lower_name(volume, given)
    if "protocol" not in texts:
        merged = _by_lower_name(volume, defaults)
        if "folder" in texts or "remotepath" in texts:
            merged = {k: v for k, v in merged.items() if k not in ("folder", "remotepath")}
        texts = {**merged, **texts}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        option = _OPTIONS[name]
        try:
            value = option.parse(text)
        except ValueError as error:
            raise OptionError(f'volume "{volume}": option "{name}" is {_show(text)}; it must be {error}') from error
        field = option.field or name
        if values.setdefault(field, value) != value:
            raise OptionError(
                f'volume "{volume}": options "folder" and "remotepath" are two names of one '
                "setting and differ; give one of them"
            )
    protocol = values.setdefault("protocol", SMB)
    _check_protocol(volume, protocol, texts)
    problem = presets.contradiction(values)
    if problem:
        raise OptionError(f'volume "{volume}": {problem}')
    if "share" not in values:
        try:
            values["share"] = _share(volume)
        except ValueError as error:
            raise OptionError(
                f'volume "{volume}": option "share" is missing, and the volume\'s own name can\'t '
                f"be a share: that must be {error}"
            ) from error
    return Options(**presets.complete(values))


def _by_lower_name(volume: str, given: Mapping[str, str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    protocol = next((v.lower() for k, v in given.items() if k.lower() == "protocol"), "")
    for spelled, text in given.items():
        name = spelled.lower()
        if name in _SECRETS:
            remedy = "put the account's key into the credentials file on the host"
            if protocol in (NFS, LOCAL):
                remedy = f"protocol {protocol} needs none: leave it out"
            raise OptionError(
                f'volume "{volume}": option "{name}" is a secret, which docker inspect would show '
                "to everybody; " + remedy
            )
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name[:64], _OPTIONS, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"? ' if near else ""
            raise OptionError(
                f'volume "{volume}": option {_show(spelled)} is not recognised; '
                f"{hint}The options are {', '.join(sorted(_OPTIONS))}"
            )
        if name in texts:
            raise OptionError(f'volume "{volume}": option "{name}" is given twice, in different spelling')
        texts[name] = text
    return texts


def _check_protocol(volume: str, protocol: str, texts: Mapping[str, str]) -> None:
    for name in texts:
        allowed = _OPTIONS[name].protocols
        if protocol not in allowed:
            raise OptionError(
                f'volume "{volume}": option "{name}" belongs to protocol {" or ".join(allowed)}, '
                f"but the volume's protocol is {protocol}; leave one of the two out"
            )
    vers = texts.get("vers")
    if vers is not None and (vers == "4.1") != (protocol == NFS):
        accepted = "4.1" if protocol == NFS else "2.1, 3.0, 3.02 or 3.1.1"
        raise OptionError(
            f'volume "{volume}": option "vers" is {_show(vers)}; for protocol {protocol} it must be {accepted}'
        )
    if {"nolock", "nobrl"} <= texts.keys() and _boolean(texts["nolock"]) != _boolean(texts["nobrl"]):
        raise OptionError(
            f'volume "{volume}": options "nolock" and "nobrl" are two names of one setting and differ; give one of them'
        )


def _show(text: str) -> str:
    """A user's text, quoted, bounded and printable."""
    short = text if len(text) <= 64 else text[:61] + "..."
    return '"' + "".join(c if c.isprintable() else "?" for c in short) + '"'
