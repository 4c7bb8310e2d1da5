"""A user's own SSH key: the private file, which ssh refuses where others may read it, and the public half beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pulumi

SETTING = "datadocker:host.identityFile"


def private_key(identity_file: str) -> Path:
    """Returns where a user's private key file is, once it is sure that ssh takes it.

    The file, or the one beside it, may be the public half of a key that an agent has.

    Raises:
        pulumi.RunError: if it can't be read, or is the user's own and others may read it, which ssh refuses.
    """
    private = Path(identity_file).expanduser()
    try:
        with private.open("rb") as opened:
            status, public = os.fstat(opened.fileno()), opened.read(6).startswith((b"ssh-", b"ecdsa-"))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _public_half(private).exists():
            return private
        raise _unreadable(error) from None
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077 and status.st_uid == os.getuid() and not public:
        raise pulumi.RunError(
            f"{SETTING}: {private} has mode {mode:04o}, others could read the key, and ssh refuses it: "
            f"chmod 0600 {private}"
        )
    return private


def read_public(identity_file: str) -> str:
    """Returns the public key that belongs to a user's private key file.

    Raises:
        pulumi.RunError: if one of the two is missing, or others may read the private one.
    """
    private = private_key(identity_file)
    try:
        words = _public_half(private).read_text().split()
    except FileNotFoundError:
        words = []
    except OSError as error:
        raise _unreadable(error) from None
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise pulumi.RunError(
            f"{SETTING}: {private}.pub is missing or no public key: ssh-keygen -y -f {private} > {private}.pub makes it"
        )
    return " ".join(words[:2])


def _public_half(private: Path) -> Path:
    return private.with_name(f"{private.name}.pub")


def _unreadable(error: OSError) -> pulumi.RunError:
    return pulumi.RunError(
        f"{SETTING}: {error.filename} can't be read: {error.strerror}: put the key there, of one that an agent has its "
        ".pub alone, or name a file of yours; on Azure another one than a machine has, or none, makes it anew"
    )
