"""A page of docs/ that is executed: every block is typed, and what it promises has to come back."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tests.engine.conftest import CHECKOUT, Project


@dataclass
class Block:
    """Commands, and the end of what they print."""

    line: int
    commands: str
    expected: str


def blocks(page: str) -> list[Block]:
    text = (CHECKOUT / page).read_text()
    found: list[Block] = []
    for match in re.finditer(r"^```(sh|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if match[1] == "sh":
            found.append(Block(text.count("\n", 0, match.start()) + 1, match[2], ""))
        else:
            found[-1].expected = match[2]
    return found


@dataclass
class Guide:
    """One page, typed in a project; `rename` makes the page's names the project's, so that no demo is disturbed."""

    page: str
    project: Project
    rename: Callable[[str], str]
    failures: tuple[str, ...] = ()
    """What a block says that shows how something fails."""

    def follow(self) -> None:
        """Types all of it.

        Raises:
            AssertionError: at the first block that fails, or that says something else.
        """
        for block in blocks(self.page):
            output, succeeded = self.type(self.rename(block.commands))
            assert succeeded != any(failure in block.expected for failure in self.failures), output
            if block.expected:
                expected = self.rename(block.expected)
                where = f"{self.page}:{block.line}"
                said = f"{where}:\n{block.commands}\nshould end with\n{expected}\nsaid\n{output}"
                assert matches(expected, output), said

    def type(self, commands: str) -> tuple[str, bool]:
        """What is printed, and whether each of the lines succeeded."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
        done = subprocess.run(
            ["bash", "-ec", commands], cwd=self.project.folder, text=True, timeout=400, check=False,
            env=env | {"PULUMI_CREDENTIALS_PATH": str(self.project.folder / "home")},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.stdout, done.returncode == 0


def matches(expected: str, output: str) -> bool:
    """Whether `output` ends with the lines of `expected`; `…` is any text, alone on a line any lines."""
    pattern = ""
    for line in expected.splitlines():
        pattern += r"(.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n"
    return re.search(rf"(^|\n){pattern}\Z", output if output.endswith("\n") else f"{output}\n") is not None
