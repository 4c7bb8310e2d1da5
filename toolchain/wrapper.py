"""The wrapper itself: makes ready what is missing, then gives way to the real CLI."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from toolchain import clis, engine, targeted, vanished, virtualenv
from toolchain.backend import DEFAULT_STACK, Backend, text_of
from toolchain.options import BARE
from toolchain.progress import ToolchainError, say
from toolchain.recovery import recover
from toolchain.sources import BuildError
from toolchain.statefiles import PROJECT

CHECKOUT = Path(__file__).resolve().parent.parent
# what these do concerns no stack
STACKLESS = {"about", "completion", "convert", "gen-completion", "help", "install", "login", "logout",
             "new", "org", "package", "plugin", "schema", "version", "whoami", "view-trace"}  # fmt: skip
# these talk to the engine
OPERATIONS = {"destroy", "down", "dn", "preview", "pre", "refresh", "up", "update", "watch"}
# these may first put right what a killed run left; a preview changes nothing
CHANGES = OPERATIONS - {"preview", "pre"}
# these run no program: that the engine is down is said here, instead of by every resource
PROGRAMLESS = {"destroy", "down", "dn", "refresh"}
# names of what is done to stacks
NEW, REMOVE, LIST = {"create", "init", "new", "setup"}, {"delete", "remove", "rm"}, {"list", "ls"}
# these lead Docker's provider and client to another engine than the stack's, or in another way
MISLEADING = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CA_MATERIAL", "DOCKER_CERT_MATERIAL",
              "DOCKER_KEY_MATERIAL", "DOCKER_SSH_OPTS")  # fmt: skip
# stands for a stack that has no name yet, and is not dev
NAMELESS = "that you name"
# whose value is the next word, of all commands and of those about stacks
VALUED = {"--color", "--copy-config-from", "--cwd", "-C", "--memprofilerate", "--otel-traces", "--profiling",
          "--secrets-provider", "--stack", "--teams", "--tracing", "--verbose", "-v"}  # fmt: skip
STACK_OPTION = re.compile(f"--stack|{BARE}s")
STACK_GIVEN = re.compile(f"(?:--stack=|{BARE}s=?)(.+)")


def main(arguments: list[str]) -> None:
    """Runs `pulumi` with `arguments`; does not return."""
    try:
        cli, env = _ready(arguments)
    except (ToolchainError, BuildError) as error:
        say(str(error))
        sys.exit(1)
    except PermissionError as error:
        said = f"no permission for {error.filename}"
        if str(error.filename).startswith(f"{CHECKOUT}/"):
            said += (
                ": another user (by sudo?) has used this checkout: go on as that user, or remove .venv and .toolchain "
                "here and make the rest yours: sudo chown -R $USER ."
            )
        else:
            said += f": make it yours (sudo chown -R $USER {error.filename}), or run this as its owner"
        say(said)
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        sys.exit(130)
    os.execve(cli, [str(cli), *arguments], env)


def _ready(arguments: list[str]) -> tuple[Path, dict[str, str]]:
    for variable in MISLEADING:
        # not for what the wrapper itself starts, either
        os.environ.pop(variable, None)
    # an option's value may come first: ./pulumiw --color never up
    command = next((a for a in arguments if a in STACKLESS | OPERATIONS | {"config", "stack"}), "")
    named = _named_stack(arguments)
    if command in OPERATIONS and not (CHECKOUT / ".toolchain").exists() and _runs_here(named or DEFAULT_STACK):
        # said before the minutes that building takes
        engine.check_permission()
    venv = virtualenv.ensure(CHECKOUT)
    toolchain = clis.ensure(CHECKOUT, venv)
    env = environment(toolchain)
    cli = toolchain / "bin/pulumi"
    backend = Backend(CHECKOUT, env)
    backend.prepare(toolchain / "plugins")
    if command in ("login", "logout"):
        env.pop("PULUMI_BACKEND_URL", None)
        env.update({k: v for k, v in os.environ.items() if k == "PULUMI_BACKEND_URL"})
    if command in STACKLESS or "--help" in arguments or "-h" in arguments:
        if command != "new":
            # the stack that this makes is another project's
            backend.choose_passphrase(DEFAULT_STACK)
        return cli, env
    selected = backend.selected()
    stack = named or selected or DEFAULT_STACK
    name = stack.rsplit("/", 1)[-1]
    about, word = _about_stack(arguments)
    if about == "rename":
        _check_rename(name, word.rsplit("/", 1)[-1])
    # the CLI asks for a name itself, and may make a stack of it
    asks = about in NEW | {"select"} and not named
    backend.choose_passphrase(NAMELESS if asks else name)
    if command in OPERATIONS and _runs_here(name):
        engine.ensure()
    if command in PROGRAMLESS:
        engine.require(backend.states.engines(name))
    if command in CHANGES:
        recover(backend, cli, name)
    else:
        backend.states.break_dead_locks(name)
        backend.states.mend_files(name)
    if about not in NEW | REMOVE | LIST and not asks:
        backend.ensure_stack(cli, stack, select=not named and not selected)
    if about == "rename":
        _check_bare(backend, cli, stack, word.rsplit("/", 1)[-1])
    if targeted.is_part(command, arguments) and _kind(_section(name, "shares")) == "azure":
        targeted.check(backend, cli, stack)
    if vanished.is_refresh(command, arguments) and not _runs_here(name):
        vanished.forget(backend, cli, stack)
    return cli, env


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
    if "source-" in toolchain.resolve().name:
        # where it can't be downloaded, a missing plugin is said at once instead of after several tries
        env.setdefault("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    return env


def _named_stack(arguments: list[str]) -> str | None:
    named = None
    for i, argument in enumerate(arguments):
        if STACK_OPTION.fullmatch(argument):
            named = next(iter(arguments[i + 1 :]), named)
        elif given := STACK_GIVEN.fullmatch(argument):
            named = given[1]
    about, name = _about_stack(arguments)
    return named or (name or None if about in NEW | REMOVE | {"select"} else None)


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


def _check_bare(backend: Backend, cli: Path, stack: str, new: str) -> None:
    """Refuses another name for a stack that stands: its own containers would be somebody else's to it.

    Raises:
        ToolchainError: if what it has carries its name, and nothing the new one.
    """
    state = backend.output(cli, "stack", "export", "--stack", stack)
    now, then = (f'"{PROJECT}/{name}"' in state for name in (stack.rsplit("/", 1)[-1], new))
    if now and not then:
        raise ToolchainError(
            f"stack {stack} can't be renamed while it stands: labels, and names on Azure, are made of its name: "
            "destroy it first (what shares on Azure keep stays under that name)"
        )


def _about_stack(arguments: list[str]) -> tuple[str, str]:
    """What is done by `stack`, and the first word after it; nothing where there is none."""
    words = _words(arguments)
    about, name, *_ = [*words[1:], "", ""] if words[:1] == ["stack"] else ["", ""]
    return about, name


def _words(arguments: list[str]) -> list[str]:
    """The arguments that are neither options nor their values."""
    before = ["", *arguments]
    return [
        a for b, a in zip(before, arguments, strict=False)
        if not a.startswith("-") and b not in VALUED and not STACK_OPTION.fullmatch(b)
    ]  # fmt: skip


def _runs_here(stack: str) -> bool:
    """Whether the stack's host is the engine that this machine has by default; in doubt it is."""
    host = _section(stack, "host")
    # a socket of its own is somebody's own engine
    return _kind(host) not in ("ssh", "azure") and not re.search(r"\bsocket[\"']?:\s*[\"']?/", host)


def _section(stack: str, setting: str) -> str:
    """What the stack's file has for a setting, as it is written there."""
    text = text_of(CHECKOUT / f"Pulumi.{stack}.yaml")
    key = rf"^([ \t]*)[\"']?datadocker:{setting}[\"']?:(.*(?:\n\1[ \t]+.*)*)"
    found = re.search(key, text, re.MULTILINE)
    return found[2] if found else ""


def _kind(section: str) -> str:
    found = re.search(r"\bkind[\"']?:\s*[\"']?(\w+)", section)
    return found[1] if found else ""
