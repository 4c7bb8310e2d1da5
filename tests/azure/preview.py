"""What a resource's outputs are in a preview: the inputs, and unknown for the rest (PreviewOutputs of azure-native)."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pulumi import _types

from tests.azure import schema
from tests.azure.kinds import Kind
from tests.azure.values import UNKNOWN


def preview(kind: Kind, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a new resource's outputs before it exists."""
    return _known(schema.outputs(kind.token), inputs)


def _known(types: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(type, given[name]) if name in given else UNKNOWN for name, type in types.items()}


def _value(type: Any, given: Any) -> Any:
    if isinstance(given, dict) and _types.is_output_type(type):
        return _known(_types.output_type_types(type), given)
    if isinstance(given, list) and typing.get_origin(type) in (dict, Mapping):
        # a set of ids goes in as a list and comes out as a map: what it says of each is not known yet
        return UNKNOWN
    if isinstance(given, list) and typing.get_args(type):
        return [_value(_types.unwrap_type(typing.get_args(type)[0]), item) for item in given]
    return given
