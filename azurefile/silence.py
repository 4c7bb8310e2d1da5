"""How long records have stood still, by the clock of who looks at them."""

from collections.abc import Callable

from azurefile.owner import Owner


class Silence:
    """What was seen of other hosts' records; whoever renews one writes another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing seen; `clock` is one that nobody sets."""
        self._clock = clock
        self._seen: dict[str, tuple[tuple[str, float], float]] = {}

    def of(self, owner: Owner) -> float:
        """Seconds since the record was first seen as it is now."""
        now, state = self._clock(), (owner.lease, owner.renewed)
        before, since = self._seen.get(owner.key, (None, now))
        if before != state:
            since = now
        self._seen[owner.key] = state, since
        return now - since
