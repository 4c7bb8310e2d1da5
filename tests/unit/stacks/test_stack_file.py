"""A stack's file is read as YAML is, whatever the encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from stacks.stack_file import StackFile


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_yaml_in_any_of_its_encodings_is_understood(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "Pulumi.mine.yaml"
    file.write_text("encryptionsalt: v1:x\ndescription: café\n", encoding=encoding)
    assert StackFile(str(file)).has_salt()


def test_what_is_no_yaml_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.mine.yaml"
    file.write_bytes(b"encryptionsalt: caf\xe9\n")
    assert not StackFile(str(file)).has_salt()


def test_what_only_looks_like_a_date_is_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.mine.yaml"
    file.write_text("encryptionsalt: v1:x\ntags: {until: 2025-02-29}\n")
    assert not StackFile(str(file)).has_salt()
