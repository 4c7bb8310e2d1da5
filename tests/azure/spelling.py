"""How Azure spells the values of an enum: a program may write them in other letters, large or small."""

from __future__ import annotations

from tests.azure import schema
from tests.azure.kinds import Kind
from tests.azure.sizes import SIZES

SIZE = "hardwareProfile.vmSize"
# properties of several values in one text
SEVERAL = frozenset({"networkRuleSet.bypass"})


def spelt(kind: Kind, type: schema.Type, path: str, value: str) -> str:
    """Returns a value as Azure keeps it; what is no value of the enum stays as it is."""
    if path in SEVERAL:
        return ", ".join(values_in(path, value))
    # storage takes them as they stand in the specification
    if kind.token.startswith("azure-native:storage:"):
        return value
    known = SIZES if path == SIZE else type.values
    return next((name for name in known if name.lower() == value.lower()), value)


def values_in(path: str, value: str) -> list[str]:
    """Returns the values that stand in a text."""
    return [part.strip() for part in value.split(",")] if path in SEVERAL else [value]
