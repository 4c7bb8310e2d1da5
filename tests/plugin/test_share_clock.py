"""The clock of a share that jumps, or is away: only who was seen to stand still loses a folder."""

import pytest

from azurefile.held import Held
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


@pytest.mark.parametrize("locked", [True, False])
def test_a_jump_of_the_shares_clock_makes_no_living_holder_silent(
    world: World, folder: MemoryFolder, one: Machine, two: Machine, locked: bool
) -> None:
    """A server that starts again may do both: it has another clock, and nobody's lock."""
    lease = one.claim()
    world.ahead = 3600
    if not locked:
        folder.locks.clear()
    with pytest.raises(Held, match="is free in 15 s") as caught:
        two.claim()
    assert caught.value.wait == pytest.approx(TAKEOVER / 4)
    world.now += TAKEOVER / 6
    one.leases.renew(lease)
    world.now += TAKEOVER / 12
    with pytest.raises(Held) as caught:
        two.claim()
    assert caught.value.wait == 0


def test_while_a_share_is_away_nobody_is_silent(world: World, one: Machine, two: Machine) -> None:
    """Its holder could not renew either."""
    one.claim()
    with pytest.raises(Held):
        two.claim()
    world.now += TAKEOVER / 3
    world.ahead = 3600
    with pytest.raises(Held, match="is free in 15 s"):
        two.claim()


@pytest.mark.parametrize("exclusive", ["true", "false"])
def test_a_holder_that_is_long_gone_is_watched_for_a_renewal(
    world: World, one: Machine, two: Machine, exclusive: str
) -> None:
    one.claim(exclusive=exclusive)
    world.now += TAKEOVER * 20
    before = world.now
    two.mount()
    assert world.now - before == pytest.approx(TAKEOVER / 4, abs=1)


def test_a_shares_clock_that_is_set_back_keeps_no_dead_holder(world: World, one: Machine, two: Machine) -> None:
    one.claim()
    world.ahead = -3600
    with pytest.raises(Held, match="is free in 60 s"):
        two.claim()
    before = world.now
    two.mount()
    assert world.now - before == pytest.approx(TAKEOVER, abs=1)
