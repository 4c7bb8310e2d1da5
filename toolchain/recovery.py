"""Puts right what a killed run left behind, so that the next one just works."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

from toolchain.backend import PROJECT, Backend, is_pulumi
from toolchain.progress import ToolchainError, say

CONTAINER = "docker:index/container:Container"
LABEL = "io.datadocker.stack"


def recover(backend: Backend, cli: Path, stack: str) -> None:
    """Ends what the killed run started, removes what it half made, and makes the state say what is there.

    Raises:
        ToolchainError: if the state can't be refreshed.
    """
    if backend.locked(stack):
        # another run is at it: the CLI says so itself
        return
    pending = backend.pending(stack)
    if not pending:
        return
    say(f"a run of stack {stack} was killed during {len(pending)} operations: putting the state right")
    _end_orphans(backend.checkout)
    begun = [p["resource"] for p in pending if p["type"] in ("creating", "deleting")]
    if names := {str(r["inputs"].get("name")) for r in begun if r["type"] == CONTAINER}:
        # one that was being made is not in the state, one that was being deleted may be stopped this moment
        _remove_half_done(backend, stack, names)
    command: list[str | Path] = [cli, "refresh", "--yes", "--skip-preview", "--non-interactive"]
    done = subprocess.run(
        [*command, "--clear-pending-creates", "--stack", stack],
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


def _end_orphans(checkout: Path) -> None:
    """Ends providers of the killed run: they have groups of their own, and may still be making things."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            ours = Path(os.readlink(process / "cwd")) == checkout and b"pulumi-resource-" in command
            if not ours or is_pulumi(_parent(process)):
                continue
            orphan = os.pidfd_open(int(process.name))
        except (OSError, ValueError):
            continue
        signal.pidfd_send_signal(orphan, signal.SIGKILL)
        select.select([orphan], [], [], 10)
        os.close(orphan)


def _parent(process: Path) -> int:
    # proc(5): the command's name in brackets may hold anything, the parent is the second field after it
    return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])


def _remove_half_done(backend: Backend, stack: str, names: set[str]) -> None:
    """Removes those containers of the stack, known by label and name, that the killed run was at."""
    for host in backend.docker_hosts(stack):
        env = {**os.environ, "DOCKER_HOST": host}
        labelled = ["--filter", f"label={LABEL}={PROJECT}/{stack}", "--format", "{{.Names}}"]
        listed = subprocess.run(["docker", "ps", "-a", *labelled], env=env, capture_output=True, text=True, check=False)
        for name in names & set(listed.stdout.split()):
            # stopped first: a server that just began to write need not recover
            for command in (["docker", "stop", name], ["docker", "rm", "-f", name]):
                subprocess.run(command, env=env, capture_output=True, check=False)
            say(f"removed container {name}, which that run was making or deleting")
