"""Stacks on a real engine: a checkout, a backend, names and ports of their own, gone afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from pulumi import automation as auto

CHECKOUT = Path(__file__).resolve().parents[2]
PASSPHRASE = "tests"


def free_port() -> int:
    """A port outside the range that the kernel hands out, so that nobody gets it in between."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def docker(*arguments: str, check: bool = True, timeout: float = 120) -> str:
    """Runs the docker CLI and returns what it printed, both streams together if it failed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip() if done.returncode == 0 else (done.stdout + done.stderr).strip()


@dataclass
class Project:
    """A copy of the checkout with a backend of its own, on names that no running demo uses."""

    folder: Path
    prefix: str
    root: Path
    driver: str
    ports: list[int] = field(default_factory=list)
    more_env: dict[str, str] = field(default_factory=dict)

    def config(self, **change: Any) -> dict[str, Any]:
        """The demo's configuration on this project's names; `change` overrides single settings."""
        port = free_port()
        self.ports.append(port)
        return {
            "stack": "demo",
            "prefix": self.prefix,
            "plugin": {"name": self.driver, "root": str(self.root)},
            "volumes": ["logs", "dbs", "config", "simpledb"],
            "databases": [{"name": "mydb", "volume": "dbs", "port": port}],
        } | change

    def write(self, stack: str, config: dict[str, Any]) -> None:
        """Writes Pulumi.<stack>.yaml, keeping what Pulumi put into it."""
        file = self.folder / f"Pulumi.{stack}.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        kept["config"] = {f"datadocker:{k}": v for k, v in config.items()}
        file.write_text(yaml.safe_dump(kept))

    def stack(self, name: str, config: dict[str, Any] | None = None) -> auto.Stack:
        """The stack `name` through the Automation API, made if it does not exist."""
        if config is not None:
            self.write(name, config)
        return auto.create_or_select_stack(
            name, work_dir=str(self.folder), opts=auto.LocalWorkspaceOptions(env_vars=self.env())
        )

    def env(self) -> dict[str, str]:
        """The environment of the CLI: nothing of the user's own Pulumi."""
        return {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            **self.more_env,
        }

    def cli(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs the real CLI by hand, where a test is about what a user reads."""
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env={**os.environ, **self.env()},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def state(self, stack: str) -> str:
        """The state file of `stack` as it lies on the disk."""
        return (self.folder / "backend/.pulumi/stacks/datadocker" / f"{stack}.json").read_text()

    def root_url(self, stack: auto.Stack, database: str = "mydb") -> str:
        return str(stack.outputs()["databases"].value[database]["url"])

    def sql(self, stack: auto.Stack, statement: str, database: str = "mydb") -> str:
        """Runs SQL as root, with the password that the stack's outputs give, over TCP."""
        password = unquote(urlsplit(self.root_url(stack, database)).password or "")
        done = subprocess.run(
            ["docker", "exec", "-i", "-e", "MYSQL_PWD", self.prefix + database,
             "mysql", "-uroot", "-h127.0.0.1", "-N", "-B"],
            input=statement, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "MYSQL_PWD": password},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    for name in _tracked():
        if name.startswith(("tests/", "bench/", "docs/")) or not (CHECKOUT / name).is_file():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)
    for link in (".venv", ".toolchain"):
        (folder / link).symlink_to((CHECKOUT / link).resolve())
    (folder / "backend").mkdir()
    (folder / "home").mkdir()
    (folder / "home/plugins").symlink_to((CHECKOUT / ".toolchain/plugins").resolve())
    tag = f"ddtest-{os.getpid()}-{request.module.__name__.rsplit('_', 1)[-1]}-"
    made = Project(folder, tag, Path(f"/var/lib/{tag.rstrip('-')}"), f"{tag}azurefile")
    yield made
    _clean(made)


def _clean(project: Project) -> None:
    """Removes what a failed test left, by the project's own names only."""
    ours = [n for n in docker("ps", "-a", "--format", "{{.Names}}").split() if n.startswith(project.prefix)]
    if ours:
        docker("rm", "-f", *ours, check=False)
    volumes = [n for n in docker("volume", "ls", "-q").split() if n.startswith(project.prefix)]
    if volumes:
        docker("volume", "rm", *volumes, check=False)
    if project.driver in docker("plugin", "ls", "--format", "{{.Name}}"):
        docker("plugin", "disable", "-f", project.driver, check=False)
        docker("plugin", "rm", "-f", project.driver, check=False)
    for file in project.folder.glob("backend/.pulumi/stacks/datadocker/*.json"):
        resources = json.loads(file.read_text())["checkpoint"]["latest"].get("resources") or []
        for resource in resources:
            for tag in (
                resource.get("outputs", {}).get("reference"),
                resource.get("inputs", {}).get("name"),
            ):
                if isinstance(tag, str) and tag.startswith("datadocker/"):
                    docker("rmi", "-f", tag, check=False)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(project.root)


def changes(result: auto.UpResult | auto.RefreshResult | auto.DestroyResult) -> dict[str, int]:
    """What an operation did, without what stayed the same."""
    summary = result.summary.resource_changes or {}
    return {str(k): v for k, v in summary.items() if str(k) not in ("same", "OpType.SAME")}
