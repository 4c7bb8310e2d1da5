"""The whole vocabulary of a volume's options. Nothing here touches a disk or a network."""

import dataclasses
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from azurefile import optionvalues, presets
from azurefile.errors import OptionError

SMB, NFS, LOCAL = "smb", "nfs", "local"

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
# With the names of host and plugin it is one of a file (NAME_MAX).
_VOLUME_NAME_LENGTH = 128
# No dot: abc.bak and abc.old are no accounts.
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_AZURE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")

# Of those of azurefile 0.5.1, what was given without a value counted as not given.
_MAY_BE_EMPTY = {"share", "filemode", "dirmode", "uid", "gid", "remotepath"}

# People try such names first. They get an answer, and the value is not repeated anywhere.
_SECRET = re.compile(r"key|pass|secret|sas|token|cred|^pwd?$")
# What a storage account's key has, as base64, or a password beside a user's name (user%password, user:password@server),
# and no account, nor an option's name.
_KEY = re.compile(r"[+/=%@]|.{65}", re.DOTALL)
# The same of a text that people write with slashes.
_KEY_BESIDE_SLASHES = re.compile(r"[+=%@]|.{65}", re.DOTALL)
_WITH_SLASHES = {"folder", "remotepath", "server", "share"}
# What mount.cifs and others call them.
_MEANT = {"user": "account", "username": "account"}
_VERSIONS = {SMB: ("2.1", "3.0", "3.02", "3.1.1"), NFS: ("4.1",)}


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


@dataclass(frozen=True)
class _Option:
    parse: Callable[[str], Any]
    protocols: tuple[str, ...] = (SMB, NFS, LOCAL)
    field: str = ""


# Options of azurefile 0.5.1 are accepted under every protocol, so that its volumes move unchanged.
_OPTIONS: dict[str, _Option] = {
    "share": _Option(optionvalues.share),
    "filemode": _Option(optionvalues.mode),
    "dirmode": _Option(optionvalues.mode),
    "uid": _Option(optionvalues.number(0, 2**32 - 2)),
    "gid": _Option(optionvalues.number(0, 2**32 - 2)),
    "nolock": _Option(optionvalues.boolean),
    "remotepath": _Option(optionvalues.remotepath, field="folder"),
    "protocol": _Option(optionvalues.choice(SMB, NFS, LOCAL)),
    "server": _Option(optionvalues.server, (SMB, NFS)),
    "port": _Option(optionvalues.number(1, 65535), (SMB, NFS)),
    "account": _Option(
        optionvalues.matching(
            ACCOUNT, 64, "an account of at most 64 characters: a letter or digit and then letters, digits, _ or -"
        ),
        (SMB, NFS),
    ),
    "folder": _Option(optionvalues.folder),
    "mfsymlinks": _Option(optionvalues.boolean, (SMB,)),
    "nosharesock": _Option(optionvalues.boolean, (SMB,)),
    "nobrl": _Option(optionvalues.boolean, (SMB,)),
    "actimeo": _Option(optionvalues.number(0, 86400, "seconds"), (SMB, NFS)),
    "cache": _Option(optionvalues.choice("none", "strict", "loose"), (SMB,)),
    "seal": _Option(optionvalues.boolean, (SMB,)),
    "vers": _Option(optionvalues.choice(*_VERSIONS[SMB], *_VERSIONS[NFS]), (SMB, NFS)),
    "nconnect": _Option(optionvalues.number(1, 16), (NFS,)),
    "exclusive": _Option(optionvalues.boolean),
    "create": _Option(optionvalues.boolean),
    "quota": _Option(optionvalues.number(1, 262144, "GiB"), (SMB,)),
    "for": _Option(optionvalues.choice("files", "database"), field="purpose"),
}
_FIELD_OPTION = {"purpose": "for"}
# Two names of one setting, each with a field: the older is accepted under every protocol.
_LOCKS = {"nolock", "nobrl"}


def check_volume_name(name: str) -> None:
    """Refuse a name that Docker would refuse, before it becomes a path."""
    if len(name) > _VOLUME_NAME_LENGTH or not _VOLUME_NAME.fullmatch(name):
        raise OptionError(
            f"volume {_show(name, _KEY_BESIDE_SLASHES)}: a name is a letter or digit and then letters, digits, "
            f'"_", "." or "-", at most {_VOLUME_NAME_LENGTH} in all'
        )


