"""A stack one of whose runs was killed, as the files of its backend tell it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from toolchain.backend import Backend
from toolchain.cli import Cli
from toolchain.recovery import CONTAINER, IMAGE, IMPORTED, PLUGIN, recover

TAG = f"ddtest-recovery-{os.getpid()}-"
# the folder of a plugin
ROOT = f"/ddtest-{os.getpid()}"
LABELS = {"io.datadocker.stack": "datadocker/one", "io.datadocker.checkout": "here:/one#1"}


class Killed:
    """The files of a run of stack `one` that was killed, and a CLI that notes what it is called for."""

    def __init__(self, folder: Path) -> None:
        (folder / "checkout").mkdir()
        cli = folder / "pulumi"
        self.called = folder / "called"
        cli.write_text(f'#!/bin/sh\necho "$@" >> {self.called}\n')
        cli.chmod(0o755)
        env = {"PULUMI_CREDENTIALS_PATH": str(folder / "credentials")}
        self.backend = Backend(folder / "checkout", Cli(cli, env, folder / "checkout"))
        self.backend.prepare(folder / "plugins")
        assert self.backend.states.folder is not None
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        self.lock = self.backend.states.folder / "locks/organization/datadocker/one/lock.json"
        self.lock.parent.mkdir(parents=True)
        self.lock.write_text(json.dumps({"pid": int(gone.stdout), "hostname": socket.gethostname()}))
        self.state = self.backend.states.folder / "stacks/datadocker/one.json"
        self.state.parent.mkdir(parents=True)

    def during(self, operation: str, name: str, identity: str = "", kind: str = CONTAINER) -> None:
        """Lets the run have been killed during an operation on the resource of that name."""
        labels = [{"label": k, "value": v} for k, v in LABELS.items()]
        inputs: dict[str, Any] = {
            "name": name,
            "driver": name,
            "labels": labels,
            **({"root": ROOT} if kind == PLUGIN else {}),
        }
        if kind == IMAGE:
            inputs = {"name": name, "build": {"label": LABELS}}
        elif kind == IMPORTED:
            inputs = {"reference": name, "labels": LABELS, "content": TAG}
        pending: dict[str, Any] = {"type": kind, "inputs": inputs}
        provider = {"type": "pulumi:providers:docker", "inputs": {"host": "unix:///var/run/docker.sock"}}
        latest = {
            "resources": [provider],
            "pending_operations": [{"type": operation, "resource": pending | ({"id": identity} if identity else {})}],
        }
        self.state.write_text(json.dumps({"checkpoint": {"latest": latest}}))

    def on(self, host: str, ssh_options: str = "[]") -> None:
        """Has the stack stand on another engine than this machine's."""
        state = json.loads(self.state.read_text())
        state["checkpoint"]["latest"]["resources"][0]["inputs"] = {"host": host, "sshOpts": ssh_options}
        self.state.write_text(json.dumps(state))

    def recover(self) -> None:
        """As the wrapper does it."""
        self.backend.states.mend("one")
        recover(self.backend, "one")
