"""The wrapper itself: makes ready what is missing, then gives way to the real CLI."""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from pathlib import Path

from toolchain import clis, commandline, engine, login, stackfile, targeted, vanished, virtualenv
from toolchain.backend import Backend
from toolchain.cli import Cli
from toolchain.commandline import DEFAULT_STACK, LIST, NEW, OPERATIONS, REMOVE, STACKLESS, bare_name
from toolchain.progress import ToolchainError, say
from toolchain.recovery import recover
from toolchain.statefiles import PROJECT

CHECKOUT = Path(__file__).resolve().parent.parent
# these may first put right what a killed run left; a preview changes nothing
CHANGES = OPERATIONS - {"preview", "pre"}
# these hold the stack's lock from beginning to end
WAITING = CHANGES - {"watch"}
# these run no program: that the engine is down is said here, instead of by every resource
PROGRAMLESS = {"destroy", "down", "dn", "refresh"}
# these lead Docker's provider and client to another engine than the stack's, or in another way
MISLEADING = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CA_MATERIAL", "DOCKER_CERT_MATERIAL",
              "DOCKER_KEY_MATERIAL", "DOCKER_SSH_OPTS")  # fmt: skip
# stands for a stack that has no name yet, and is not dev
NAMELESS = "that you name"


def main(arguments: list[str]) -> None:
    """Runs `pulumi` with `arguments`; does not return."""
    asked = commandline.understood(arguments, os.environ)
    try:
        _find_home()
        os.chdir(_folder(asked))
        cli, env = _ready(asked)
        os.execve(cli, [str(cli), *arguments], env)
    except ToolchainError as error:
        say(str(error))
        sys.exit(1)
    except PermissionError as error:
        # of a link the first is what it leads to
        name = str(error.filename2 or error.filename)
        said = f"no permission for {name}"
        if name.startswith(f"{CHECKOUT}/"):
            said += (
                ": another user (by sudo?) has used this checkout: go on as that user, or remove .venv and .toolchain "
                f"there and make the rest yours: sudo chown -R $USER {shlex.quote(str(CHECKOUT))}"
            )
        else:
            said += f": make it yours (sudo chown -R $USER {shlex.quote(name)}), or run this as its owner"
        say(said)
        sys.exit(1)
    except OSError as error:
        name = error.filename2 or error.filename or "a file"
        say(f"{name}: {error.strerror}: mend that, and run this again; it goes on from here")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        sys.exit(130)


def _find_home() -> None:
    """Sets the user's home where a unit of root's has none: by it ssh finds the state's keys, and Go its caches.

    Raises:
        ToolchainError: if nothing says where it is.
    """
    if not os.environ.get("HOME"):
        try:
            os.environ["HOME"] = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            said = f"user {os.getuid()} has no home on this machine: set HOME to a folder of its own"
            raise ToolchainError(said) from None


def _folder(arguments: list[str]) -> Path:
    """Where the CLI is to look for the project: here, or in the checkout if this is somewhere else.

    Raises:
        ToolchainError: if the user names another project's folder: its stacks would get what is this one's.
    """
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise ToolchainError("the folder that this is run in was deleted: cd to another one") from None
    named = commandline.value_of(arguments, "cwd", "C")
    command = commandline.command_of(arguments)
    if command in STACKLESS or Path(here, named or "").resolve().is_relative_to(CHECKOUT):
        return here
    if named:
        raise ToolchainError(f"{named} is not in {CHECKOUT}, whose stacks this is for: run pulumi itself there")
    if command:
        say(f"this is for the stacks of {CHECKOUT}: going there")
    return CHECKOUT


