"""What the values of options may be. Each function returns the value, or raises ValueError with what is accepted."""

import ipaddress
import re
from collections.abc import Callable

_SHARE_NAME = re.compile(r"[a-z0-9](-?[a-z0-9])*")
# YAML makes 511 of 0777, and of every other mode whose owner may read and write a number that is none such.
_MODE = re.compile(r"0[0-7]{2,3}|[1-7]?[67][0-7]{2}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_FOLDER_BYTES = 1024
_NAME_BYTES = 255
# Azure refuses these in file names, so a folder that has one could never move to a real share.
_FOLDER_FORBIDDEN = re.compile(r'[\\:*?"<>|]')
# A Windows server gives each long name such a second one, and an older Samba one that ends in any digit or letter.
_SHORT_NAME = re.compile(r"~[0-9]|^.{6}~[0-9A-Za-z](\.|$)")
# By "Naming and referencing shares, directories, files, and metadata" of Azure Files: whole names, in any case.
_RESERVED_NAME = re.compile(r"(LPT|COM)[1-9]|PRN|AUX|NUL|CON|CLOCK\$", re.IGNORECASE)
_FOLDER_DEPTH = 250
# RFC 1123, section 2.1.
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_SERVER_LENGTH = 253
# A name that ends so is read as an address by some (inet_aton), and no top-level domain is one.
_NUMERIC = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
# What people write beside a server's name, and in which words it is refused.
_NOT_OF_SERVER = (
    (re.compile(r".*[/\\].*"), " without a scheme, a path or a share's name"),
    (re.compile(r".*:.*%.*", re.DOTALL), " that means the same on every host: without %eth0 and the like"),
    (re.compile(r"0\.0\.0\.0|::"), " of one server"),
    (re.compile(r"([^:]*|\[.*\]):[0-9]+"), " without a port, which is option port"),
    (re.compile(r"\[.*\]"), " without brackets"),
    (re.compile(r".*\."), " without a dot at its end"),
    (re.compile(r".*[^.]{64}.*"), ", with at most 63 characters between two dots"),
)
# Holds the fence where a share's own root is mounted.
RESERVED_FOLDER = ".azurefile"


def boolean(text: str) -> bool:
    """true, false, or nothing, which means true."""
    # `-o exclusive` without a value reaches the driver as an empty string.
    choices = {"": True, "true": True, "false": False}
    if text.lower() not in choices:
        raise ValueError("true or false")
    return choices[text.lower()]


def number(low: int, high: int, unit: str = "") -> Callable[[str], int]:
    """Whole numbers within bounds."""
    accepted = f"a whole number{f' of {unit}' if unit else ''} from {low} to {high}"

    def parse(text: str) -> int:
        if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
            raise ValueError(accepted)
        return int(text)

    return parse


def choice(*choices: str) -> Callable[[str], str]:
    """One of some words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(choices[0] if len(choices) == 1 else "one of " + ", ".join(choices))
        return text.lower()

    return parse


def matching(pattern: re.Pattern[str], length: int, accepted: str) -> Callable[[str], str]:
    """Texts of a pattern; `accepted` says in words of which."""

    def parse(text: str) -> str:
        if len(text) > length or not pattern.fullmatch(text):
            raise ValueError(accepted)
        return text

    return parse


def server(text: str) -> str:
    """A host name or an IP address."""
    accepted = "a host name or an IP address"
    if len(text) > _SERVER_LENGTH:
        raise ValueError(f"{accepted} of at most {_SERVER_LENGTH} characters")
    for pattern, without in _NOT_OF_SERVER:
        if pattern.fullmatch(text):
            raise ValueError(accepted + without)
    if not _is_address(text) and not _is_name(text):
        raise ValueError(accepted)
    return text


def _is_address(text: str) -> bool:
    try:
        # A zone, behind a percent sign, may be anything to the library.
        return "%" not in text and not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _is_name(text: str) -> bool:
    labels = text.split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMERIC.fullmatch(labels[-1])


def mode(text: str) -> int:
    """A file mode."""
    if not _MODE.fullmatch(text):
        raise ValueError(
            "an octal mode of three or four digits, with a leading 0 unless its owner may read and write; YAML makes "
            'another number of one without quotes: write it in quotes, as "0750"'
        )
    return int(text, 8)


def share(text: str) -> str:
    """A share's name, as Azure allows it."""
    if not 3 <= len(text) <= 63 or not _SHARE_NAME.fullmatch(text):
        raise ValueError(
            "3 to 63 lowercase letters, digits and single hyphens, beginning and ending with a letter or digit"
        )
    return text


def folder(text: str) -> str:
    """A folder below the share."""
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


def smb_folder(text: str) -> str:
    """A folder as Azure takes it, on a server that may know it by a second name."""
    parts = text.split("/")
    for part in parts:
        if _SHORT_NAME.search(part):
            raise ValueError('a path without "~1" and the like, which on SMB may be short for another folder\'s name')
        if _RESERVED_NAME.fullmatch(part):
            raise ValueError(f'a path without "{part}", which is a reserved name in Azure Files')
    if len(parts) > _FOLDER_DEPTH:
        raise ValueError(f"a path of at most {_FOLDER_DEPTH} parts")
    return text


def remotepath(text: str) -> str:
    """A folder as 0.5.1 wrote it; empty for the share's root."""
    # 0.5.1 joined it to the share's address, so a leading slash did no harm there.
    relative = text.strip("/")
    return folder(relative) if relative else ""
