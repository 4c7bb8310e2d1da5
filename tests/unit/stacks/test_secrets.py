"""Passwords in the settings: readable ones are said, and none is shown."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pulumi
import pytest
import yaml

from stacks.complaints import SettingsError
from stacks.config import read_settings
from tests.unit.conftest import Recorder
from tests.unit.raw import MYDB, VOLUMES, complaints


def test_a_password_that_is_readable_in_the_file_is_said(recorder: Recorder) -> None:
    database = MYDB | {"users": [{"name": "app", "password": "canary"}]}
    config = {"datadocker:volumes": json.dumps(VOLUMES), "datadocker:databases": json.dumps([database])}
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pulumi.log, "warn", said.append)
        for secret in ([], ["datadocker:databases"]):
            pulumi.runtime.set_all_config(config, secret)
            read_settings()
    pulumi.runtime.set_all_config({})
    assert said == [
        "Pulumi.unit.yaml: databases[0].users[0].password is readable there and in the history of the state; "
        "set it by ./pulumiw config set --path --secret 'datadocker:databases[0].users[0].password' --stack unit, or "
        "leave it out and one is made"
    ]


def test_one_encrypted_password_does_not_hide_a_readable_one(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = MYDB | {"rootPassword": "open"}
    second = {"name": "b2", "volume": "simpledb", "port": 2, "users": [{"name": "app", "password": "open"}]}
    secure = {"secure": "v1:x"}
    config = {"datadocker:volumes": json.dumps(VOLUMES), "datadocker:databases": json.dumps([first, second])}
    pulumi.runtime.set_all_config(config, ["datadocker:databases"])
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "Pulumi.unit.yaml"
    # Pulumi may have read another file, or all of the setting may be encrypted
    for written in (None, [], secure, [first | {"rootPassword": secure}, second | {"users": [{"password": secure}]}]):
        file.write_text(yaml.safe_dump({"config": {"datadocker:databases": written}}))
        read_settings()
        assert said == []
    # YAML takes some texts for something else
    for key, text in (("datadocker:databases", "open"), ("databases", date(2026, 1, 1))):
        as_written = [first | {"rootPassword": secure}, second | {"users": [{"name": "app", "password": text}]}]
        file.write_text(yaml.safe_dump({"config": {key: as_written}}))
        read_settings()
        assert said.pop().startswith("Pulumi.unit.yaml: databases[1].users[0].password is readable there")
    pulumi.runtime.set_all_config(config | {"datadocker:production": "true"}, ["datadocker:databases"])
    with pytest.raises(SettingsError) as refused:
        read_settings()
    pulumi.runtime.set_all_config({})
    (line,) = refused.value.lines
    assert "databases[1].users[0].password: not in production: it is readable in the file" in line


def test_secrets_are_in_no_complaint() -> None:
    canary = "canary-4711"
    said = complaints(
        {
            "volumes": VOLUMES,
            "databases": [
                MYDB | {"rootPasword": canary},
                {"name": "b2", "rootPassword": [canary], "volume": {canary: 1}},
                {"name": canary, "users": [{"name": "u", "password": {"x": canary}}]},
            ],
        },
        secret=["databases"],
    )
    assert len(said) >= 5
    assert canary not in "\n".join(said)
    # with the mark not even a name is shown, and without it nothing that has a password in it
    marked = complaints({"volumes": VOLUMES, "databases": [MYDB | {"name": f"a {canary}"}]}, secret=["databases"])
    assert marked[0].startswith("Pulumi.dev.yaml: databases[0].name: should be 2 to")
    unmarked = complaints(
        {
            "volumes": VOLUMES,
            "databases": [
                MYDB | {"rootPassword": f"{canary}\n"},
                {"name": "b2", "users": {"name": "u", "password": canary}},
                [{"rootPassword": canary}],
            ],
        }
    )
    assert len(unmarked) >= 3
    assert canary not in "\n".join(marked + unmarked)
    # the search would find it: without the mark the name is shown
    open_said = complaints({"volumes": VOLUMES, "databases": [MYDB | {"name": "a b"}]})
    assert "'a b'" in open_said[0]
