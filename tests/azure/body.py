"""The body of a request as Azure reads it.

What is null is not there, enums have Azure's own spelling, and what is of another type is no request.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from tests.azure import schema
from tests.azure.errors import not_parsed
from tests.azure.kinds import Kind
from tests.azure.spelling import spelt


def read(kind: Kind, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a resource's inputs say.

    Raises:
        AzureError: if they can't be read.
    """
    for name in kind.names:
        given = inputs.get(name)
        # they stand in the request's path
        if not isinstance(given, str) or not given or "/" in given:
            raise not_parsed(kind, name, given)
    return _object(kind, kind.inputs, inputs, "")


def _object(kind: Kind, known: Mapping[str, schema.Property], given: Mapping[str, Any], path: str) -> dict[str, Any]:
    found = {}
    for name, value in given.items():
        inner = f"{path}.{name}" if path else name
        if value is not None:
            found[name] = _value(kind, known[name].type, value, inner) if name in known else copy.deepcopy(value)
    for name, property in known.items():
        if property.required and name not in found:
            raise not_parsed(kind, f"{path}.{name}" if path else name, None)
    return found


def _value(kind: Kind, type: schema.Type, value: Any, path: str) -> Any:
    match type.name, value:
        case "object", dict():
            return _object(kind, schema.properties(type.properties), value, path)
        case "map", dict():
            assert type.items
            return {n: _value(kind, type.items, v, f"{path}.{n}") for n, v in value.items() if v is not None}
        case "array", list():
            assert type.items
            return [_value(kind, type.items, item, f"{path}[{index}]") for index, item in enumerate(value)]
        case "string", str():
            return spelt(kind, type, path, value)
        case ("boolean", bool()) | ("any", _):
            return copy.deepcopy(value)
        case ("integer", int()) | ("number", int() | float()) if not isinstance(value, bool):
            return value
    raise not_parsed(kind, path, value)
