"""A clone of this project that is used as a user uses it: by ./pulumiw alone, against a stand-in."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import TextIO

from tests.azure.standin import StandIn

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_NEEDED = ("tests/", "bench/", "docs/")
SECONDS = 1800


class Clone:
    """What git tracks, in a folder of its own, and one of its stacks. Nothing of the stack's settings is changed."""

    def __init__(self, folder: Path, azure: StandIn | None, stack: str) -> None:
        """Copies it into `folder`. Without `azure` nobody is logged in."""
        self.folder = folder
        self.stack = stack
        self.log = folder / "log"
        self.checkout = folder / "datadocker"
        self.seconds: list[tuple[str, float]] = []
        """What was run, and how long it took."""
        self._azure = azure
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        for name in listed.stdout.splitlines():
            if not name.startswith(NOT_NEEDED) and (REPOSITORY / name).is_file():
                (self.checkout / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / name, self.checkout / name)
        for link in (".venv", ".toolchain"):
            (self.checkout / link).symlink_to((REPOSITORY / link).resolve())

    def run(self, *arguments: str) -> tuple[int, str]:
        """Runs ./pulumiw; returns its exit code and what it printed. `log` can be followed meanwhile."""
        started = time.monotonic()
        with self.log.open("a+") as log:
            begin = log.tell()
            process = self._start(arguments, log)
            # waiting with a limit looks every 50 ms only, too coarse for who measures
            limit = threading.Timer(SECONDS, os.killpg, (process.pid, signal.SIGKILL))
            limit.start()
            try:
                code = process.wait()
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
            finally:
                limit.cancel()
            log.seek(begin)
            printed = log.read()
        self.seconds.append((" ".join(arguments), time.monotonic() - started))
        return code, printed

    def killed(self, when: threading.Event, *arguments: str) -> None:
        """Runs ./pulumiw and kills it, with all that it started in its group, at that moment."""
        with self.log.open("a") as log:
            process = self._start(arguments, log)
            reached = when.wait(SECONDS)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert reached, self.log.read_text()

    def _start(self, arguments: tuple[str, ...], log: TextIO) -> subprocess.Popen[bytes]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PULUMI_", "ARM_", "AZURE_"))}
        # the only things that are not as on a user's machine: which Azure, and whose credentials
        kept |= self._azure.env if self._azure else {"AZURE_CONFIG_DIR": str(self.folder / "nobody")}
        return subprocess.Popen(
            ["./pulumiw", *arguments, "--stack", self.stack, "--non-interactive"],
            cwd=self.checkout,
            env=kept | {"PULUMI_CREDENTIALS_PATH": str(self.folder / "credentials")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def pulumi(self, *arguments: str) -> str:
        """Runs ./pulumiw and returns what it printed; its exit code has to be 0."""
        code, printed = self.run(*arguments)
        assert code == 0, printed
        return printed

    def change(self, command: str, *more: str) -> str:
        return self.pulumi(command, "--yes", "--skip-preview", *more)

    def resources(self) -> list[str]:
        """Types of what the stack's state has."""
        file = self.checkout / f".state/.pulumi/stacks/datadocker/{self.stack}.json"
        resources = json.loads(file.read_text())["checkpoint"]["latest"].get("resources") or []
        return [str(resource["type"]) for resource in resources]
