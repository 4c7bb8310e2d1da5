"""docs/tour.md is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import yaml

from tests.engine.conftest import Project, docker
from tests.engine.guide import Guide, matches

pytestmark = pytest.mark.engine

# the demo's names; neither a path such as /logs, nor the command `docker logs`, nor an output's key is one
NAMES = (
    r"(?<![\w/.-])(?<!docker )(?<!\{\")"
    r"(docker[123…]|reader|mydb2?|logs|dbs|config|simpledb|scratch|plain|first|second)(?![\w./-])"
)
FAILURES = ("No such file or directory", "is held by container")
FILTER = "label=io.datadocker.stack"


@pytest.fixture(scope="module")
def tour(project: Project) -> Iterator[Guide]:
    file = project.folder / "Pulumi.dev.yaml"
    dev = yaml.safe_load(file.read_text())
    dev["config"] |= {f"datadocker:{k}": v for k, v in project.config().items()}
    file.write_text(yaml.safe_dump(dev))
    project.config()  # a second port, for the second server

    def rename(text: str) -> str:
        text = re.sub(NAMES, rf"{project.prefix}\1", text)
        text = text.replace("driver=azurefile", f"driver={project.driver}")
        text = text.replace("-d azurefile", f"-d {project.driver}").replace("6603", str(project.ports[0]))
        text = text.replace("6604:", f"{project.ports[1]}:")
        return text.replace(FILTER, f"{FILTER}=datadocker/dev --filter name={project.prefix}")

    made = Guide("docs/tour.md", project, rename, FAILURES)
    yield made
    made.type("./pulumiw destroy --yes --skip-preview")


def test_the_tour(tour: Guide) -> None:
    tour.follow()
    assert docker("ps", "-q", "--filter", f"name={tour.project.prefix}mydb") != ""


def test_what_does_not_match_is_told() -> None:
    assert matches("a\n", "x\na\n")
    assert not matches("a\n", "x\na\nb\n")
    assert matches("…\nb\n", "x\na\nb\n")
    assert matches("a … c\n", "a b c\n")
    assert not matches("a\nb\n", "a\nc\nb\n")
