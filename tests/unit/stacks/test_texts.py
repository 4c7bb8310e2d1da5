"""A text that looks like a number or a boolean: what `pulumi config set --path` makes of it is taken as the text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pulumi
import pytest
from pydantic import BaseModel, ValidationError

from stacks import azure, schema, settings
from stacks.complaints import SettingsError
from stacks.config import parse, read_settings
from stacks.section import Section
from tests.unit.azure_raw import HOST
from tests.unit.conftest import Recorder

SECTIONS = [
    model
    for module in (settings, azure)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, Section) and model is not Section
]
DATABASE = {"name": "mydb", "volume": "dbs", "port": 6603}


def texts(described: dict[str, Any], around: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yields what is around each text that a setting may be, after its JSON schema; nothing if it may be a number.

    Nor of a password.
    """
    kinds = described.get("anyOf", [described])
    if any(kind.get("type") in ("integer", "number", "boolean") for kind in kinds):
        return
    for kind in kinds:
        if kind.get("type") == "string" and kind.get("format") != "password":
            yield around
        elif kind.get("type") == "array":
            yield from texts(kind["items"], (*around, "list"))
        elif kind.get("type") == "object":
            for value in [*kind.get("patternProperties", {}).values()] or [kind["additionalProperties"]]:
                yield from texts(value, (*around, "object"))


def described() -> list[tuple[type[Section], str, tuple[str, ...]]]:
    found = []
    for model in dict.fromkeys(SECTIONS):
        properties = model.model_json_schema(by_alias=True)["properties"]
        found += [(model, name, around) for name, of in properties.items() for around in texts(of) if name != "kind"]
    return found


def outcome(model: type[BaseModel], name: str, around: tuple[str, ...], value: object) -> list[tuple[Any, ...]]:
    """What is found wrong with a setting."""
    for step in reversed(around):
        value = [value] if step == "list" else {"a": value}
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        return [(e["loc"], e["type"], e["msg"], e["input"]) for e in error.errors() if e["loc"][0] == name]
    return []


@pytest.mark.parametrize("value", [0, 11, 2024, -5, 12345678, 2**63 - 1, True, False])
@pytest.mark.parametrize(("model", "name", "around"), described())
def test_a_number_is_its_text(model: type[Section], name: str, around: tuple[str, ...], value: object) -> None:
    assert outcome(model, name, around, value) == outcome(model, name, around, str(value).lower())


def test_all_texts_are_looked_at() -> None:
    names = {name for _, name, _ in described()}
    assert {"name", "resourceGroup", "schemas", "tags", "sshFrom", "zone", "volumes"} <= names
    assert {"port", "publicIp", "options", "password", "rootPassword"} & names == set()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model, name)
        for model in dict.fromkeys(SECTIONS)
        for name, of in model.model_json_schema(by_alias=True)["properties"].items()
        if "integer" in [kind.get("type") for kind in of.get("anyOf", [of])]
    ],
)
def test_true_is_no_number(model: type[Section], name: str) -> None:
    assert [kind for _, kind, *_ in outcome(model, name, (), True)] == ["int_parsing"]


def test_a_port_that_is_true_is_one_line(recorder: Recorder) -> None:
    with pytest.raises(SettingsError) as refused:
        parse({"volumes": ["logs", "config", "dbs"], "databases": [DATABASE | {"port": True}]}, file="f")
    assert refused.value.lines == ["f: databases[0].port: 'true': should be a whole number"]


def test_names_and_volumes_are_the_text_that_was_set(recorder: Recorder) -> None:
    database = DATABASE | {"name": 11, "volume": 2024, "schemas": [2024]}
    config = {"stack": "databases", "volumes": ["dbs", 2024], "databases": [database]}
    pulumi.runtime.set_all_config(
        {f"datadocker:{k}": v if isinstance(v, str) else json.dumps(v) for k, v in config.items()}
    )
    read = read_settings()
    pulumi.runtime.set_all_config({})
    (found,) = read.databases
    assert [v.name for v in read.volumes] == ["dbs", "2024"]
    assert (found.name, found.volume, found.schemas) == ("11", "2024", ["2024"])


def test_a_volume_by_a_number_is_there_beside_a_wrong_one(recorder: Recorder) -> None:
    with pytest.raises(SettingsError) as refused:
        parse({"volumes": [2024, "b@d"], "databases": [DATABASE | {"volume": "2024"}]}, file="f")
    assert [line.split(": ")[1] for line in refused.value.lines] == ["volumes[1].name"]


# what the CLI or YAML has made of a text for good: 1.10, and more digits than a whole number has
@pytest.mark.parametrize("value", [1.1, 12345678901234567000])
def test_what_is_no_longer_what_was_written_is_refused(recorder: Recorder, value: object) -> None:
    said = f"{value!r}: should be text: put it in quotes, or set it by ./pulumiw config set --path --type string"
    for raw, where in (
        ({"plugin": {"name": value}}, "plugin.name"),
        ({"volumes": ["logs", "config", value]}, "volumes[2].name"),
    ):
        with pytest.raises(SettingsError) as refused:
            parse(raw if "volumes" in raw else raw | {"volumes": ["logs", "config"]}, file="f")
        assert refused.value.lines == [f"f: {where}: {said}"]


# +49123 is 49123 to the CLI, and 0123 is 83 to YAML
@pytest.mark.parametrize("value", [49123, 83, 1000.5, True, "2026-01-31 00:00:00 +0000 UTC"])
def test_a_password_that_was_no_text_is_refused_and_not_shown(recorder: Recorder, value: object) -> None:
    database = DATABASE | {"rootPassword": value, "users": [{"name": "one", "password": value}]}
    with pytest.raises(SettingsError) as refused:
        parse({"volumes": ["logs", "config", "dbs"], "databases": [database]}, file="f")
    said = "should be text: put it in quotes, or set it by ./pulumiw config set --path --secret"
    assert refused.value.lines == [
        f"f: databases[0].{setting}: {said}" for setting in ("rootPassword", "users[0].password")
    ]


@pytest.mark.parametrize(
    "value",
    ["2026-01-31 00:00:00 +0000 UTC", "2026-01-31 10:11:12.5 +0200 +0200"],
)
def test_a_date_without_quotes_is_refused(recorder: Recorder, value: str) -> None:
    shares = {"kind": "azure", "location": "westeurope", "tags": {"created": value, "until": "2026-01-31"}}
    with pytest.raises(SettingsError) as refused:
        parse({"volumes": ["logs", "config"], "host": HOST, "shares": shares}, file="f")
    assert refused.value.lines == [
        "f: shares.tags.created: should be text: put it in quotes, or set it by ./pulumiw config set --path --type "
        "string"
    ]


def test_the_schema_takes_what_the_cli_writes() -> None:
    validator = jsonschema.Draft202012Validator(schema.schema())

    def wrong(host: dict[str, Any], **more: Any) -> int:
        azure_host = {"kind": "azure", "location": "westeurope", "sshFrom": ["10.0.0.0/8"]} | host
        config = {"host": azure_host} | more
        return len(list(validator.iter_errors({"config": {f"datadocker:{k}": v for k, v in config.items()}})))

    assert wrong({"name": 1, "zone": 2, "tags": {"a": True}}, volumes=[2024]) == 0
    assert wrong({"zone": 4}) == wrong({"name": 1.5}) == wrong({"disk": {"type": 1}}) == 1
    # 0123 would be 83
    assert wrong({}, databases=[DATABASE | {"rootPassword": 83}]) == 1
