"""SSH key pairs that are made once and kept in the state, encrypted."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, TypedDict

import pulumi

from components.hosts.ssh_client import check_ssh
from components.state import STASH, recorded


class Pair(TypedDict):
    """A key pair in OpenSSH's own form."""

    private: str
    """Text of the private key's file."""
    public: str
    """`ssh-ed25519 AAAA…`, without a comment."""


class KeyPair(pulumi.ComponentResource):
    """An ed25519 key pair, for ssh, that stays the same until the stack is destroyed."""

    private: pulumi.Output[str]
    """Text of the private key's file, a secret."""
    public: pulumi.Output[str]
    """`ssh-ed25519 AAAA…`."""
    kept: bool
    """Whether the state has it already."""

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
        self.kept = (STASH, f"{name}-kept") in recorded()
        self.private = pulumi.Output.secret(kept.output.apply(lambda pair: str(pair["private"])))
        self.public = pulumi.Output.unsecret(kept.output.apply(lambda pair: str(pair["public"])))
        self.register_outputs({})


def make_pair() -> Pair:
    """Makes an ed25519 pair with ssh-keygen.

    Raises:
        pulumi.RunError: if the ssh that is to use it can't.
    """
    check_ssh()
    with tempfile.TemporaryDirectory(prefix="datadocker-") as folder:
        file = Path(folder, "key")
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file], check=True, stdin=subprocess.DEVNULL
        )
        public = " ".join(file.with_suffix(".pub").read_text().split()[:2])
        return Pair(private=file.read_text(), public=public)
