"""The results as a page."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import docker, load
from bench.measured import Comparison, Series

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Frame:
    """What a page says before and after its figures, in Markdown."""

    introduction: str
    method: str


DEMO = Frame(
    introduction="""# How fast it is

`./bench/run` measures all of this in one run, side by side: ours, the peer, ours again. It writes this page and the
picture. Bars are medians, the thin lines go from the fastest run to the slowest.

![Medians of each measurement beside its peer, and the limits](results.svg)

""",
    method="""
## How it is measured

- **The demo up.** Both start from images and plugin alone. Ours: a full `up`, then `destroy --target` of every
  container, volume, share and password, so that the next `up` makes just these; the host, the images and the plugin
  are in its state and are compared as ever. The peer: `docker compose up --wait` of a file that is written from the
  running demo (`docker inspect`): the same images, entry points, health check, restart policy, ports, and volumes of
  the same driver, which is external to it. It takes the password from a file, as ours does, and runs as a program of
  its own, without the docker CLI before it. Both volumes are emptied before. Both clocks stop when root has logged in
  over TCP. Another stack of the project holds the plugin.
- **Nothing to do.** The same command again, on what stands. Ours compares each resource of the stack with its state
  and asks the database's health; compose asks the engine about its containers.
- **From an empty state.** After `destroy`: base images are imported, images built, the plugin (which the other stack
  holds) adopted, then all the rest. The toolchain is there, and the engine uses what layers it still has of earlier
  builds. There is no peer for this.
- **The wrapper.** `./pulumiw` and the CLI that it becomes, with the same command and environment, toolchain and all
  there: one command that needs no stack, and one that has the wrapper look for backend, stack and dead locks.
- **A database starts.** From `docker run` to the first login over TCP, tried every 10 ms. The peer is the same server
  with the same settings, made ready as the official image's entry point does it: `mysqld --initialize-insecure`, a
  temporary server that loads the time zones (which our template has) and sets root's password, and then the server.
  What else that entry point does, such as asking `mysqld --verbose --help` for each path, is left out.
- **docker run.** `docker run --rm -v VOLUME:/data IMAGE true`, end to end.
- **Throughput.** `dd` on one file, through both drivers in turn: the peer is a volume of the local driver that is bound
  to the folder of our share, since where a file comes to lie on the disk changes its speed by a tenth and more. Pages
  are dropped before it is read.
- **Memory.** The proportional set size of all processes in the plugin's control group.

No result is cached and no comparison skipped: `pulumi up` runs as its user would run it. Logging in is checked by a
client of the bench's own (`login.py`). Names start with `ddbench-`; all of it is removed at the end.
""",
)


SHARES = Frame(
    introduction="""# How fast shares are

`./bench/run shares` measures all of this in one run and writes this page: real SMB and NFS in a Debian 12 machine under
QEMU, servers (samba, nfs-ganesha) beside it. Without hardware virtualisation such a machine is some ten times slower
than the one that it runs on, so look at the ratios, and at the MySQL figures beside each other.

""",
    method="""
## How it is measured

- **Mounting.** `VolumeDriver.Mount` at the plugin's own socket, against `mount` with the same options, in turn. The
  volume is unmounted after each. What an emulated processor makes of the fence's share of it (some twenty calls to the
  server, encrypted in user space) is told by a line of its own, without emulation: there a folder is bound in place
  of the share, by the plugin and by hand, and the fence on a real server is all the rest.
- **Files.** `dd` in the machine on both mounts in turn. The mount by hand gets the options that the kernel shows of
  the plugin's; the run ends if the kernel then shows any other for it. Over SMB both have a connection of their own;
  over NFS the kernel lets two mounts of one export share theirs.
- **rclone.** `rclone mount` of the same share, without its cache. It takes no notice of `fsync`, and `close` waits
  until the server has the file: whoever must have 4 KiB there before the next writes them into an open file with
  `O_DSYNC` over ours, and closes a file for each over rclone. In the second line both close a file for each; of the
  seven requests that the kernel's client sends for one that is there already, no mount option spares any. The 32 MiB
  are `dd`'s over rclone, too, with its `close` in place of `fsync`.
