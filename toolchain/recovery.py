"""Puts right what a killed run left behind, so that the next one just works."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from toolchain.backend import PROJECT, Backend
from toolchain.progress import ToolchainError, say

CONTAINER = "docker:index/container:Container"
LABEL = "io.datadocker.stack"


def recover(backend: Backend, cli: Path, stack: str) -> None:
    """Breaks dead locks, removes half-made containers, and makes the state say what is really there.

    Raises:
        ToolchainError: if the state can't be refreshed.
    """
    backend.break_dead_locks(stack)
    pending = backend.pending(stack)
    if not pending:
        return
    say(f"a run of stack {stack} was killed during {len(pending)} operations: putting the state right")
    if any(p["type"] == "creating" and p["resource"]["type"] == CONTAINER for p in pending):
        _remove_unknown_containers(backend, stack)
    command: list[str | Path] = [
        cli,
        "refresh",
        "--yes",
        "--skip-preview",
        "--non-interactive",
        "--clear-pending-creates",
    ]
    done = subprocess.run(
        [*command, "--stack", stack],
        env=backend.env,
        cwd=backend.checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n  ".join(done.stdout.strip().splitlines()[-12:])
        raise ToolchainError(f"refreshing stack {stack} failed:\n  {tail}")


def _remove_unknown_containers(backend: Backend, stack: str) -> None:
    """Removes containers with our stack's label that the state does not know."""
    if backend.files is None:
        return
    state = json.loads((backend.files / "stacks" / PROJECT / f"{stack}.json").read_text())
    resources = state["checkpoint"]["latest"].get("resources") or []
    known = {r.get("id") for r in resources if r["type"] == CONTAINER}
    urls = {
        r["inputs"]["host"]: r["inputs"].get("sshOpts")
        for r in resources
        if r["type"] == "pulumi:providers:docker" and r.get("inputs", {}).get("host")
    }
    for url in urls:
        env = {**os.environ, "DOCKER_HOST": url}
        filters = ["--no-trunc", "--filter", f"label={LABEL}={PROJECT}/{stack}"]
        listed = subprocess.run(["docker", "ps", "-aq", *filters], env=env, capture_output=True, text=True, check=False)
        for container in listed.stdout.split():
            if container not in known:
                # a server that is stopped in the middle recovers; one that is killed does too, only longer
                subprocess.run(["docker", "stop", container], env=env, capture_output=True, check=False)
                subprocess.run(["docker", "rm", "-f", container], env=env, capture_output=True, check=False)
                say(f"removed container {container[:12]}, which that run had half made")
