"""A small Pulumi program of a test's own, run by the real CLI against a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.azure.standin import StandIn

TOOLCHAIN = Path(__file__).resolve().parents[2] / ".toolchain" / "bin"
PRELUDE = "import pulumi\nfrom pulumi_azure_native import compute, network, resources, storage\n"
SECONDS = 120


class Project:
    """One stack with a backend, a home and a folder of its own."""

    def __init__(self, folder: Path, azure: StandIn) -> None:
        self.folder = folder
        self.azure = azure
        (folder / "backend").mkdir()
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": "standin", "runtime": runtime}))
        self.write("")
        self.pulumi("stack", "init", "test")

    def write(self, program: str) -> None:
        """Makes `program` the stack's program; it finds pulumi and the SDK's modules imported."""
        (self.folder / "__main__.py").write_text(PRELUDE + textwrap.dedent(program))

    def up(self, program: str | None = None, *more: str) -> str:
        """Runs `pulumi up` and returns what it printed."""
        if program is not None:
            self.write(program)
        return self.pulumi("up", "--yes", "--skip-preview", *more)

    def fails(self, program: str | None = None, command: str = "up", *more: str) -> str:
        """Runs a command that is to fail and returns what it printed."""
        if program is not None:
            self.write(program)
        options = ["--yes", "--skip-preview"] if command in ("up", "destroy", "refresh") else []
        done = self._run(command, *options, *more)
        assert done.returncode, done.stdout
        return done.stdout + done.stderr

    def pulumi(self, *arguments: str) -> str:
        done = self._run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return found

    def state(self) -> dict[str, dict[str, Any]]:
        """Returns the stack's resources by their name in the program."""
        entries = json.loads(self.pulumi("stack", "export"))["deployment"].get("resources", [])
        return {entry["urn"].rsplit("::", 1)[1]: entry for entry in entries}

    def env(self) -> dict[str, str]:
        """What the CLI is told beside the test's own environment."""
        return {
            **self.azure.env,
            "PATH": f"{TOOLCHAIN}:{os.environ['PATH']}",
            "PULUMI_BACKEND_URL": f"file://{self.folder}/backend",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env={**os.environ, **self.env()},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
