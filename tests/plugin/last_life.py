"""What a life of the plugin leaves to the next."""

import dataclasses

from azurefile import liveness
from azurefile.driver import Driver
from tests.plugin.shared import Machine, MemoryFolder, World


async def leave_mounted(driver: Driver, world: World, folder: MemoryFolder, **given: str) -> None:
    """What a life of the plugin leaves that ended while volume `dbs` was mounted."""
    await driver.create("dbs", {"share": "dbs", "exclusive": "true", **given})
    lease = Machine(world, folder, "one").claim(exclusive=given.get("exclusive", "true"))
    driver._attachments.of("dbs").add("a", 1.0)
    driver._restorer._memory.save(dataclasses.replace(lease, confirmed=liveness.clock()))
