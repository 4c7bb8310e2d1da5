"""What the CLI understands of a command line, as far as the wrapper has to know it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# the stack that is meant where none is named or selected
DEFAULT_STACK = "dev"
# short options without a value may stand before another one: -ys NAME
BARE = "-[defhijQruy]*"
YES = "(?:1|t|T|true|True|TRUE)"
# every option may be in the environment, too: PULUMI_OPTION_STACK, PULUMI_OPTION_TARGET_DEPENDENTS
OPTION = "PULUMI_OPTION_"
# what these do concerns no stack
STACKLESS = {"about", "api", "completion", "convert", "env", "gen-completion", "help", "insights", "install",
             "login", "logout", "new", "org", "package", "plugin", "policy", "project", "schema", "template",
             "version", "whoami", "view-trace"}  # fmt: skip
# these talk to the engine
OPERATIONS = {"destroy", "down", "dn", "preview", "pre", "refresh", "up", "update", "watch"}
# the rest, whose words may look like one of these
OTHERS = {"cancel", "config", "console", "deployment", "do", "import", "logs", "neo", "stack", "state"}
# names of what is done to stacks
NEW, REMOVE, LIST = {"create", "init", "new", "setup"}, {"delete", "remove", "rm"}, {"list", "ls"}
# whose value is the next word, of all commands and of those about stacks
VALUED = {"--color", "--copy-config-from", "--cwd", "-C", "--memprofilerate", "--otel-traces", "--profiling",
          "--secrets-provider", "--stack", "--teams", "--tracing", "--verbose", "-v"}  # fmt: skip


def understood(arguments: Sequence[str], env: Mapping[str, str]) -> list[str]:
    """The arguments with the options that are in the environment before them; what comes after `--` is no option."""
    given = [
        f"--{name.removeprefix(OPTION).lower().replace('_', '-')}={value}"
        for name, value in env.items()
        if name.startswith(OPTION)
    ]
    return [*given, *(arguments[: arguments.index("--")] if "--" in arguments else arguments)]


def command_of(arguments: Sequence[str]) -> str:
    """The command, if it is one of those above; an option's value may come first."""
    return next((a for a in _words(arguments) if a in STACKLESS | OPERATIONS | OTHERS), "")


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether the CLI only tells how it is used."""
    return "--help" in arguments or "-h" in arguments or not _words(arguments)


def value_of(arguments: Sequence[str], name: str, letter: str) -> str | None:
    """The value of an option, given by name or by letter; of several the last one's."""
    value = None
    for i, argument in enumerate(arguments):
        if re.fullmatch(f"--{name}|{BARE}{letter}", argument):
            value = next(iter(arguments[i + 1 :]), value)
        elif given := re.fullmatch(f"(?:--{name}=|{BARE}{letter}=?)(.+)", argument):
            value = given[1]
    return value


def named_stack(arguments: Sequence[str]) -> str | None:
    """The stack that a command names, by an option or by a word of its own."""
    about, name = about_stack(arguments)
    if command_of(arguments) == "cancel":
        about, name = "select", next(iter(_words(arguments)[1:]), "")
    return value_of(arguments, "stack", "s") or (name or None if about in NEW | REMOVE | {"select"} else None)


def bare_name(stack: str) -> str:
    """A stack's own name, without those of its organisation and project."""
    return stack.rsplit("/", 1)[-1]


def about_stack(arguments: Sequence[str]) -> tuple[str, str]:
    """What is done by `stack`, and the first word after it; nothing where there is none."""
    words = _words(arguments)
    about, name, *_ = [*words[1:], "", ""] if words[:1] == ["stack"] else ["", ""]
    return about, name


def _words(arguments: Sequence[str]) -> list[str]:
    """The arguments that are neither options nor their values."""
    before = ["", *arguments]
    return [
        a for b, a in zip(before, arguments, strict=False)
        if not a.startswith("-") and b not in VALUED and not re.fullmatch(f"{BARE}s", b)
    ]  # fmt: skip
