"""Values in properties, by path: `a.b` goes down, `[]` goes into each item of an array."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

# what stands for a value that is not known yet: UnknownStringValue, sdk/go/common/resource/plugin/rpc.go of Pulumi
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"


def at(properties: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields what a path leads to, each with the path as it was gone: `a[1].b`. What is not there is left out."""
    yield from _at(properties, path.replace("[]", ".[]").split("."), "")


def one(properties: Any, path: str, default: Any = None) -> Any:
    """Returns the first value that a path leads to."""
    return next((value for _, value in at(properties, path)), default)


def strings(properties: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yields each text in properties, with the path that leads to it."""
    if isinstance(properties, str):
        yield path, properties
    elif isinstance(properties, Mapping):
        for name, value in properties.items():
            yield from strings(value, f"{path}.{name}" if path else name)
    elif isinstance(properties, list):
        for index, value in enumerate(properties):
            yield from strings(value, f"{path}[{index}]")


def merged(old: Any, new: Any) -> Any:
    """Returns new properties over old ones: what the new ones leave out stays."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}


def is_unknown(value: Any) -> bool:
    return isinstance(value, str) and value == UNKNOWN


def has_unknown(value: Any) -> bool:
    """Whether a value or one inside it is not known yet."""
    if isinstance(value, Mapping):
        return any(has_unknown(v) for v in value.values())
    if isinstance(value, list):
        return any(has_unknown(v) for v in value)
    return is_unknown(value)


def plain(value: Any) -> Any:
    """Returns a value without the envelopes of secrets and outputs, without nulls, and with whole numbers as such."""
    if isinstance(value, Mapping):
        signature = value.get(SIGNATURE)
        if signature is not None:
            return plain(value.get("value", UNKNOWN))
        return {name: plain(v) for name, v in value.items() if v is not None}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return copy.copy(value)


def _at(value: Any, steps: list[str], gone: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield gone, value
    elif steps[0] == "[]":
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _at(item, steps[1:], f"{gone}[{index}]")
    elif isinstance(value, Mapping) and value.get(steps[0]) is not None:
        yield from _at(value[steps[0]], steps[1:], f"{gone}.{steps[0]}" if gone else steps[0])
