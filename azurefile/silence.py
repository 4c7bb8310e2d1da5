"""How long records have stood still, by the clock of who looks at them."""

from collections.abc import Callable

from azurefile.owner import Owner


class Silence:
    """What was seen of other hosts' records; whoever renews one writes another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing seen; `clock` is one that nobody sets."""
        self._clock = clock
        # Of each record: its state, and when that was first seen.
        self._seen: dict[str, tuple[tuple[str, float], float]] = {}

    def of(self, owner: Owner, answering_since: float) -> float:
        """Seconds for which the record was seen to be as it is now, on a share that answered all the time.

        While a share is away its holders can't renew, so what passed before `answering_since` tells nothing.
        """
        now, state = self._clock(), (owner.lease, owner.renewed)
        before, since = self._seen.get(owner.key, (None, now))
        since = max(since, answering_since) if before == state else now
        self._seen[owner.key] = state, since
        return now - since
