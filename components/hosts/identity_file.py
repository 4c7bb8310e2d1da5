"""A user's own SSH key: the private file, which ssh refuses where others may read it, and the public half beside it."""

from __future__ import annotations

import os
import stat
import subprocess
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
    """Returns the public key that belongs to a user's private key file, once it is sure that ssh can use that.

    Raises:
        pulumi.RunError: if one of the two is missing, others may read the private one, or it is locked.
    """
    private = private_key(identity_file)
    try:
        words = _public_half(private).read_text(errors="replace").split()
    except FileNotFoundError:
        words = []
    except OSError as error:
        raise _unreadable(error) from None
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise pulumi.RunError(
            f"{SETTING}: {private}.pub is missing or no public key: ssh-keygen -y -f {private} > {private}.pub makes it"
        )
    public = " ".join(words[:2])
    # ssh is told to ask nobody; what else it may mind in a key it says itself
    locked = "incorrect passphrase" in _said("ssh-keygen", "-y", "-P", "", "-f", private)
    if locked and public not in _said("ssh-add", "-L"):
        raise pulumi.RunError(
            f"{SETTING}: {private} has a passphrase, and no agent has the key: start one and ssh-add {private}, or "
            "name a key without a passphrase"
        )
    return public


def _said(*command: str | Path) -> str:
    """What one of OpenSSH's programs says; nothing if it is missing, which is found out where it is needed."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout + done.stderr


def _public_half(private: Path) -> Path:
    return private.with_name(f"{private.name}.pub")


def _unreadable(error: OSError) -> pulumi.RunError:
    return pulumi.RunError(
        f"{SETTING}: {error.filename} can't be read: {error.strerror}: put the key there, of one that an agent has its "
        ".pub alone, or name a file of yours; on Azure another one than a machine has, or none, makes it anew"
    )
