"""docs/tour.md is executed: every block is typed, and what it promises has to come back."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import yaml

from tests.engine.conftest import CHECKOUT, Project, docker

pytestmark = pytest.mark.engine

# the demo's names; neither a path such as /logs, nor the command `docker logs`, nor an output's key is one
NAMES = (
    r"(?<![\w/.-])(?<!docker )(?<!\{\")"
    r"(docker[123]|reader|mydb2?|logs|dbs|config|simpledb|scratch|plain|first|second)(?![\w./-])"
)
# what a block says that shows how something fails
FAILURES = ("No such file or directory", "is held by container")
FILTER = "label=io.datadocker.stack"


@dataclass
class Block:
    line: int
    commands: str
    expected: str


def blocks() -> list[Block]:
    text = (CHECKOUT / "docs/tour.md").read_text()
    found: list[Block] = []
    for match in re.finditer(r"^```(sh|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1] == "sh":
            found.append(Block(text.count("\n", 0, match.start()) + 1, match[2], ""))
        else:
            found[-1].expected = match[2]
    return found


@dataclass
class Tour:
    project: Project

    def rename(self, text: str) -> str:
        """The tour's own names → this project's, so that a demo that runs is not disturbed."""
        text = re.sub(NAMES, rf"{self.project.prefix}\1", text)
        text = text.replace("driver=azurefile", f"driver={self.project.driver}")
        text = text.replace("-d azurefile", f"-d {self.project.driver}").replace("6603", str(self.project.ports[0]))
        text = text.replace("6604:", f"{self.project.ports[1]}:")
        return text.replace(FILTER, f"{FILTER}=datadocker/dev --filter name={self.project.prefix}")

    def type(self, commands: str) -> tuple[str, bool]:
        """What is printed, and whether each of the lines succeeded."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        done = subprocess.run(
            ["bash", "-ec", commands], cwd=self.project.folder, text=True, timeout=400, check=False,
            env=env | {"PULUMI_CREDENTIALS_PATH": str(self.project.folder / "home")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout, done.returncode == 0


@pytest.fixture(scope="module")
def tour(project: Project) -> Iterator[Tour]:
    file = project.folder / "Pulumi.dev.yaml"
    dev = yaml.safe_load(file.read_text())
    dev["config"] |= {f"datadocker:{k}": v for k, v in project.config().items()}
    file.write_text(yaml.safe_dump(dev))
    project.config()  # a second port, for the second server
    made = Tour(project)
    yield made
    made.type("./pulumiw destroy --yes --skip-preview")


def matches(expected: str, output: str) -> bool:
    """Whether `output` ends with the lines of `expected`; `…` is any text, alone on a line any lines."""
    pattern = ""
    for line in expected.splitlines():
        pattern += r"(.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
    return re.search(rf"(^|\n){pattern}\Z", output if output.endswith("\n") else f"{output}\n") is not None


def test_the_tour(tour: Tour) -> None:
    for block in blocks():
        output, succeeded = tour.type(tour.rename(block.commands))
        assert succeeded != any(failure in block.expected for failure in FAILURES), output
        if block.expected:
            expected = re.sub(NAMES, rf"{tour.project.prefix}\1", block.expected)
            expected = expected.replace("docker… ", f"{tour.project.prefix}docker… ")
            expected = expected.replace("6603", str(tour.project.ports[0]))
            said = f"docs/tour.md:{block.line}:\n{block.commands}\nshould end with\n{expected}\nsaid\n{output}"
            assert matches(expected, output), said
    assert docker("ps", "-q", "--filter", f"name={tour.project.prefix}mydb") != ""


def test_what_does_not_match_is_told() -> None:
    assert matches("a\n", "x\na\n")
    assert not matches("a\n", "x\na\nb\n")
    assert matches("…\nb\n", "x\na\nb\n")
    assert matches("a … c\n", "a b c\n")
    assert not matches("a\nb\n", "a\nc\nb\n")
