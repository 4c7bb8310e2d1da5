"""The JSON Schema of Pulumi.<stack>.yaml, by which editors complete the settings.

`python -m stacks.schema` writes it to stacks/settings.schema.json.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stacks.settings import Settings

FILE = Path(__file__).with_name("settings.schema.json")


def schema() -> dict[str, Any]:
    """Returns the schema: Pulumi's own keys are left to Pulumi, ours are those of `Settings`."""
    settings = _take_numbers(Settings.model_json_schema(by_alias=True))
    definitions = settings.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of a datadocker stack",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {f"datadocker:{k}": v for k, v in settings["properties"].items()},
                # a misspelt setting is an error, settings of other namespaces are not ours
                "patternProperties": {"^(?!datadocker:).*": {}},
                "additionalProperties": False,
            }
        },
        "$defs": _take_secrets(definitions),
    }


def _take_numbers(described: Any) -> Any:
    """Lets a text be what `pulumi config set --path` makes of one that looks like a number or boolean.

    A password is better in quotes, or it is another one: YAML reads 0123 as 83.
    """
    if isinstance(described, list):
        return [_take_numbers(part) for part in described]
    if not isinstance(described, dict):
        return described
    taken = {name: _take_numbers(part) for name, part in described.items()}
    digits = [int(value) for value in taken.get("enum", []) if str(value).isdigit()]
    if digits:
        return taken | {"enum": taken["enum"] + digits, "type": ["string", "integer"]}
    if taken.get("type") == "string" and not {"const", "enum", "format"} & set(taken):
        taken["type"] = ["string", "integer", "boolean"]
    return taken


def _take_secrets(definitions: dict[str, Any]) -> dict[str, Any]:
    """Lets a secret be what `pulumi config set --secret` writes for it."""
    encrypted = {
        "type": "object",
        "properties": {"secure": {"type": "string"}},
        "required": ["secure"],
    }
    for definition in definitions.values():
        for field in definition.get("properties", {}).values():
            options = field.get("anyOf", [])
            if any(o.get("format") == "password" for o in options):
                options.append(encrypted)
    return definitions


if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=2) + "\n")