- **Memory.** The proportional set size of all processes in the plugin's control group: once 200 volumes are created,
  and once each of them has been mounted and unmounted.
- **MySQL.** One connection, a row of 100 bytes a transaction, for 20 seconds inside the server; `for=database`,
  `exclusive=true`, and the server's own defaults, by which each transaction is on the disk before the next begins.
""",
)


AZURE = Frame(
    introduction="""# How fast staging is

`./bench/run azure` measures all of this in one run and writes this page: the committed stack `staging` against the
project's stand-in for Azure, whose machine is a Debian 12 under QEMU and whose shares are samba's. Azure's own time
can't be measured so; what is measured is ours.

""",
    method="""
## How it is measured

- **Preview.** `./pulumiw preview --stack staging`, nothing made yet, beside the same command with a program that only
  imports the modules of `pulumi_azure_native` that ours does. In turn.
- **From a booted machine.** Ours: from the moment that the machine's bootstrap is done (its run command is created)
  until `up` has returned and each writer has written a line to the share. By hand: on another machine that has just
  booted (`up --target` of what Azure makes), by an `ssh` that keeps its connection: the build contexts are sent and
  built, then the key's file, `docker plugin enable`, the volumes, the containers, waiting for the database's health and
  the writers' lines. On both the engine has the base images and the layers of earlier builds, and the plugin, disabled.
""",
)


def page(frame: Frame, comparisons: Sequence[Comparison], rounds: int, began_load: float) -> str:
    """Returns what was measured as a page, in Markdown; `began_load` is the machine's load before."""
    return frame.introduction + _table(comparisons, rounds, began_load) + frame.method


def _table(comparisons: Sequence[Comparison], rounds: int, began_load: float) -> str:
    lines = [_machine(rounds, began_load), ""]
    lines += [
        "| what | ours: median (min to max) | peer: median (min to max) | ratio | target | met |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [_row(c) for c in comparisons]
    return "\n".join(lines) + "\n"


def _machine(rounds: int, began_load: float) -> str:
    engine = docker("version", "--format", "{{.Server.Version}}")
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {_memory()} GB of memory, "
        f"Linux {platform.release()}, Python {platform.python_version()}, Docker {engine}. "
        f"{rounds} rounds. Load of the machine (1 minute) {began_load:.1f} before the first and {load():.1f} after the "
        "last; what runs here raises it itself."
    )


def _memory() -> int:
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return round(kilobytes / 1e6)


def _row(one: Comparison) -> str:
    what = one.title + (f"<br>{one.note}" if one.note else "")
    ratio = figure(one) if one.peer else ""
    met = {True: "yes", False: "**no**", None: ""}[one.met]
    return f"| {what} | {spread(one.ours, one.unit)} | {_peer(one)} | {ratio} | {target(one)} | {met} |"


def _peer(one: Comparison) -> str:
    return f"{spread(one.peer, one.unit)}<br>{one.peer.name}" if one.peer else ""


def figure(one: Comparison) -> str:
    """What the target is about, in words."""
    if one.peer is None:
        return f"{one.figure:.0f} {one.unit}"
    if one.difference:
        return f"{one.figure:+.3f} {one.unit}"
    return f"{one.figure:.2f}{TIMES}" + (" faster" if one.inverse else "")


def target(one: Comparison) -> str:
    """The target in words."""
    if one.target is None:
        return ""
    limit = (
        f"{one.target:+g} {one.unit}" if one.difference else f"{one.target:g}{TIMES if one.peer else f' {one.unit}'}"
    )
    return f"{'≥' if one.at_least else '≤'} {limit}"


def spread(series: Series, unit: str) -> str:
    """Median, and from where to where, of how many."""
    digits = 2 if max(series.values) < 100 else 0
    low, high = min(series.values), max(series.values)
    count = len(series.values)
    if count == 1:
        return f"{series.median:.{digits}f} {unit}"
    return f"{series.median:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f}; {count}{TIMES})"
