"""What azure-native itself checks before it asks Azure, in its words (provider/pkg/provider/provider.go, validateType).

One thing more: a name that a type does not have. The SDK's own classes can't have one, but a dictionary can, and
azure-native would drop it without a word.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.azure import limits, schema
from tests.azure.kinds import Kind
from tests.azure.values import at, is_unknown

# set by the provider itself, in what it stores as inputs
ITS_OWN = frozenset({"azureApiVersion", "__createBeforeDelete", "__defaults"})
LOCATION = ". Either set it explicitly or configure it with 'pulumi config set azure-native:location <value>'."


def failures(kind: Kind, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields each property that is wrong, and why."""
    yield from _object(kind.inputs, {name: v for name, v in inputs.items() if name not in ITS_OWN}, "")
    # where Azure always gives one, its specification asks for one
    if "location" in schema.required_outputs(kind.token) and kind.located and "location" not in inputs:
        yield "location", f"missing required property 'location'{LOCATION}"
    for limit in limits.CHECKED.get(kind.token, []):
        for path, value in at(inputs, limit.path):
            if not is_unknown(value):
                yield from ((path, reason) for reason in _limited(limit, path, value))


def _object(known: Mapping[str, schema.Property], given: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, property in known.items():
        if property.required and given.get(name) is None:
            yield _join(path, name), f"missing required property '{_join(path, name)}'"
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f", did you mean '{near[0]}'?" if near else ""
            yield _join(path, name), f"unknown property '{_join(path, name)}'{hint}"
        elif value is not None:
            yield from _value(known[name].type, value, _join(path, name))


def _value(type: schema.Type, value: Any, path: str) -> Iterator[tuple[str, str]]:
    if is_unknown(value) or type.name == "any":
        return
    got = _name(value)
    if type.name == "object":
        if got != "object":
            yield path, f"'{path}' should be of type 'object' but got a {got}"
        else:
            yield from _object(schema.properties(type.properties), value, path)
    elif type.name == "map":
        assert type.items
        for name, item in value.items() if got == "object" else ():
            yield from _value(type.items, item, _join(path, name))
    elif type.name == "array":
        if got != "array":
            yield path, f"'{path}' should be of type 'array' but got a {got}"
        else:
            assert type.items
            for index, item in enumerate(value):
                yield from _value(type.items, item, f"{path}[{index}]")
    elif type.name == "integer" and got == "number" and value != int(value):
        yield path, f"'{path}' must be an integer but got {value:f}"
    elif {"integer": "number"}.get(type.name, type.name) != got:
        yield path, f"'{path}' should be of type '{type.name}' but got {'an' if got == 'array' else 'a'} {got}"


def _limited(limit: limits.Checked, path: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if limit.minimum is not None and len(value) < limit.minimum:
            yield f"'{path}' is too short ({len(value)}): at least {limit.minimum:g} characters required"
        if limit.maximum is not None and len(value) > limit.maximum:
            yield f"'{path}' is too long ({len(value)}): at most {limit.maximum:g} characters allowed"
        if limit.pattern and not re.search(limit.pattern, value):
            yield f"'{path}' does not match expression '{limit.pattern}'"
    elif isinstance(value, int | float):
        if limit.minimum is not None and value < limit.minimum:
            yield f"'{path}' is too low ({value:f} < {limit.minimum:f})"
        if limit.maximum is not None and value > limit.maximum:
            yield f"'{path}' is too high ({value:f} > {limit.maximum:f})"


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
