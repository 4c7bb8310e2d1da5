"""An OpenSSH public key, as a line of text."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

# bits, https://learn.microsoft.com/azure/virtual-machines/linux/mac-create-ssh-keys
SHORTEST_RSA = 2048
# bytes, RFC 8709
ED25519 = 32


def is_public_key(value: Any) -> bool:
    """Whether it is an OpenSSH public key of a type and a length that Azure takes, of one line."""
    found = re.fullmatch(r"(ssh-rsa|ssh-ed25519) ([A-Za-z0-9+/=]+)( .*)?\s*", str(value))
    if not found:
        return False
    try:
        kind, *parts = _fields(base64.b64decode(found[2], validate=True))
    except (binascii.Error, ValueError):
        return False
    if kind != found[1].encode():
        return False
    if kind == b"ssh-ed25519":
        return [len(part) for part in parts] == [ED25519]
    return len(parts) == 2 and int.from_bytes(parts[1], "big").bit_length() >= SHORTEST_RSA


def _fields(blob: bytes) -> list[bytes]:
    """Returns what stands in it, each after its length (RFC 4253).

    Raises:
        ValueError: if there is less than the lengths say, or nothing.
    """
    found: list[bytes] = []
    while blob or not found:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("the key is cut off")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return found
