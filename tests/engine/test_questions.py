"""docs/questions.md is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.engine.conftest import CHECKOUT, Project, free_port
from tests.engine.guide import Guide

pytestmark = pytest.mark.engine

PAGE = "docs/questions.md"


@pytest.fixture(scope="module")
def questions(project: Project) -> Iterator[Guide]:
    """The page's own stack, in a file of its own, beside whatever runs here."""
    ports: dict[str, int] = {}

    def rename(text: str) -> str:
        text = re.sub(r"\b662\d\b", lambda port: str(ports.setdefault(port[0], free_port())), text)
        return re.sub(r"(core|customer\d|\$customer)(?= mysql| sh |\)\")", rf"{project.prefix}\1", text)

    listing = re.search(r"^```yaml\n(.*?)^```$", (CHECKOUT / PAGE).read_text(), re.MULTILINE | re.DOTALL)
    assert listing is not None
    saas = yaml.safe_load(rename(listing[1]))
    plugin = {"name": project.driver, "root": str(project.root)}
    saas["config"] |= {"datadocker:prefix": project.prefix, "datadocker:plugin": plugin}
    (project.folder / "Pulumi.saas.yaml").write_text(yaml.safe_dump(saas))
    made = Guide(PAGE, project, rename, ("Access denied",))
    yield made
    made.type("./pulumiw destroy --yes --skip-preview --stack saas")


def test_the_hard_questions(questions: Guide) -> None:
    questions.follow()
