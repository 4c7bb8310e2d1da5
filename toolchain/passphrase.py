"""The passphrase by which a stack's secrets are kept: dev's is published, the others have the checkout's own."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from toolchain import cache
from toolchain.commandline import DEFAULT_STACK
from toolchain.progress import ToolchainError, say
from toolchain.stackfile import secrets_provider, text_of

# published on purpose: it belongs to the salt in Pulumi.dev.yaml and protects nothing
PUBLISHED = "datadocker"
# that salt
PUBLISHED_SALT = "v1:50MVJNuDr18=:v1:W2vu9MewHFPHbjuO:kPX3aY2Hjo8D0A0FDvwur1duYG6etg=="
BY_VALUE, BY_FILE = "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"


class Passphrases:
    """Those of the stacks that one backend keeps."""

    def __init__(self, checkout: Path, url: str, env: dict[str, str]) -> None:
        """`url`: the backend's. `env`: what the user set, and what the CLI is told by."""
        self._checkout = checkout
        self._url = url
        self._env = env
        self._own = checkout / ".state/passphrase"

    def choose(
        self, stack: str, *, leaves: bool = False, reads: bool = True, sealed: Callable[[], bool] = bool
    ) -> None:
        """Sets the passphrase of `stack`, unless the user did or its secrets are not kept by one.

        Args:
            stack: Its own name.
            leaves: Whether it gets another one, and may have the published one till then.
            reads: Whether its secrets are read or written.
            sealed: Whether there is a state of it that a passphrase keeps.

        Raises:
            ToolchainError: if the user set the published one, or none, for a stack that it is not for, or the
                checkout's own is lost.
        """
        if not self._env.get(BY_FILE, "-"):
            # to the CLI it is not set
            del self._env[BY_FILE]
        in_files, by_service = (self._url.startswith(scheme) for scheme in ("file://", "http"))
        worthless = stack != DEFAULT_STACK and self._keeps(stack, or_else=not by_service) and self._worthless()
        if worthless and not leaves:
            raise ToolchainError(
                f"{worthless}, and would encrypt nothing of stack {stack}: unset it{self._way_out(stack)}"
            )
        if BY_VALUE in self._env or BY_FILE in self._env:
            return
        if stack == DEFAULT_STACK:
            if self._keeps(stack, or_else=in_files):
                self._env[BY_VALUE] = PUBLISHED
        elif in_files:
            # what is made beside a stack that opens by another would have to make way for that
            if not self._own.exists() and sealed():
                if not reads:
                    return
                raise ToolchainError(
                    f"stack {stack} is encrypted by a passphrase, and {self._own} is not there: put back the copy of "
                    f"it that is kept with the state, or name the file of another by {BY_FILE}"
                )
            self._ensure_own()
            self._env[BY_FILE] = str(self._own)

    def check(self, stack: str) -> None:
        """Checks that the passphrase is right for `stack`, as far as that is known here.

        Raises:
            ToolchainError: if it is another one than dev's, and the salt is dev's, as in a copy of its file.
        """
        given = BY_VALUE in self._env or BY_FILE in self._env
        if given and self._salt(stack) == PUBLISHED_SALT and not self._published():
            raise ToolchainError(self.incorrect(stack))

    def incorrect(self, stack: str) -> str:
        """What the user has to do about the passphrase of `stack`, which the CLI calls incorrect."""
        # the CLI's own order
        variable = BY_FILE if BY_FILE in self._env and BY_VALUE not in self._env else BY_VALUE
        if stack == DEFAULT_STACK:
            # published: whatever else is set can't be meant
            return f"{variable} is not the passphrase of dev, which README.md gives: unset it"
        if self._salt(stack) == PUBLISHED_SALT:
            return (
                f"the encryptionsalt in Pulumi.{stack}.yaml is dev's, whose passphrase is published: delete that line "
                "and what is encrypted (secure: …) in the file"
            )
        other = f"the encryptionsalt in Pulumi.{stack}.yaml belongs to another passphrase"
        if self._env.get(variable) != str(self._own):
            return f"{other} than {variable} gives: unset it, or set it to the right one"
        return (
            f"{other}: copy .state/passphrase of the checkout that it is from to another file and name that by "
            f"{BY_FILE}, or delete that line and what is encrypted (secure: …) in the file"
        )

    def tell_of_salt(self, stack: str) -> None:
        """Says what became of a tracked file: the CLI writes the passphrase's salt into it when it makes `stack`."""
        if str(self._own) == self._env.get(BY_FILE):
            say(
                f"Pulumi.{stack}.yaml has the salt of this checkout's own passphrase now: leave that line out of "
                "commits, or share passphrase and state first (docs/azure.md, Teams)"
            )

    def _published(self) -> str:
        """The variable by which the user set the published passphrase, or nothing."""
        if self._env.get(BY_VALUE) == PUBLISHED:
            return BY_VALUE
        return BY_FILE if self._in_file() == PUBLISHED else ""

    def _worthless(self) -> str:
        """Why what the user set protects nothing, or nothing."""
        if published := self._published():
            return f"{published} is the passphrase that this project publishes for dev"
        # the CLI's own order
        if BY_VALUE in self._env:
            return "" if self._env[BY_VALUE] else f"{BY_VALUE} is empty"
        return f"{BY_FILE} names an empty file" if self._in_file() == "" else ""

    def _in_file(self) -> str | None:
        """What is in the file that the user set; None if there is none, or it can be read only once."""
        file = Path(self._env.get(BY_FILE, ""))
        try:
            return file.read_text().strip() if file.is_file() else None
        except (OSError, ValueError):
            return None

    def _way_out(self, stack: str) -> str:
        """What comes before that for a stack that opens by the published one, as one that has a salt may."""
        if not self._keeps(stack, or_else=False):
            return ""
        return (
            f"; if the stack was made with it, ./pulumiw stack change-secrets-provider passphrase --stack {stack} asks "
            "for another first, and that is to be set"
        )

    def _keeps(self, stack: str, *, or_else: bool) -> bool:
        """Whether a passphrase keeps the secrets of `stack`, by its file; `or_else` if that says nothing of it."""
        if secrets_provider(self._checkout, stack):
            return False
        return or_else or bool(self._salt(stack))

    def _salt(self, stack: str) -> str:
        """The salt of the passphrase in the file of `stack`, or nothing."""
        text = text_of(self._checkout / f"Pulumi.{stack}.yaml")
        found = re.search(r"^encryptionsalt:[ \t]*([^\s#]+)", text, re.MULTILINE)
        return found[1].strip("\"'") if found else ""

    def _ensure_own(self) -> None:
        if self._own.exists():
            if not self._own.stat().st_size:
                raise ToolchainError(
                    f"{self._own} is empty, and would encrypt nothing: put back the copy of it that is kept with the "
                    "state; if nothing was ever encrypted by it, remove it"
                )
            return
        # what is encrypted by it outlives a power cut, and so does it
        aside = cache.beside(self._own, secrets.token_urlsafe(32))
        with contextlib.suppress(FileExistsError):
            os.link(aside, self._own)
        aside.unlink()
        cache.sync(self._own)
        say(f"made a passphrase for stacks other than dev: {self._own} (keep it with the state)")
