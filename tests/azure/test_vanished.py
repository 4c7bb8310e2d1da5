"""A machine that was deleted behind Pulumi's back is forgotten with what was on it, before anybody asks for that."""

from __future__ import annotations

import os

import pytest

from tests.azure import programs
from tests.azure.project import TOOLCHAIN, Project
from tests.azure.standin import StandIn
from toolchain import vanished
from toolchain.cli import Cli
from toolchain.progress import ToolchainError

ON_IT = """
kept = pulumi.Stash("password", input="secret")
inside = pulumi.Stash("inside", input=vm.vm_id)
later = pulumi.Stash("later", input="x", opts=pulumi.ResourceOptions(depends_on=[inside]))
"""


def forget(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in project.env().items():
        monkeypatch.setenv(name, value)
    vanished.forget(Cli(TOOLCHAIN / "pulumi", dict(os.environ), project.folder), "test")


def test_what_was_on_it_is_forgotten_and_what_was_not_stays(
    project: Project, azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.up(programs.machine() + ON_IT)
    azure.cloud.remove(azure.cloud.only("compute:VirtualMachine").id)
    forget(project, monkeypatch)
    left = project.state()
    assert {"group", "net", "nic", "address", "password"} <= set(left)
    assert not {"vm", "inside", "later"} & set(left)
    project.up()
    assert azure.cloud.only("compute:VirtualMachine")


def test_one_that_is_there_is_left_alone(project: Project, azure: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    project.up(programs.machine() + ON_IT)
    before = (project.folder / "backend/.pulumi/stacks/standin/test.json").read_bytes()
    forget(project, monkeypatch)
    assert (project.folder / "backend/.pulumi/stacks/standin/test.json").read_bytes() == before


@pytest.mark.parametrize(
    ("command", "arguments", "expected"),
    [
        ("refresh", ["refresh"], True),
        ("up", ["up", "--refresh", "--yes"], True),
        ("destroy", ["destroy", "-r"], True),
        ("up", ["up", "-yr"], True),
        ("up", ["up", "-ry"], True),
        ("up", ["up", "-fry"], True),
        ("up", ["up", "-rs", "x"], True),
        ("up", ["up", "-r=true"], True),
        ("up", ["up", "--refresh=1"], True),
        ("up", ["up", "-yr=false"], False),
        ("up", ["up", "-sr"], False),
        ("up", ["up"], False),
        ("up", ["up", "--refresh=false"], False),
        ("refresh", ["refresh", "--preview-only"], False),
        ("refresh", ["refresh", "--preview-only=true"], False),
        ("refresh", ["refresh", "--preview-only=false"], True),
        ("preview", ["preview", "--refresh"], False),
    ],
)
def test_which_commands_refresh(command: str, arguments: list[str], expected: bool) -> None:
    assert vanished.is_refresh(command, arguments) is expected


@pytest.mark.parametrize(
    ("fault", "said"),
    [("logged_in", "Please run 'az login' to setup account."), ("login_expired", "Please run: az login --scope")],
)
def test_who_is_not_logged_in_hears_one_line(
    project: Project, azure: StandIn, monkeypatch: pytest.MonkeyPatch, fault: str, said: str
) -> None:
    project.up(programs.machine())
    setattr(azure.faults, fault, fault != "logged_in")
    with pytest.raises(
        ToolchainError, match=r"^whether virtual machine vm is there can't be asked of Azure: "
    ) as heard:
        forget(project, monkeypatch)
    assert said in str(heard.value)
    assert "\n" not in str(heard.value)
    assert "{" not in str(heard.value)


def test_a_state_without_machines_asks_nobody(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.up(programs.GROUP)
    asked: list[tuple[str, ...]] = []
    output = Cli.output

    def noted(cli: Cli, *arguments: str) -> str:
        asked.append(arguments)
        return output(cli, *arguments)

    monkeypatch.setattr(Cli, "output", noted)
    forget(project, monkeypatch)
    assert [arguments[0] for arguments in asked] == ["stack"]
