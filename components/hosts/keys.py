"""SSH key pairs that are made once and kept in the state, encrypted; and the file that ssh reads one from."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypedDict

import pulumi

SETTING = "datadocker:host.identityFile"


class Pair(TypedDict):
    """A key pair in OpenSSH's own form."""

    private: str
    """Text of the private key's file."""
    public: str
    """`ssh-ed25519 AAAA…`, without a comment."""


class KeyPair(pulumi.ComponentResource):
    """An ed25519 key pair that stays the same until the stack is destroyed."""

    private: pulumi.Output[str]
    """Text of the private key's file, a secret."""
    public: pulumi.Output[str]
    """`ssh-ed25519 AAAA…`."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the pair.

        Raises:
            pulumi.RunError: if there is no ssh-keygen.
        """
        super().__init__("datadocker:index:KeyPair", name, {}, opts)
        if shutil.which("ssh-keygen") is None:
            raise pulumi.RunError("the host is reached by ssh, and there is no ssh-keygen here: install openssh-client")
        # while the program goes on
        made: Awaitable[Any] = asyncio.to_thread(make_pair)
        kept = pulumi.Stash(
            f"{name}-kept",
            input=pulumi.Output.secret(made),
            # every run makes another one; the first is the one that counts
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
        )
        self.private = pulumi.Output.secret(kept.output.apply(lambda pair: str(pair["private"])))
        self.public = pulumi.Output.unsecret(kept.output.apply(lambda pair: str(pair["public"])))
        self.register_outputs({})


def make_pair() -> Pair:
    """Makes an ed25519 pair with ssh-keygen."""
    with tempfile.TemporaryDirectory(prefix="datadocker-") as folder:
        file = Path(folder, "key")
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], check=True, stdin=subprocess.DEVNULL
        )
        public = " ".join(file.with_suffix(".pub").read_text().split()[:2])
        return Pair(private=file.read_text(), public=public)


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
    except OSError as error:
        raise _unreadable(error) from None
    if len(words) < 2 or not words[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise pulumi.RunError(f"{SETTING}: {private}.pub is no public key: ssh-keygen -y -f {private} makes it")
    return " ".join(words[:2])


def _public_half(private: Path) -> Path:
    return private.with_name(f"{private.name}.pub")


def _unreadable(error: OSError) -> pulumi.RunError:
    return pulumi.RunError(f"{SETTING}: {error.filename} can't be read: {error.strerror}")


def key_folder() -> tuple[Path, str]:
    """Returns where keys are kept for ssh, and how ssh itself is told: the state names no machine's folders.

    XDG_CACHE_HOME counts for nothing here: ssh ends where a variable that the state names is not set.
    """
    return Path.home() / ".cache/datadocker/ssh", "${HOME}/.cache/datadocker/ssh"


def write_key(name: str, private: str) -> str:
    """Writes a private key where only its user reads it, and returns the path for ssh's IdentityFile."""
    folder, told = key_folder()
    file = folder / f"{name}-{hashlib.sha256(private.encode()).hexdigest()[:12]}"
    if pulumi.runtime.is_dry_run():
        # a preview changes nothing, and of a new stack it shows a key that is never used
        return f"{told}/{file.name}"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (file.exists() and file.read_text() == private and stat.S_IMODE(file.stat().st_mode) == 0o600):
        # made aside: whoever reads meanwhile has the whole file or none
        descriptor, aside = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(private)
        Path(aside).rename(file)
    return f"{told}/{file.name}"
