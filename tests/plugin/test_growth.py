"""Mounts and unmounts for ever: nothing is kept of one that is over."""

import asyncio
import gc
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.drivers import driver_in
from tests.plugin.harness import REPOSITORY, PluginProcess, open_descriptors, resident_kilobytes

pytestmark = pytest.mark.root

CYCLES = 10_000
COUNTED_CYCLES = 1000
WARM = 500
WINDOWS = 4
# Python takes memory by the megabyte, and so does each new thread: still less than one kept object a cycle.
SPARE_KILOBYTES = 4096


def test_cycles_leave_memory_and_descriptors_flat(plugin: PluginProcess) -> None:
    plugin.create("logs", share="logs")

    def cycle(number: int) -> None:
        plugin.mount("logs", f"id{number}")
        plugin.unmount("logs", f"id{number}")

    for number in range(WARM):
        cycle(number)
    before = open_descriptors(plugin.pid), resident_kilobytes(plugin.pid, "Pss_Anon")
    for number in range(CYCLES):
        cycle(number)
    after = open_descriptors(plugin.pid), resident_kilobytes(plugin.pid, "Pss_Anon")
    assert after[0] <= before[0] + 1
    assert after[1] - before[1] < SPARE_KILOBYTES, (before, after)


def test_the_kernel_gives_no_huge_pages_of_its_own_accord(plugin: PluginProcess) -> None:
    """Whether it would is the machine's setting, so the process's is looked at."""
    assert "THP_enabled:\t0" in Path(f"/proc/{plugin.pid}/status").read_text().splitlines()


def test_cycles_leave_no_object_behind(tmp_path: Path) -> None:
    """Counted by Python itself, whose memory as the kernel sees it goes in steps."""
    driver = driver_in(tmp_path)

    async def cycles(count: int) -> int:
        for number in range(count):
            await driver.mount("logs", f"id{number}")
            await driver.unmount("logs", f"id{number}")
        gc.collect()
        return sys.getallocatedblocks()

    async def measure() -> list[int]:
        await driver.create("logs", {"share": "logs"})
        return [await cycles(WARM), *[await cycles(COUNTED_CYCLES // WINDOWS) for _ in range(WINDOWS)]]

    blocks = asyncio.run(measure())
    # what is kept grows in each of them; what else runs in this process comes once
    grown = [after - before for before, after in itertools.pairwise(blocks)]
    assert min(grown) < COUNTED_CYCLES // WINDOWS // 10, grown


def test_the_cycles_that_run_in_a_machine_need_pythons_own_library_alone() -> None:
    subprocess.run([sys.executable, "-S", "-c", "import tests.plugin.cycles"], cwd=REPOSITORY, check=True)
