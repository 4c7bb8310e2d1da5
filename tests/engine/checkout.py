"""A clone that is used as a newcomer uses it: by ./pulumiw alone."""

from __future__ import annotations

import os
import signal
import subprocess

from tests.engine.conftest import Project, docker


class Checkout:
    """A clone with no state, used by the wrapper alone."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder
        git = ["git", "-C", str(self.folder), "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run([*git, "init", "-q"], check=True)
        # what is not tracked there is not tracked here either
        (self.folder / ".git/info/exclude").write_text("/backend\n/home\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "clone"], check=True)

    def env(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        return kept | {"PULUMI_CREDENTIALS_PATH": str(self.folder / "home")}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["./pulumiw", *arguments], cwd=self.folder, env=self.env(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, fails: bool = False) -> str:
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        assert (process.returncode != 0) == fails, output
        return output

    def run_plain(self, *arguments: str) -> str:
        """Runs the CLI itself, as where it is installed, and returns what it printed."""
        env = {
            **self.env(),
            "PULUMI_BACKEND_URL": f"file://{self.folder}/.state",
            "PULUMI_HOME": f"{self.folder}/.state/home",
            "PULUMI_CONFIG_PASSPHRASE_FILE": f"{self.folder}/.state/passphrase",
        }
        done = subprocess.run(
            ["pulumi", *arguments], cwd=self.folder, env=env, text=True, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def kill_after(self, lines: int, *arguments: str) -> None:
        """Kills the whole group once it has printed so many lines, which must not be its last."""
        process = self.start(*arguments)
        assert process.stdout is not None
        printed = [process.stdout.readline() for _ in range(lines)]
        os.killpg(process.pid, signal.SIGKILL)
        rest, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL, "".join(printed) + rest

    def git_status(self) -> str:
        return subprocess.run(
            ["git", "status", "--porcelain"], cwd=self.folder, capture_output=True, text=True, check=True
        ).stdout

    def running(self) -> list[str]:
        prefix = self.project.prefix
        shown = docker("ps", "--format", "{{.Names}}", "--filter", f"name={prefix}").split()
        return sorted(n.removeprefix(prefix) for n in shown)
