"""One resource in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.azure.kinds import KINDS, Kind
from tests.azure.limits import region
from tests.azure.values import at, strings

# properties whose texts say nothing to Azure, whatever they look like
FREE = frozenset({"description", "metadata", "parameters", "protectedParameters", "tags"})


@dataclass
class Resource:
    """What somebody asked for, and what the cloud knows beside it."""

    kind: Kind
    id: str
    inputs: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    """Such as an address that was allocated: kept when the inputs change."""

    @property
    def key(self) -> str:
        """Its id as one compares it: Azure's ids have no case."""
        return self.id.lower()

    @property
    def name(self) -> str:
        return self.id.rsplit("/", 1)[1]

    @property
    def group(self) -> str:
        return self.id.split("/")[4]

    @property
    def location(self) -> str:
        """Its region, empty for what is part of another resource."""
        return region(self.inputs.get("location", ""))

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yields the texts of its inputs that Azure reads, each with the path that leads there."""
        return strings({name: value for name, value in self.inputs.items() if name not in FREE})

    def references(self) -> Iterator[tuple[str, str]]:
        """Yields the ids that its inputs name, each with the path that leads there."""
        return ((path, text) for path, text in self.texts() if text.lower().startswith("/subscriptions/"))

    def inputs_at(self, path: str) -> list[Any]:
        return [value for _, value in at(self.inputs, path)]

    def to_json(self) -> dict[str, Any]:
        return {"token": self.kind.token, "id": self.id, "inputs": self.inputs, "facts": self.facts}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Resource:
        return cls(KINDS[stored["token"]], stored["id"], stored["inputs"], stored["facts"])