def _ready(arguments: list[str]) -> tuple[Path, dict[str, str]]:
    for variable in MISLEADING:
        # not for what the wrapper itself starts, either
        os.environ.pop(variable, None)
    command, named = commandline.command_of(arguments), commandline.named_stack(arguments)
    if command in OPERATIONS and not (CHECKOUT / ".toolchain").exists():
        _check_cold(named or os.environ.get("PULUMI_STACK"), arguments)
    venv = virtualenv.ensure(CHECKOUT)
    toolchain = clis.ensure(CHECKOUT, venv)
    env = environment(toolchain)
    program = toolchain / "bin/pulumi"
    # a backend's relative path is meant from where the CLI is, or is told to go
    cli = Cli(program, env, Path.cwd() / (commandline.value_of(arguments, "cwd", "C") or ""))
    backend = Backend(CHECKOUT, cli)
    backend.prepare(toolchain / "plugins")
    if command in ("login", "logout"):
        env.pop("PULUMI_BACKEND_URL", None)
        env.update({k: v for k, v in os.environ.items() if k == "PULUMI_BACKEND_URL"})
    if command in STACKLESS or commandline.asks_for_help(arguments):
        if command != "new":
            # the stack that this makes is another project's
            backend.passphrases.choose(DEFAULT_STACK)
        return program, env
    backend.check_known()
    selected = backend.selected()
    about, word = commandline.about_stack(arguments)
    # the CLI asks for a name itself, and may make a stack of it
    asks = about in NEW | {"select"} and not named
    before = None if named or selected or asks or about in LIST else backend.selected_before()
    stack = named or selected or before or DEFAULT_STACK
    name = bare_name(stack)
    if about == "rename":
        _check_rename(name, bare_name(word))
    opens = about not in NEW | REMOVE | LIST and not asks
    reads = command in OPERATIONS | {"config", "import"} or about in ("output", "change-secrets-provider")
    backend.passphrases.choose(
        NAMELESS if asks else name,
        leaves=about == "change-secrets-provider",
        reads=reads,
        # where the CLI asks for a name, `name` is another stack
        sealed=lambda: not asks and _is_sealed(backend, name),
    )
    if opens:
        backend.passphrases.check(name)
    if command in OPERATIONS and stackfile.runs_here(CHECKOUT, name):
        engine.ensure()
    if command in WAITING:
        backend.states.wait_for_turn(name)
    # what is read of them from here on is whole
    backend.states.mend(name)
    if command in PROGRAMLESS:
        engine.require(backend.states.engines(name))
    if command in CHANGES:
        backend.check_original(name)
        recover(backend, name)
    if opens:
        backend.ensure_stack(stack, select=not named and not selected)
    if about == "rename":
        _check_bare(cli, stack, bare_name(word))
    if targeted.is_part(command, arguments) and stackfile.shares_on_azure(CHECKOUT, name):
        targeted.check(cli, stack)
    if vanished.is_refresh(command, arguments) and not stackfile.runs_here(CHECKOUT, name):
        vanished.forget(cli, stack)
    backend.states.keep_locks()
    return program, env


def _is_sealed(backend: Backend, stack: str) -> bool:
    backend.states.mend(stack)
    return backend.states.by_passphrase(stack)


def _check_cold(named: str | None, arguments: list[str]) -> None:
    """Says what can be known before the minutes that building takes, of the stack that is `named`, or else of dev.

    Raises:
        ToolchainError: if the engine's socket is not for us, or nobody is logged in to Azure.
    """
    if not named and (os.environ.get("PULUMI_HOME") or any((CHECKOUT / ".state/home/workspaces").glob("*.json"))):
        # another one may be selected
        return
    stack = bare_name(named or DEFAULT_STACK)
    if stackfile.runs_here(CHECKOUT, stack):
        engine.check_permission()
    if stackfile.is_on_azure(CHECKOUT, stack) and not commandline.asks_for_help(arguments):
        login.check(CHECKOUT, stack, arguments)


def environment(toolchain: Path) -> dict[str, str]:
    """Returns the environment in which the CLI of `toolchain` finds all that belongs to it."""
    env = dict(os.environ)
    env["PATH"] = f"{toolchain.resolve() / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    # the CLI lives for a second: collecting its garbage less often is a twentieth of that
    env.setdefault("GOGC", "400")
    # resources are compared with their states beside each other; Pulumi's own way, not yet its default
    env.setdefault("PULUMI_PARALLEL_DIFF", "true")
    # Python's gRPC asks a proxy for the way to the CLI on this machine; it alone looks here, and here before no_proxy
    env["no_grpc_proxy"] = ",".join(filter(None, [env.get("no_grpc_proxy") or env.get("no_proxy"), "127.0.0.1"]))
    # the CLI remembers the selected stack by its folder's path, and by that of a symbolic link if the shell says so
    env.pop("PWD", None)
    # set on some machines, it makes each command compile the program anew
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    # else every command asks for the plugins of all SDKs that are installed, Azure's for dev: now who uses one does
    env.setdefault("PULUMI_OPTION_SKIP_PLUGIN_PRE_INSTALL", "true")
    return env


def _check_rename(stack: str, new: str) -> None:
    """Refuses what would leave a stack encrypted by the passphrase that is published for dev, or dev by another.

    Raises:
        ToolchainError: if either is dev.
    """
    if DEFAULT_STACK in (stack, new):
        raise ToolchainError(
            f"no stack is renamed from {DEFAULT_STACK} or to it: its passphrase is published, and is no other's; make "
            "another by ./pulumiw stack init NAME"
        )


def _check_bare(cli: Cli, stack: str, new: str) -> None:
    """Refuses another name for a stack that stands: its own containers would be somebody else's to it.

    Raises:
        ToolchainError: if what it has carries its name, and nothing the new one.
    """
    state = cli.export(stack)
    now, then = (f'"{PROJECT}/{name}"' in state for name in (bare_name(stack), new))
    if now and not then:
        raise ToolchainError(
            f"stack {stack} can't be renamed while it stands: labels, and names on Azure, are made of its name: "
            "destroy it first (what shares on Azure keep stays under that name)"
        )
