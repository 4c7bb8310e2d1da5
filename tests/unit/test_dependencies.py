"""Each file of requirements pins all that it brings along, so that nobody else's release changes what runs here."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def pinned(file: Path) -> Iterator[Requirement]:
    """What `file` and the ones that it names ask for."""
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            yield from pinned(file.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            yield Requirement(line)


def needs(given: Requirement) -> Iterator[str]:
    """Names of what an installed package needs on this Python."""
    for text in importlib.metadata.requires(given.name) or []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *given.extras)):
            yield canonicalize_name(need.name)


@pytest.mark.parametrize("file", ["requirements.txt", "azurefile/requirements.txt", "tests/requirements.txt"])
def test_all_that_is_installed_is_pinned(file: str) -> None:
    asked = list(pinned(Path(file)))
    names = {canonicalize_name(each.name) for each in asked}
    assert {f"{each.name}: {need}" for each in asked for need in needs(each) if need not in names} == set()
    assert {str(each) for each in asked if str(each.specifier) != f"=={importlib.metadata.version(each.name)}"} == set()
