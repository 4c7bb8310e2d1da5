"""The whole demo, and what nothing costs: `pulumi up` beside `docker compose up --wait`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bench import login
from bench.compose import PASSWORD, Compose
from bench.machine import BenchError, Stopwatch, empty_shares, load, say
from bench.measured import Comparison, Series
from bench.project import DEMO, Project

LOGIN_SECONDS = 30
NO_OPS = 3
# a line of the summary, such as "+ 45 created"
CHANGED = re.compile(r"^ +\S+ \d+ (created|updated|replaced|deleted)$", re.MULTILINE)


def measure_stack(project: Project, rounds: int) -> Iterator[Comparison]:
    """Both bring up the same containers and volumes, one after the other, `rounds` times."""
    up, compose_up = Series("pulumi up --skip-preview"), Series("docker compose up --wait")
    no_op, compose_no_op = Series("pulumi up --skip-preview"), Series("docker compose up --wait")
    previewed = Series("pulumi up")
    began = load()
    compose = Compose(project.folder, project)
    for number in range(rounds):
        say(f"stack, round {number + 1} of {rounds}")
        project.destroy_all_but_images()
        empty_shares()
        up.values.append(_until_login(project))
        for _ in range(NO_OPS):
            no_op.values.append(_unchanged(project, preview=False))
            previewed.values.append(_unchanged(project, preview=True))
        project.destroy_all_but_images()
        empty_shares()

        clock = Stopwatch()
        compose.up()
        login.wait_until_accepted(compose.port, PASSWORD, LOGIN_SECONDS)
        compose_up.values.append(clock.seconds)
        for _ in range(NO_OPS):
            clock = Stopwatch()
            compose.up()
            compose_no_op.values.append(clock.seconds)
        compose.down()
    yield Comparison(
        "The demo up, until every login works",
        "s",
        up,
        compose_up,
        1.25,
        note="4 volumes, 5 containers, MySQL on an empty volume; images and plugin are there",
        load=began,
    )
    yield Comparison("Nothing to do", "s", no_op, compose_no_op, 1.5, load=began)
    yield Comparison("Nothing to do, with preview", "s", previewed, compose_no_op, load=began)


def _until_login(project: Project) -> float:
    clock = Stopwatch()
    project.up(DEMO)
    returned = clock.seconds
    # the password is made in the run, and reading it is no part of that
    password = project.password()
    clock = Stopwatch()
    login.wait_until_accepted(project.port, password, LOGIN_SECONDS)
    return returned + clock.seconds


def _unchanged(project: Project, *, preview: bool) -> float:
    clock = Stopwatch()
    said = project.up(DEMO, preview=preview)
    seconds = clock.seconds
    if CHANGED.search(said) or " unchanged" not in said:
        raise BenchError(f"something changed:\n{said}")
    return seconds


def measure_empty(project: Project, rounds: int) -> Iterator[Comparison]:
    """From a stack without resources: bases are imported and images built, from the layers the engine still has."""
    series = Series("pulumi up --skip-preview")
    began = load()
    for number in range(rounds):
        say(f"empty state, round {number + 1} of {rounds}")
        project.destroy()
        empty_shares()
        series.values.append(_until_login(project))
    yield Comparison(
        "The demo from an empty state",
        "s",
        series,
        target=60,
        note="images built from the layers that the engine still has; the plugin is adopted",
        load=began,
    )
