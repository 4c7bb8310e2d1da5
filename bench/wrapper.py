"""What the wrapper costs where it has nothing to do: `./pulumiw` beside the `pulumi` that it becomes."""

from __future__ import annotations

from collections.abc import Iterator

from bench.machine import Stopwatch, load, say
from bench.measured import Comparison, Series
from bench.project import DEMO, Project

RUNS_PER_ROUND = 3
# the first needs no stack, the second a backend and a stack
COMMANDS = {"version": ["version"], "stack output": ["stack", "output", "--stack", DEMO]}


def measure_wrapper(project: Project, rounds: int) -> Iterator[Comparison]:
    """The same command both ways, in turn."""
    for title, command in COMMANDS.items():
        began = load()
        say(f"pulumi {title}, {rounds * RUNS_PER_ROUND} times each")
        ours, peer = Series("./pulumiw"), Series("pulumi")
        for _ in range(rounds * RUNS_PER_ROUND):
            for series, run in ((ours, project.wrapped), (peer, project.pulumi)):
                clock = Stopwatch()
                run(*command)
                series.values.append(clock.seconds)
        yield Comparison(f"The wrapper: {title}", "s", ours, peer, 0.3, difference=True, load=began)
