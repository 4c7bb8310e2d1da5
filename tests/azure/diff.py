"""What changes between two sets of inputs, and what that does (provider/pkg/provider/diff.go of azure-native)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.azure.kinds import Kind
from tests.azure.limits import region

CREATE_BEFORE_DELETE = "__createBeforeDelete"
ADD, DELETE, UPDATE = "ADD", "DELETE", "UPDATE"


def detailed(kind: Kind, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Returns the properties that differ, by path, and how: ADD, DELETE, UPDATE, or one of them with _REPLACE."""
    forces = {*kind.names, *kind.replaced_by}
    found = {}
    for path, how in _differences(_comparable(old), _comparable(new), ""):
        top = path.split(".")[0].split("[")[0]
        # of what is inside such a property only a changed value forces, not one more or one less
        found[path] = f"{how}_REPLACE" if top in forces and (how == UPDATE or path == top) else how
    return found


def applied(inputs: dict[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Returns inputs with what has changed between two sets of outputs: what a refresh finds (applyDiff)."""
    result = {name: value for name, value in inputs.items() if name not in old or name in new}
    for name, value in new.items():
        if name not in old:
            result[name] = value
        elif old[name] != value:
            result[name] = _applied(inputs.get(name), old[name], value)
    return result


def _applied(base: Any, old: Any, new: Any) -> Any:
    if isinstance(base, dict) and isinstance(old, dict) and isinstance(new, dict):
        return applied(base, old, new)
    if isinstance(base, list) and isinstance(old, list) and isinstance(new, list):
        return [_applied(base[i], old[i], item) if i < min(len(base), len(old)) else item for i, item in enumerate(new)]
    return new


def _comparable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in inputs.items() if not name.startswith("__")}
    if isinstance(kept.get("location"), str):
        kept["location"] = region(kept["location"])
    return kept


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            inner = f"{path}.{name}" if path else name
            if name not in old:
                yield inner, ADD
            elif name not in new:
                yield inner, DELETE
            else:
                yield from _differences(old[name], new[name], inner)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old):
                yield inner, ADD
            elif index >= len(new):
                yield inner, DELETE
            else:
                yield from _differences(old[index], new[index], inner)
    elif old != new:
        yield path, UPDATE
