"""Who must stop because the share did not confirm its lease."""

import shutil
from pathlib import Path

from azurefile.keeper import Keeper
from azurefile.lease import Lease
from azurefile.leasememory import LeaseMemory
from tests.plugin.harness import eventually
from tests.plugin.shared import TAKEOVER, Machine, MemoryFolder, World


def test_the_keeper_gives_up_what_was_not_confirmed_and_what_was_taken(
    world: World, one: Machine, two: Machine
) -> None:
    lost: list[Lease] = []
    keeper = Keeper(one.leases, TAKEOVER, lost.append)
    one.claim("a", folder="a")
    world.now += TAKEOVER
    two.claim("a", folder="a")
    one.claim("b", folder="b")
    keeper.renew(one.store)
    eventually(lambda: _assert_lost(lost, ["a"]))
    assert lost[0].taken
    world.share_down = True
    world.now += TAKEOVER
    keeper.renew(one.store)
    keeper.look()
    eventually(lambda: _assert_lost(lost, ["a", "b"]))
    assert lost[1].lost == "no renewal for 30 s"
    keeper.look()
    _assert_lost(lost, ["a", "b"])


def _assert_lost(lost: list[Lease], volumes: list[str]) -> None:
    assert [lease.owner.volume for lease in lost] == volumes


def test_a_full_disk_keeps_no_lease_from_its_renewal(world: World, folder: MemoryFolder, tmp_path: Path) -> None:
    memory = LeaseMemory(tmp_path / "leases")
    one = Machine(world, folder, "one", memory=memory)
    held = [one.claim(name, folder=name) for name in ("a", "b")]
    shutil.rmtree(tmp_path / "leases")
    world.now += 10
    Keeper(one.leases, TAKEOVER, lambda _: None).renew(one.store)
    assert [lease.confirmed for lease in held] == [world.now, world.now]
