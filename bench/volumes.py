"""A volume of the plugin beside one of the engine's own driver: a container's run, file throughput, memory."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from bench.machine import DRIVER, PREFIX, ROOT, BenchError, Stopwatch, docker, load, say, volume
from bench.measured import Comparison, Series

RUNS_PER_ROUND = 4
FILES_PER_ROUND = 20
IDLE_VOLUMES = 200
OURS, LOCAL = f"{PREFIX}plugin", f"{PREFIX}local"

# each ends with a line of dd's that has the figure
WRITE = "dd if=/dev/zero of=$folder/file bs=1M count=256 conv=fsync"
# the pages are dropped first, so that it is read from the disk
READ = "dd of=$folder/file oflag=nocache conv=notrunc,fdatasync count=0; dd if=$folder/file of=/dev/null bs=1M"
SMALL = "dd if=/dev/zero of=$folder/small bs=4k count=1000 oflag=dsync"
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
    """The same file through both drivers: where on the disk a file comes to lie matters more than either of them."""
    began = load()
    with volume(OURS, "-d", DRIVER, "-o", f"share={OURS}"):
        # the share's folder is made when it is mounted
        docker("run", "--rm", "--volume", f"{OURS}:/ours", "--entrypoint", "true", image)
        bound = ("type=none", "o=bind", f"device={ROOT}/shares/{OURS}")
        with volume(LOCAL, *(part for option in bound for part in ("--opt", option))):
            yield from _throughput(image, rounds, began)


def _throughput(image: str, rounds: int, began: float) -> Iterator[Comparison]:
    for title, task in TASKS.items():
        say(title)
        ours, peer = Series("volume of the plugin"), Series("volume of the local driver")
        # whoever comes second may find the disk busy with what the first one left, so each is first in turn
        order = ["/ours", "/local", "/local", "/ours"] * (rounds * FILES_PER_ROUND // 2)
        for folder, rate in zip(order, _rates(image, task, order), strict=True):
            (ours if folder == "/ours" else peer).values.append(rate)
        yield Comparison(title, "MB/s", ours, peer, 0.98, at_least=True, load=began)


def _rates(image: str, task: str, folders: list[str]) -> list[float]:
    script = f"export LC_ALL=C; for folder in {' '.join(folders)}; do echo next; {{ {task}; }} 2>&1; done"
    mounts = ["--volume", f"{OURS}:/ours", "--volume", f"{LOCAL}:/local"]
    said = docker("run", "--rm", *mounts, "--entrypoint", "sh", image, "-ec", script)
    rates = []
    for run in said.split("next\n")[1:]:
        size, seconds = re.findall(r"^(\d+) bytes .*, ([\d.e-]+) s,", run, re.MULTILINE)[-1]
        rates.append(float(size) / float(seconds) / 1e6)
    return rates


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
