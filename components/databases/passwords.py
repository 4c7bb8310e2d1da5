"""Passwords that are made once and kept in the state, encrypted."""

from __future__ import annotations

import secrets
from typing import NotRequired, TypedDict

import pulumi

# one of each kind that validate_password asks for
KINDS = "-aA1"


class PasswordArgs(TypedDict):
    """Arguments of `Password`."""

    given: NotRequired[pulumi.Input[str] | None]
    """A password that the user set; one is made if there is none."""


class Password(pulumi.ComponentResource):
    """A password: the one given, else a random one that stays the same until the stack is destroyed."""

    value: pulumi.Output[str]
    """The password, a secret."""

    def __init__(self, name: str, args: PasswordArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the password."""
        super().__init__("datadocker:index:Password", name, {}, opts)
        given = args.get("given")
        if given is not None:
            self.value = pulumi.Output.secret(given)
        else:
            kept = pulumi.Stash(
                f"{name}-kept",
                # a plan would hold the update to one that its preview made, and show both where they differ
                input=pulumi.Output.secret(pulumi.UNKNOWN if pulumi.runtime.is_dry_run() else random_password()),
                # every run makes another one; the first is the one that counts
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["input"]),
            )
            self.value = pulumi.Output.secret(kept.output)
        self.register_outputs({})


def random_password() -> str:
    """Returns a password of 192 bits that validate_password takes by default, MEDIUM and STRONG alike."""
    return secrets.token_urlsafe(24) + KINDS
