"""Runs in a machine, `python3 -m tests.plugin.cycles COUNT VOLUME OTHER`: mounts again and again at the socket.

VOLUME and OTHER are exclusive volumes of one folder. A stand-in engine tells of the holders, since a real container
takes an emulated machine seconds. Prints a JSON object of what `Cycles` has.
"""

import dataclasses
import glob
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.plugin.fake_engine import FakeEngine
from tests.plugin.harness import UnixConnection, children, open_descriptors, resident_kilobytes

ENGINE = Path("/run/standin.sock")
WARM = 60
EVERY = 20


@dataclass
class Cycles:
    """What was seen."""

    refusals: list[str] = field(default_factory=list)
    """Of Mounts right after the one holder was killed, or had unmounted."""
    killed: int = 0
    unmounted: int = 0
    slowest: float = 0.0
    """Seconds of a Mount."""
    descriptors: list[int] = field(default_factory=list)
    """Of the plugin: once it was warm, then after every EVERY Mounts."""
    kilobytes: list[int] = field(default_factory=list)
    """Of the plugin's own memory, likewise."""


def call(path: str, **body: Any) -> dict[str, Any]:
    connection = UnixConnection(Path(glob.glob("/run/docker/plugins/*/azurefile.sock")[0]))
    connection.request("POST", f"/VolumeDriver.{path}", json.dumps(body))
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def plugin_pid() -> int:
    """The process that does its work."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        if b"-m\0azurefile\0" in entry.read_bytes() and (found := children(int(entry.parent.name))):
            return found[0]
    raise LookupError("the plugin does not run")


def measure(cycles: Cycles) -> None:
    cycles.descriptors.append(open_descriptors(plugin_pid()))
    cycles.kilobytes.append(resident_kilobytes(plugin_pid(), "Pss_Anon"))


def named(volume: str) -> bool:
    return any(holder.get("pid") for holder in call("Get", Name=volume)["Volume"]["Status"].get("holders", []))


def run(count: int, volumes: list[str]) -> Cycles:
    """Every other holder is killed, the rest unmount. Of the next Mounts half are of the same volume."""
    cycles = Cycles()
    engine = FakeEngine(ENGINE)
    engine.wait_for_listener()
    for number in range(count + WARM):
        if number >= WARM and number % EVERY == 0:
            measure(cycles)
        volume = volumes[number // 2 % 4 // 2]
        started = time.monotonic()
        answer = call("Mount", Name=volume, ID=f"id{number}")
        cycles.slowest = max(cycles.slowest, time.monotonic() - started)
        if answer.get("Err"):
            cycles.refusals.append(answer["Err"])
            continue
        container = engine.run(f"container{number}", volume)
        while not named(volume):
            time.sleep(0.02)
        container.kill()
        if number % 2:
            cycles.killed += 1
        else:
            call("Unmount", Name=volume, ID=f"id{number}")
            cycles.unmounted += 1
        engine.containers.remove(container)
    call("Unmount", Name=volume, ID=f"id{number}")
    measure(cycles)
    engine.close()
    return cycles


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(run(int(sys.argv[1]), sys.argv[2:]))))
