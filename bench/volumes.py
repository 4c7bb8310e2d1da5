"""A volume of the plugin beside one of the engine's own driver: a container's run, file throughput, memory."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from bench.machine import DRIVER, PREFIX, BenchError, Stopwatch, docker, load, say, volume
from bench.measured import Comparison, Series

RUNS_PER_ROUND = 4
IDLE_VOLUMES = 200
OURS, LOCAL = f"{PREFIX}plugin", f"{PREFIX}local"

# each prints one line that ends with dd's figure
WRITE = "dd if=/dev/zero of=/data/file bs=1M count=256 conv=fsync"
# the pages are dropped first, so that it is read from the disk
READ = "dd of=/data/file oflag=nocache conv=notrunc,fdatasync count=0; dd if=/data/file of=/dev/null bs=1M"
SMALL = "dd if=/dev/zero of=/data/small bs=4k count=1000 oflag=dsync"
TASKS = {"256 MiB written, then fsync": WRITE, "256 MiB read back": READ, "4 KiB writes, each synced": SMALL}


def measure_run(image: str, rounds: int) -> Iterator[Comparison]:
    """`docker run --rm` with a volume, end to end."""
    ours, peer = Series("volume of the plugin"), Series("volume of the local driver")
    began = load()
    say(f"docker run, {rounds * RUNS_PER_ROUND} times each")
    with _both():
        for _ in range(rounds * RUNS_PER_ROUND):
            for series, name in ((ours, OURS), (peer, LOCAL)):
                clock = Stopwatch()
                docker("run", "--rm", "--volume", f"{name}:/data", "--entrypoint", "true", image)
                series.values.append(clock.seconds)
    yield Comparison("docker run --rm with a volume", "s", ours, peer, 1.2, load=began)


def measure_throughput(image: str, rounds: int) -> Iterator[Comparison]:
    """Files through both drivers, which both end on the machine's own disk."""
    began = load()
    with _both():
        for title, task in TASKS.items():
            say(title)
            ours, peer = Series("volume of the plugin"), Series("volume of the local driver")
            for number in range(rounds * RUNS_PER_ROUND):
                pair = [(ours, OURS), (peer, LOCAL)]
                # whoever comes second may find the disk busy with what the first one left
                for series, name in pair if number % 2 else reversed(pair):
                    series.values.append(_rate(image, name, task))
            yield Comparison(title, "MB/s", ours, peer, 0.98, at_least=True, load=began)


def _rate(image: str, name: str, task: str) -> float:
    command = ["--entrypoint", "sh", image, "-ec", f"exec 2>&1; export LC_ALL=C; {task}"]
    said = docker("run", "--rm", "--volume", f"{name}:/data", *command)
    size, seconds = re.findall(r"^(\d+) bytes .*, ([\d.e-]+) s,", said, re.MULTILINE)[-1]
    return float(size) / float(seconds) / 1e6


def measure_memory() -> Iterator[Comparison]:
    """What the plugin's processes need while many volumes stand idle."""
    series = Series(f"the plugin with {IDLE_VOLUMES} volumes")
    began = load()
    say(f"memory with {IDLE_VOLUMES} volumes")
    names = [f"{PREFIX}idle-{number}" for number in range(IDLE_VOLUMES)]
    try:
        for name in names:
            docker("volume", "create", "-d", DRIVER, "-o", f"share={PREFIX}idle", name)
        docker("volume", "ls")
        series.values.append(_plugin_memory())
    finally:
        docker("volume", "rm", *names, check=False)
    yield Comparison("Memory of the plugin (PSS)", "MB", series, target=64, load=began)


def _plugin_memory() -> float:
    identity = docker("plugin", "inspect", "--format", "{{.Id}}", DRIVER)
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if identity in (process / "cgroup").read_text():
                rollup = (process / "smaps_rollup").read_text()
                total += int(re.findall(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)[0]) * 1024
        except (OSError, IndexError):
            continue
    if not total:
        raise BenchError(f"no process of the plugin {DRIVER} was found")
    return total / 1e6


@contextlib.contextmanager
def _both() -> Iterator[None]:
    with volume(OURS, "-d", DRIVER, "-o", f"share={OURS}"), volume(LOCAL):
        yield
