"""What the wrapper has to know of a stack before there is a Python that could read its file as YAML."""

from __future__ import annotations

import os
import re
from pathlib import Path

from toolchain.progress import ToolchainError

# where an engine has its socket by default
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")


def runs_here(checkout: Path, stack: str) -> bool:
    """Whether the stack's host is the engine that this machine has by default; in doubt it is."""
    host = _setting(checkout, stack, "host")
    named = re.search(r"\bsocket[\"']?:\s*[\"']?(/[^\s\"',}]*)", host)
    # an engine at another socket is its user's to start; so is the default one's, where DOCKER_HOST names another
    default = os.environ.get("DOCKER_HOST", "").removeprefix("unix://") in ("", *SOCKETS)
    return _kind(host) not in ("ssh", "azure") and (named is None or (default and named[1] in SOCKETS))


def is_on_azure(checkout: Path, stack: str) -> bool:
    """Whether the stack's host is Azure's, or its shares are."""
    return shares_on_azure(checkout, stack) or _kind(_setting(checkout, stack, "host")) == "azure"


def shares_on_azure(checkout: Path, stack: str) -> bool:
    """Whether the stack's shares are Azure's."""
    return _kind(_setting(checkout, stack, "shares")) == "azure"


def secrets_provider(checkout: Path, stack: str) -> str:
    """The key service that keeps the stack's secrets, or nothing."""
    text = text_of(checkout / f"Pulumi.{stack}.yaml")
    found = re.search(r"^secretsprovider:[ \t]*[\"']?([^\s\"']+://[^\s\"']+)", text, re.MULTILINE)
    return found[1] if found else ""


def text_of(file: Path) -> str:
    """Returns what is in a file of the user's, or nothing if there is none.

    Raises:
        ToolchainError: if it is no UTF-8.
    """
    try:
        # some editors begin a file with a mark, which YAML takes for nothing
        return file.read_text(encoding="utf-8-sig")
    except OSError:
        return ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ToolchainError(f"{file.name} is not UTF-8 in line {line}: save it as UTF-8") from None


def _setting(checkout: Path, stack: str, name: str) -> str:
    """What the stack's file has for a setting, as it is written there, without its comments."""
    text = re.sub(r"(^|[ \t])#.*", "", text_of(checkout / f"Pulumi.{stack}.yaml"), flags=re.MULTILINE)
    lines = "\n".join(line for line in text.splitlines() if line.strip())
    config = _below("", "config", lines)
    # the project's name before a key may be left out
    key = f"(?:datadocker:)?{name}"
    if config.lstrip().startswith("{"):
        found = re.search(rf"[{{,]\s*[\"']?{key}[\"']?:\s*({{[^}}]*}}|[^,}}]*)", config)
        return found[1] if found else ""
    indent = re.search(r"\n([ \t]+)", config)
    return _below(indent[1], key, config) if indent else ""


def _below(indent: str, key: str, text: str) -> str:
    found = re.search(rf"^{indent}[\"']?{key}[\"']?:(.*(?:\n{indent}[ \t]+.*)*)", text, re.MULTILINE)
    return found[1] if found else ""


def _kind(setting: str) -> str:
    found = re.search(r"\bkind[\"']?:\s*[\"']?(\w+)", setting)
    return found[1] if found else ""
