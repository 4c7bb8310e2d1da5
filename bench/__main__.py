"""Runs the measurements that are named. All of PARTS, the default, have a page, and each of PAGES has one."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import compose, machine, picture, report
from bench.azure import measure_azure
from bench.database import measure_database
from bench.machine import BenchError, load, say
from bench.measured import Comparison
from bench.project import DEMO, KEEP, Project
from bench.shares import measure_shares
from bench.stack import measure_empty, measure_stack
from bench.volumes import measure_memory, measure_run, measure_throughput
from bench.wrapper import measure_wrapper
from toolchain import cache, engine

FOLDER = Path(__file__).parent
PARTS = ("stack", "empty", "wrapper", "database", "run", "throughput", "memory")
# each has a page of its own and boots machines
PAGES = {
    "shares": ("SHARES.md", measure_shares, report.SHARES),
    "azure": ("AZURE.md", measure_azure, report.AZURE),
}


def main() -> int:
    """Measures, and leaves nothing behind."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    alone = " or ".join(PAGES)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)} (all of them by default), or {alone} alone")
    parser.add_argument("--rounds", type=int, default=5, help="how often (5)")
    options = parser.parse_args()
    paged = options.parts[0] if len(options.parts) == 1 and options.parts[0] in PAGES else None
    if not paged and (unknown := set(options.parts) - set(PARTS)):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}; {alone} alone")
    # an end by SIGTERM cleans up as Ctrl-C does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = load()
    with cache.lock("bench"):
        engine.ensure()
        machine.remove_everything()
        try:
            if paged:
                file, measure, frame = PAGES[paged]
                comparisons = list(_said(measure(options.rounds)))
                (FOLDER / file).write_text(report.page(frame, comparisons, options.rounds, began))
                return 0
            compose.build()
            comparisons = list(_measure(options.parts or PARTS, options.rounds))
            if not options.parts:
                text = report.page(report.DEMO, comparisons, options.rounds, began)
                (FOLDER / "RESULTS.md").write_text(text)
                (FOLDER / "results.svg").write_text(picture.draw(comparisons))
        except BenchError as error:
            say(str(error))
            return 1
        except KeyboardInterrupt:
            return 130
        finally:
            # a second Ctrl-C must not leave half of it
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            say("removing what was made")
            machine.remove_everything()
            shutil.rmtree(cache.root() / "bench", ignore_errors=True)
    return 0


def _measure(parts: tuple[str, ...], rounds: int) -> Iterator[Comparison]:
    say("building the demo's images and plugin")
    project = Project()
    project.up(KEEP)
    project.up(DEMO)
    for part in parts:
        yield from _said(_part(part, project, rounds))


def _said(comparisons: Iterator[Comparison]) -> Iterator[Comparison]:
    for one in comparisons:
        ours, peer = (report.spread(s, one.unit) if s else "" for s in (one.ours, one.peer))
        print(f"{one.title}: {ours} | {peer} | {report.figure(one)} {report.target(one)}", flush=True)
        yield one


def _part(part: str, project: Project, rounds: int) -> Iterator[Comparison]:
    match part:
        case "stack":
            return measure_stack(project, rounds)
        case "empty":
            return measure_empty(project, rounds)
        case "wrapper":
            return measure_wrapper(project, rounds)
    # the demo would take part of the machine
    project.destroy_all_but_images()
    match part:
        case "memory":
            return measure_memory()
        case "database":
            return measure_database(project.image("mysql"), rounds)
        case "run":
            return measure_run(project.image("writer"), rounds)
        case _:
            return measure_throughput(project.image("writer"), rounds)


sys.exit(main())
