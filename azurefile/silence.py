"""How long records have stood still, by the clock of who looks at them."""

from collections.abc import Callable

from azurefile.owner import Owner

# Between two looks that are further apart the share may have been away, and its holder unable to renew.
_GAP_SECONDS = 5.0


class Silence:
    """What was seen of other hosts' records; whoever renews one writes another."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing seen; `clock` is one that nobody sets."""
        self._clock = clock
        # Of each record: its state, when that was first seen, and when it was last looked at.
        self._seen: dict[str, tuple[tuple[str, float], float, float]] = {}

    def of(self, owner: Owner) -> float:
        """Seconds for which the record was seen to be as it is now, in looks that follow each other closely."""
        now, state = self._clock(), (owner.lease, owner.renewed)
        before, since, last = self._seen.get(owner.key, (None, now, now))
        if before != state or now - last > _GAP_SECONDS:
            since = now
        self._seen[owner.key] = state, since, now
        return now - since
