"""An OpenSSH public key, as a line of text."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any


def is_public_key(value: Any) -> bool:
    """Whether it is an OpenSSH public key of a type that Azure takes, of one line."""
    found = re.fullmatch(r"(ssh-rsa|ssh-ed25519) ([A-Za-z0-9+/=]+)( .*)?\s*", str(value))
    if not found:
        return False
    try:
        blob = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return False
    return blob[4 : 4 + len(found[1])] == found[1].encode()
