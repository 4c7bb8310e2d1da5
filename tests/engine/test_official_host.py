"""The program under Pulumi's own executor, which runs it in another way than the toolchain's host does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.conftest import CHECKOUT, Project
from toolchain import clis, sources

HOST = "pulumi-language-python"
SDK = "github.com/pulumi/pulumi/sdk/v3"


@pytest.fixture(scope="module")
def executor() -> Path:
    """The executor of the CLI's version, which is part of the Go module that the CLI is built with."""
    toolchain = CHECKOUT / ".toolchain/bin"
    if (toolchain / f"{HOST}-exec").exists():
        pytest.skip("the toolchain is the official one, which every other test runs with")
    command = [str(clis.find_go(CHECKOUT / ".venv")), "mod", "download", "-json", SDK]
    done = subprocess.run(command, cwd=sources.CLI, env=sources.go_environment(), stdout=subprocess.PIPE, check=True)
    return Path(json.loads(done.stdout)["Dir"]) / "python/cmd" / f"{HOST}-exec"


def test_the_program_runs_under_pulumis_own_executor(project: Project, executor: Path, tmp_path: Path) -> None:
    for program in (CHECKOUT / ".toolchain/bin").iterdir():
        if program.name != HOST:
            (tmp_path / program.name).symlink_to(program.resolve())
    host = Path(__file__).with_name("executor_host.py")
    (tmp_path / HOST).write_text(f'#!/bin/sh\nexec {sys.executable} {host} {executor} "$@"\n')
    (tmp_path / HOST).chmod(0o755)
    project.more_env["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    project.write("official", project.config())
    project.cli("stack", "init", "official")

    shown = project.cli("preview", "--stack", "official")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "docker:index:Container" in shown.stdout
