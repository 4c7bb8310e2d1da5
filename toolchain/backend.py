"""Where stacks are kept, and which one is meant."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from toolchain import cache
from toolchain.cli import Cli
from toolchain.commandline import bare_name
from toolchain.passphrase import Passphrases
from toolchain.progress import ToolchainError, say
from toolchain.stackfile import secrets_provider, text_of
from toolchain.statefiles import PROJECT, StateFiles

CLOUD = "https://api.pulumi.com"
# what the CLI marks a file of credentials by that it has encrypted
SEALED = "$pulumiSecureStore"
# these make the CLI compress states in files
PACKED = ("PULUMI_DIY_BACKEND_GZIP", "PULUMI_DIY_BACKEND_ZSTD")


class Backend:
    """The backend that the user names or is logged in to, or else files in the checkout's `.state`."""

    def __init__(self, checkout: Path, cli: Cli) -> None:
        """Decides on the backend and completes the environment of `cli` for it."""
        self.checkout = checkout
        self.cli = cli
        self.state = checkout / ".state"
        self.env = env = cli.env
        # the home is the wrapper's own unless the user set one, and no login is looked for there
        places = ("PULUMI_CREDENTIALS_PATH", "PULUMI_HOME")
        self._credentials = Path(next((env[p] for p in places if env.get(p)), Path.home() / ".pulumi"))
        env["PULUMI_CREDENTIALS_PATH"] = str(self._credentials)
        self._sealed = False
        self.url = env.get("PULUMI_BACKEND_URL") or self._of_project() or self._login()
        self._named = bool(self.url)
        if not self._named and not self._sealed:
            self.url = env["PULUMI_BACKEND_URL"] = f"file://{_in_url(self.state)}"
            # what a killed run left is found in states that are not packed
            for packed in PACKED:
                env.pop(packed, None)
        self.states = StateFiles(self._folder() / ".pulumi" if self.url.startswith("file://") else None)
        self.passphrases = Passphrases(checkout, self.url, env)

    def check_original(self, stack: str) -> None:
        """Checks that the state of `stack` did not come with a copy of its checkout: both would have its containers.

        Raises:
            ToolchainError: if it did, and the checkout that made the stack still has it.
        """
        owner = self.states.owner(stack)
        host, _, folder = owner.rpartition("#")[0].partition(":")
        made_in = Path(folder, ".state")
        if self._named or not folder or host != socket.gethostname():
            return
        try:
            # it may be the same folder by another path
            copied = not made_in.samefile(self.state) and StateFiles(made_in / ".pulumi").owner(stack) == owner
        except (OSError, KeyError, ToolchainError):
            return
        if copied:
            raise ToolchainError(
                f"this is a copy of {folder}, and its stack {stack} is that one's: go on there, or remove .state here, "
                "for stacks of its own; if this is to take its place, remove .state there"
            )

    def _of_project(self) -> str:
        """The URL of the backend that Pulumi.yaml names, or nothing."""
        text = text_of(self.checkout / "Pulumi.yaml")
        section = re.search(r"^backend:(.*(?:\n(?:[ \t].*)?)*)", text, re.MULTILINE)
        url = r"(?:^[ \t]+|[{,][ \t]*)[\"']?url[\"']?:[ \t]*[\"']?([^\s\"',}]+)"
        found = section and re.search(url, section[1], re.MULTILINE)
        return found[1] if found else ""

    def _login(self) -> str:
        """The URL of the backend that the user is logged in to, or is going to be by a token; or nothing."""
        kept = _json(self._credentials / "credentials.json")
        if SEALED in kept:
            self._sealed = True
            return ""
        current = kept.get("current")
        token = self.env.get("PULUMI_ACCESS_TOKEN")
        return str(current or (token and (self.env.get("PULUMI_API") or CLOUD)) or "")

    def check_known(self) -> None:
        """Checks that it is known where stacks are kept, before one is looked for there.

        Raises:
            ToolchainError: if that is in a login that the CLI alone can decrypt.
        """
        if self._sealed:
            raise ToolchainError(
                f"{self._credentials / 'credentials.json'} is encrypted (PULUMI_CREDENTIAL_STORE), and does not tell "
                "which backend you are logged in to: name it by PULUMI_BACKEND_URL (./pulumiw whoami -v shows it), or "
                "log in by PULUMI_CREDENTIAL_STORE=plaintext ./pulumiw login URL"
            )

    def _folder(self) -> Path:
        """The folder that a URL of files means, as the CLI understands it."""
        path = unquote(self.url.removeprefix("file://").split("?")[0].split("#")[0])
        if path.startswith("~"):
            return Path.home() / path[2:]
        return self.cli.here / path

    def prepare(self, plugins: Path) -> None:
        """Makes the checkout's state folder, closed to others, and the CLI's home in it."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        if self.env.get("PULUMI_HOME"):
            self._add_plugins(Path(self.env["PULUMI_HOME"], "plugins"), plugins)
            return
        home = self.state / "home"
        home.mkdir(mode=0o700, exist_ok=True)
        self.env["PULUMI_HOME"] = str(home)
        theirs = home / "plugins"
        if theirs.is_dir() and not theirs.is_symlink():
            # the CLI's own downloads, of the official toolchain
            self._add_plugins(theirs, plugins)
        elif plugins.exists():
            cache.link(theirs, plugins)
        else:
            theirs.unlink(missing_ok=True)

    def _add_plugins(self, theirs: Path, plugins: Path) -> None:
        """Gives the user's own home the plugins that it lacks; what it has stays."""
        missing = [p for p in plugins.glob("resource-*") if _is_whole(p) and not (theirs / p.name).exists()]
        if not missing:
            return
        with cache.lock("plugins"):
            theirs.mkdir(parents=True, exist_ok=True)
            for plugin in missing:
                # the CLI takes none for a plugin whose name begins so
                aside = theirs / f".{plugin.name}.part"
                # what a killed run left
                shutil.rmtree(aside, ignore_errors=True)
                # another run may have made it meanwhile
                if not (theirs / plugin.name).exists():
                    shutil.copytree(plugin, aside)
                    cache.sync(aside)
                    aside.rename(theirs / plugin.name)

    def selected(self) -> str | None:
        """Returns the selected stack, as the CLI remembers it for this folder."""
        if stack := self.env.get("PULUMI_STACK"):
            return stack
        settings = _json(self._workspace())
        return (settings.get("stacks") or {}).get(self._remembered_url()) or settings.get("stack") or None

    def selected_before(self) -> str | None:
        """Returns the stack that was selected when the checkout had another path, if none ever was by this one.

        Raises:
            ToolchainError: if that was not one alone.
        """
        here = self._workspace()
        # a home of the user's own has what other checkouts selected
        if here.exists() or here.parent != self.state / "home/workspaces":
            return None
        found = {
            str(stack)
            for file in here.parent.glob(f"{PROJECT}-*-workspace.json")
            for url, stack in (_json(file).get("stacks") or {}).items()
            # its own states moved with it
            if url == self._remembered_url() or (not self._named and url.endswith("/.state"))
        }
        if self.states.folder is not None:
            found = {stack for stack in found if self.states.exists(bare_name(stack))}
        if len(found) > 1:
            names = " and ".join(sorted(map(bare_name, found)))
            raise ToolchainError(
                f"none is selected in {self.checkout}, and {names} were when this checkout had another path: say which "
                "is meant by --stack NAME, or by ./pulumiw stack select NAME"
            )
        return next(iter(found), None)

    def _workspace(self) -> Path:
        """Where the CLI remembers the stack that is selected in this folder."""
        digest = hashlib.sha1(str(self.checkout / "Pulumi.yaml").encode(), usedforsecurity=False)
        return Path(self.env["PULUMI_HOME"], "workspaces", f"{PROJECT}-{digest.hexdigest()}-workspace.json")

    def _remembered_url(self) -> str:
        # of Pulumi's service without a last slash
        return self.url.rstrip("/") if self.url.startswith("http") else self.url

    def ensure_stack(self, stack: str, *, select: bool) -> None:
        """Creates `stack` if it does not exist and Pulumi.<stack>.yaml does; selects it if asked to.

        Raises:
            ToolchainError: if the CLI can't, or the stack is one whose state is kept elsewhere.
        """
        name = bare_name(stack)
        if not self._exists(name):
            if not (self.checkout / f"Pulumi.{name}.yaml").exists():
                say(f"there is no stack {name}: write Pulumi.{name}.yaml, and it is created")
                return
            provider = secrets_provider(self.checkout, name)
            if provider and not self._named:
                # the state that belongs to that key is elsewhere
                raise ToolchainError(
                    f"Pulumi.{name}.yaml names a secretsprovider, and .state has no stack {name}: log in to the state "
                    "that the stack is kept in first (./pulumiw login URL; docs/azure.md, Teams); for a stack of this "
                    f"checkout alone: ./pulumiw stack init {name} --secrets-provider '{provider}'"
                )
            with cache.lock("stack"):
                # another run may have made it meanwhile
                if not self._exists(name):
                    say(f"creating stack {name}")
                    self._init(stack, name, provider)
                    if not provider:
                        self.passphrases.tell_of_salt(name)
        if select:
            self.cli.run("stack", "select", stack)

    def _init(self, stack: str, name: str, provider: str) -> None:
        # unless told again, the CLI takes the provider and its key out of the file
        told = ("--secrets-provider", provider) if provider else ()
        try:
            self.cli.run("stack", "init", stack, "--no-select", *told)
        except ToolchainError as error:
            if "incorrect passphrase" not in str(error):
                raise
            raise ToolchainError(self.passphrases.incorrect(name)) from None
        if self.states.folder is not None and self.states.folder.exists():
            # the CLI writes some of it this once, and does not wait for the disk
            cache.sync(self.states.folder)

    def _exists(self, name: str) -> bool:
        if self.states.folder is not None:
            return self.states.exists(name)
        stacks = json.loads(self.cli.output("stack", "ls", "--json"))
        return any(bare_name(s["name"]) == name for s in stacks)


def _is_whole(plugin: Path) -> bool:
    """Whether it is the folder of a plugin, and not one that the CLI unpacks, or was killed at that."""
    return plugin.is_dir() and not plugin.with_name(f"{plugin.name}.partial").exists()


def _json(file: Path) -> dict[str, Any]:
    """What is in a file of the CLI's; nothing if there is none, or it can't be read."""
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return {}


def _in_url(path: Path) -> str:
    # the CLI remembers selected stacks by the URL as it is written, so only what would be no path is written otherwise
    return str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
