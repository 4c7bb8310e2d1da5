"""The options that a volume takes of its driver, the plugin azurefile: names and values, and in words why not."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

from stacks.complaints import nearest

# the plugin's own vocabulary; a test compares it with the plugin's
DRIVER_OPTIONS = (
    "account", "actimeo", "cache", "create", "dirmode", "exclusive", "filemode", "folder", "for", "gid", "mfsymlinks",
    "nconnect", "nobrl", "nolock", "nosharesock", "port", "protocol", "quota", "remotepath", "seal", "server", "share",
    "uid", "vers",
)  # fmt: skip

MODE = (
    r"0[0-7]{2,3}|[1-7]?[67][0-7]{2}",
    "an octal mode in quotes, such as '0750': YAML makes another number of one without",
)
SWITCH = (r"(?i:true|false)", "true or false")
# values as the plugin takes them; a test compares them with the plugin's
OPTION_FORMS = {
    **dict.fromkeys(("dirmode", "filemode"), MODE),
    **dict.fromkeys(("create", "mfsymlinks", "nobrl", "nolock", "nosharesock", "seal"), SWITCH),
    "account": ("[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a storage account's name, or its credentials file's"),
    "cache": ("(?i:none|strict|loose)", "none, strict or loose"),
    "for": ("(?i:files|database)", "files or database"),
    "protocol": ("(?i:smb|nfs|local)", "smb, nfs or local"),
    "vers": (r"2\.1|3\.0|3\.02|3\.1\.1|4\.1", "2.1, 3.0, 3.02, 3.1.1 or 4.1, in quotes"),
}
OPTION_BOUNDS = {
    "actimeo": (0, 86400),
    "gid": (0, 2**32 - 2),
    "nconnect": (1, 16),
    "port": (1, 65535),
    "quota": (1, 262144),
    "uid": (0, 2**32 - 2),
}
# RFC 1123, section 2.1
LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def option_value(name: str, text: str) -> None:
    """Checks that `text` is a value of the driver's option `name`.

    Raises:
        ValueError: with what is one.
    """
    if known := OPTION_FORMS.get(name):
        pattern, words = known
        if not re.fullmatch(pattern, text):
            raise ValueError(f"should be {words}")
    if bounds := OPTION_BOUNDS.get(name):
        low, high = bounds
        if not re.fullmatch("[0-9]{1,10}", text) or not low <= int(text) <= high:
            raise ValueError(f"should be a whole number from {low} to {high}")
    if name == "server" and not _is_server(text):
        raise ValueError("should be a host name or an IP address")


def _is_server(text: str) -> bool:
    try:
        return "%" not in text and not ip_address(text).is_unspecified
    except ValueError:
        # no top-level domain is a number, which inet_aton would take for an address
        labels = text.split(".")
        named = len(text) <= 253 and all(re.fullmatch(LABEL, label) for label in labels)
        return named and not re.fullmatch("[0-9]+|0[xX][0-9A-Fa-f]*", labels[-1])


def _option_of_driver(name: str) -> str:
    if name.lower() not in DRIVER_OPTIONS:
        raise ValueError(f"no option of azurefile; {nearest(name, DRIVER_OPTIONS) or ', '.join(DRIVER_OPTIONS)}")
    return name


DriverOption = Annotated[str, AfterValidator(_option_of_driver)]
