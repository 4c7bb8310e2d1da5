"""What the SDK itself says of azure-native's types: names, types, what is required, which values an enum has.

Everything is read from the annotated classes of the installed pulumi-azure-native, with the same functions with which
Pulumi's SDK reads them. Names are the provider's, in camelCase.
"""

from __future__ import annotations

import collections.abc
import enum
import functools
import importlib
import inspect
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi import _types

SCALARS: dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True)
class Type:
    """One type of a property."""

    name: str
    """string, integer, number, boolean, array, map, object or any."""
    values: tuple[str, ...] = ()
    """The values of an enum."""
    items: Type | None = None
    """What an array or a map holds."""
    properties: Any = None
    """The SDK's class of an object, see `properties`."""


@dataclass(frozen=True)
class Property:
    """One property of an object."""

    type: Type
    required: bool


def resource_class(token: str) -> Any:
    """Returns the SDK's class for a type token such as azure-native:network:Subnet."""
    _, module, name = token.split(":")
    return getattr(_module(module), name)


def inputs(token: str) -> Mapping[str, Property]:
    """Returns what a resource's class takes."""
    module = importlib.import_module(resource_class(token).__module__)
    # its arguments are the first that the module exports, called …Args or …InitArgs
    return properties(getattr(module, module.__all__[0]))


@functools.cache
def properties(args: Any) -> Mapping[str, Property]:
    """Returns the properties of one of the SDK's input classes."""
    to_camel = _types.input_type_py_to_pulumi_names(args)
    parameters = inspect.signature(args.__init__).parameters
    required = {to_camel[name] for name, p in parameters.items() if name in to_camel and p.default is p.empty}
    return {name: Property(_type(hint), name in required) for name, hint in _types.input_type_types(args).items()}


@functools.cache
def outputs(token: str) -> Mapping[str, Any]:
    """Returns the outputs of a resource's class: their names and the SDK's types."""
    return _types.resource_types(resource_class(token))


@functools.cache
def required_outputs(token: str) -> frozenset[str]:
    """Returns the outputs that Azure always gives."""
    hints = _types._raw_return_hints(resource_class(token))
    return frozenset(
        name for name, hint in hints.items() if type(None) not in typing.get_args(typing.get_args(hint)[0])
    )


@functools.cache
def api_version(token: str) -> str:
    """Returns the version of Azure's interface that the SDK's class is for."""
    text = "\n".join(overload.__doc__ or "" for overload in typing.get_overloads(resource_class(token).__init__))
    found = re.search(r"Uses Azure REST API version ([\d-]+(-preview)?)", text)
    assert found, token
    return found[1]


def _module(name: str) -> Any:
    # by name: what the SDK has is looked up, and its 15 MB are no business of the type checker
    return importlib.import_module(f"pulumi_azure_native.{name}")


def _type(hint: Any) -> Type:
    if _types.is_input_type(hint):
        return Type("object", properties=hint)
    if hint in SCALARS:
        return Type(SCALARS[hint])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Type("string", values=tuple(str(member.value) for member in hint))
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (collections.abc.Sequence, list):
        return Type("array", items=_type(_types.unwrap_type(args[0])))
    if origin in (collections.abc.Mapping, dict):
        return Type("map", items=_type(_types.unwrap_type(args[1])))
    if origin in (typing.Union, types.UnionType):
        return _union([_type(a) for a in args if a is not type(None) and _is_plain(a)])
    return Type("any")


def _union(members: list[Type]) -> Type:
    """A string and an enum are the enum: Azure refuses what its own list lacks."""
    for member in members:
        if member.values or member.name == "object":
            return member
    return members[0] if members else Type("any")


def _is_plain(hint: Any) -> bool:
    return getattr(typing.get_origin(hint), "__name__", "") not in ("Awaitable", "Output")