def check_share_name(share: str) -> None:
    """Refuse what Azure would refuse as the name of a share."""
    try:
        optionvalues.share(share)
    except ValueError as error:
        raise OptionError(f"share {_show(share, _KEY_BESIDE_SLASHES)}: it must be {error}") from error


def parse_defaults(text: str) -> dict[str, str]:
    """Read the plugin's DEFAULTS, `name=value` pairs separated by commas, and check them."""
    try:
        return _parse_defaults(text)
    except OptionError as error:
        raise OptionError(
            f"the plugin's setting DEFAULTS is not usable: {error}; set it right: docker plugin disable -f PLUGIN, "
            "docker plugin set PLUGIN DEFAULTS=…, and docker plugin enable --timeout 120 PLUGIN"
        ) from error


def _parse_defaults(text: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        spelled, _, value = part.partition("=")
        name = spelled.strip().lower()
        if name in given:
            raise OptionError(f"option {_show(name)} is given twice")
        given[name] = value.strip()
    defaults = _by_lower_name(given)
    # What only a volume can say is filled in.
    example = {"share": "defaults"} | ({"server": "defaults"} if defaults.get("protocol", "").lower() == NFS else {})
    _parse("defaults", {**example, **defaults}, {})
    return defaults


def parse(volume: str, given: Mapping[str, str], defaults: Mapping[str, str]) -> Options:
    """Check every option of a new volume and resolve presets.

    `defaults` belong to one protocol, so they count only for a volume that names none.
    """
    check_volume_name(volume)
    try:
        return _parse(volume, given, defaults)
    except OptionError as error:
        raise OptionError(f'volume "{volume}": {error}') from error


def _parse(volume: str, given: Mapping[str, str], defaults: Mapping[str, str]) -> Options:
    lent = _by_lower_name(defaults)
    own = values = _values(given, lent.get("protocol", SMB))
    if "protocol" not in own:
        values = _above(own, {"protocol": SMB} | _values(defaults, SMB))
    sources = _Sources(values, own, "protocol" in lent)
    _check_protocol(values, sources)
    if values["protocol"] == SMB and "folder" in values:
        try:
            optionvalues.smb_folder(values["folder"])
        except ValueError as error:
            shown = _show(values["folder"], _KEY_BESIDE_SLASHES)
            raise OptionError(f'option "folder" is {shown}; it must be {error}') from error
    wrong = presets.contradiction(values)
    if wrong is not None:
        raise OptionError(f"{wrong.problem}; {sources.remedy(wrong.remedy, wrong.instead)}")
    if "share" not in values:
        try:
            values["share"] = optionvalues.share(volume)
        except ValueError as error:
            raise OptionError(
                f"option \"share\" is missing, and the volume's own name can't be a share: that must be {error}"
            ) from error
    return Options(**presets.complete(values))


@dataclass(frozen=True)
class _Sources:
    """Who says the fields of a volume: its own options, or the plugin's DEFAULTS."""

    values: Mapping[str, Any]
    own: Mapping[str, Any]
    # Whether the protocol is the DEFAULTS', where it is not the volume's own.
    protocol_set: bool

    def remedy(self, remedy: str, instead: Mapping[str, str]) -> str:
        """What to do about fields that the volume says itself; of one that it does not, what it adds `instead`."""
        for field, added in instead.items():
            if field in self.own or field not in self.values:
                continue
            origin = "comes from the plugin's DEFAULTS"
            if field == "protocol" and not self.protocol_set:
                origin = "is meant where neither the volume nor the plugin's DEFAULTS names one"
            return f"{field} {str(self.values[field]).lower()} {origin}: add {added}"
        return remedy


def _values(given: Mapping[str, str], protocol: str) -> dict[str, Any]:
    """The fields that options say; two names of one setting must agree. `protocol`: where they name none."""
    values: dict[str, Any] = {}
    texts = _by_lower_name(given)
    protocol = texts.get("protocol", protocol).lower()
    for name, text in texts.items():
        option = _OPTIONS[name]
        try:
            value = option.parse(text)
        except ValueError as error:
            if name == "vers" and protocol in _VERSIONS:
                raise OptionError(_wrong_version(protocol, text)) from error
            shown = _show(text, _KEY_BESIDE_SLASHES if name in _WITH_SLASHES else _KEY)
            raise OptionError(f'option "{name}" is {shown}; it must be {error}') from error
        if values.setdefault(option.field or name, value) != value:
            raise _differ("folder", "remotepath")
    if values.keys() >= _LOCKS and values["nolock"] != values["nobrl"]:
        raise _differ("nolock", "nobrl")
    return values


def _above(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A volume's own fields, and of the defaults those that neither they nor the preset that it names decide."""
    decided = set(own)
    if "purpose" in own:
        decided |= presets.preset({**defaults, **own}).keys()
    if decided & _LOCKS:
        decided |= _LOCKS
    if own.get("create") is False:
        decided.add("quota")
    return {name: value for name, value in defaults.items() if name not in decided} | dict(own)


def _differ(one: str, other: str) -> OptionError:
    return OptionError(f'options "{one}" and "{other}" are two names of one setting and differ; give one of them')


def _by_lower_name(given: Mapping[str, str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    protocol = next((v.lower() for k, v in given.items() if k.lower() == "protocol"), "")
    for spelled, text in given.items():
        name = spelled.lower()
        if name not in _OPTIONS:
            raise _unknown(spelled, protocol)
        if name in texts:
            raise OptionError(f'option "{name}" is given twice, in different spelling')
        if text or name not in _MAY_BE_EMPTY:
            texts[name] = text
    return texts


def _unknown(spelled: str, protocol: str) -> OptionError:
    name = spelled.lower()
    remedy = "put the account's key into the credentials file on the host"
    if protocol in (NFS, LOCAL):
        remedy = f"protocol {protocol} needs none: leave it out"
    # A key may have the letters of a secret's name in it.
    may_be_key = _KEY.search(spelled)
    if _SECRET.search(name) and not may_be_key:
        # What follows may be the key, as in key:…
        plain = re.split(r"[^\w.-]", spelled[:32])[0]
        return OptionError(f'option "{plain}" is a secret, which docker inspect would show to everybody; {remedy}')
    if may_be_key:
        hint = f"{remedy}. "
    else:
        near = [_MEANT[name]] if name in _MEANT else difflib.get_close_matches(name, _OPTIONS, 1, 0.5)
        hint = f'did you mean "{near[0]}"? ' if near else ""
    return OptionError(
        f"option {_show(spelled)} is not recognised; {hint}The options are {', '.join(sorted(_OPTIONS))}"
    )


def _check_protocol(values: Mapping[str, Any], sources: _Sources) -> None:
    protocol = values["protocol"]
    for field in values:
        name = _FIELD_OPTION.get(field, field)
        allowed = _OPTIONS[name].protocols
        if protocol not in allowed:
            others = " or ".join(f"protocol={other}" for other in allowed)
            remedy = sources.remedy("leave one of the two out", {"protocol": others})
            raise OptionError(
                f'option "{name}" belongs to protocol {" or ".join(allowed)}, '
                f"but the volume's protocol is {protocol}; {remedy}"
            )
    if protocol == NFS and not _AZURE_ACCOUNT.fullmatch(values.get("account", "nfs")):
        raise OptionError(
            f'option "account" is {_show(values["account"])}; for protocol nfs it must be a storage '
            "account: 3 to 24 lowercase letters and digits"
        )
    vers = values.get("vers")
    if vers is not None and vers not in _VERSIONS[protocol]:
        remedy = sources.remedy("", {"protocol": f"protocol={SMB if protocol == NFS else NFS}"})
        raise OptionError(_wrong_version(protocol, vers) + (f"; {remedy}" if remedy else ""))


def _wrong_version(protocol: str, text: str) -> str:
    *others, last = _VERSIONS[protocol]
    accepted = f"{', '.join(others)} or {last}" if others else last
    return f'option "vers" is {_show(text)}; for protocol {protocol} it must be {accepted}'


def _show(text: str, key: re.Pattern[str] = _KEY) -> str:
    """A user's text, quoted and printable, unless it may be a key."""
    if key.search(text):
        return '"…" (not repeated, since it may be a key)'
    return '"' + "".join(c if c.isprintable() else _escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
