"""The JSON schema that editors complete the settings by."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import yaml

from stacks import schema
from tests.unit.raw import MYDB


def test_the_schema_file_is_the_models_own() -> None:
    assert json.loads(schema.FILE.read_text()) == schema.schema(), "run python -m stacks.schema"


def test_every_setting_has_its_description_in_the_schema() -> None:
    definitions = schema.schema()["$defs"]
    sections = definitions | {"": schema.schema()["properties"]["config"]}
    # what is a section of its own has that section's
    described = {name for name, section in definitions.items() if section.get("description")}
    lacking = [
        f"{section}.{name}"
        for section, content in sections.items()
        for name, field in content["properties"].items()
        if not field.get("description") and field.get("$ref", "").rpartition("/")[2] not in described
    ]
    assert len(sections) > 10
    assert lacking == []


def test_the_schema_takes_what_the_models_take() -> None:
    validator = jsonschema.Draft202012Validator(schema.schema())
    with open("Pulumi.dev.yaml") as file:
        good = yaml.safe_load(file)
    assert list(validator.iter_errors(good)) == []
    secret = {"config": {"datadocker:databases": [MYDB | {"rootPassword": {"secure": "v1:x"}}]}}
    assert list(validator.iter_errors(secret)) == []
    bad: dict[str, Any] = {"config": {"datadocker:volmues": []}}
    assert len(list(validator.iter_errors(bad))) == 1
