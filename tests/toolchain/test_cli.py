"""The CLI as the wrapper itself runs it."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain import wrapper
from toolchain.cli import Cli

RUN = """
import os, pathlib, sys
from toolchain.cli import Cli
Cli(pathlib.Path(sys.argv[1]), dict(os.environ), pathlib.Path()).run()
"""


def test_what_the_wrapper_asks_of_the_cli_has_no_options_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_OPTION_STACK", "x")
    env = wrapper.environment(wrapper.CHECKOUT / ".toolchain")
    assert "PULUMI_OPTION_STACK" in env
    assert "PULUMI_OPTION_STACK" not in Cli(Path("pulumi"), env, wrapper.CHECKOUT)._own_env()


def test_one_that_is_not_ours_to_run_is_no_failure_of_its_own(tmp_path: Path) -> None:
    """The wrapper says whose it is, and what to do."""
    (tmp_path / "pulumi").touch()
    with pytest.raises(PermissionError) as caught:
        Cli(tmp_path / "pulumi", {}, tmp_path).run("version")
    assert caught.value.filename == str(tmp_path / "pulumi")


def test_what_it_runs_ends_with_a_wrapper_that_is_killed(tmp_path: Path) -> None:
    """The next one would else find the stack locked by it."""
    os.mkfifo(tmp_path / "pid")
    program = tmp_path / "pulumi"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 100\n")
    program.chmod(0o755)
    with subprocess.Popen([sys.executable, "-c", RUN, program], cwd=wrapper.CHECKOUT) as killed:
        running = os.pidfd_open(int((tmp_path / "pid").read_text()))
        killed.kill()
        assert select.select([running], [], [], 10)[0]
    os.close(running)
