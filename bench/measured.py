"""A comparison of two ways to do the same, and what is allowed."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field


@dataclass
class Series:
    """What one way took, run by run."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle of all runs."""
        return statistics.median(self.values)


@dataclass
class Comparison:
    """Ours against a peer (or against nothing but a limit)."""

    title: str
    unit: str
    ours: Series
    peer: Series | None = None
    target: float | None = None
    """Of ours ÷ peer, or of ours where there is no peer."""
    at_least: bool = False
    """The target is a lower limit."""
    inverse: bool = False
    """The ratio is peer ÷ ours: how many times faster."""
    difference: bool = False
    """The target is of ours less peer, in their unit."""
    note: str = ""
    load: float = 0.0
    """Load of the machine when it began."""

    @property
    def figure(self) -> float:
        """What the target is about."""
        if self.peer is None:
            return self.ours.median
        if self.difference:
            return self.ours.median - self.peer.median
        ratio = self.ours.median / self.peer.median
        return 1 / ratio if self.inverse else ratio

    @property
    def met(self) -> bool | None:
        """Whether the target is met; nothing if there is none."""
        if self.target is None:
            return None
        return self.figure >= self.target if self.at_least else self.figure <= self.target

    @property
    def series(self) -> list[Series]:
        """The ways that were measured."""
        return [s for s in (self.ours, self.peer) if s is not None]
