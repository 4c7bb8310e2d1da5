"""What Azure takes as the public key of a machine's user."""

from __future__ import annotations

import base64
import re

import pulumi

from components.hosts.identity_file import SETTING, read_public

# learn.microsoft.com: create and use an SSH key pair for Linux VMs in Azure, "supported SSH key formats"
KINDS = ("ssh-ed25519", "ssh-rsa")
RSA_BITS = 2048
ED25519_BYTES = 32
# man ssh_config: quotes, blanks, TOKENS and ENVIRONMENT VARIABLES
TAKEN_APART = re.compile(r"""[\s"'\\%#=]|\$\{""")


def read_azure_public(identity_file: str) -> str:
    """Returns the public key that belongs to a user's private key file, if Azure takes it.

    Raises:
        pulumi.RunError: if it can't be read, or Azure would refuse it.
    """
    if odd := TAKEN_APART.search(identity_file):
        raise pulumi.RunError(
            f"{SETTING}: {identity_file!r} has {odd[0]!r} in it, at which ssh's configuration would take it apart: "
            "name the key by another path, such as that of a link to it"
        )
    public = read_public(identity_file)
    if fault := _fault(*public.split()):
        raise pulumi.RunError(
            f"{SETTING}: {identity_file}.pub {fault}: Azure takes ed25519, or RSA of {RSA_BITS} bits and more; make "
            "one with ssh-keygen -t ed25519, or leave identityFile out and the stack makes one"
        )
    return public


def _fault(kind: str, text: str) -> str:
    """What Azure would mind, or nothing."""
    if kind not in KINDS:
        return f"is of the kind {kind}"
    try:
        inner, *numbers = _fields(base64.b64decode(text, validate=True))
    except ValueError:
        return "is damaged"
    if inner.decode("latin-1") != kind:
        return f"says {kind} and is another kind of key"
    if kind == "ssh-rsa" and len(numbers) == 2:
        bits = int.from_bytes(numbers[1], "big").bit_length()
        return "" if bits >= RSA_BITS else f"is an RSA key of {bits} bits"
    if kind == "ssh-ed25519" and [len(n) for n in numbers] == [ED25519_BYTES]:
        return ""
    return "is damaged"


def _fields(blob: bytes) -> list[bytes]:
    """The parts of a public key: each has its length before it (RFC 4253, 6.6)."""
    fields = []
    while blob:
        end = 4 + int.from_bytes(blob[:4], "big")
        if len(blob) < end:
            raise ValueError("it ends too early")
        fields.append(blob[4:end])
        blob = blob[end:]
    return fields
