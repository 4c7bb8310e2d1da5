"""A MySQL server on an empty volume: with the image's template, and initialised as the official image does it."""

from __future__ import annotations

from collections.abc import Iterator

from bench import login
from bench.machine import DRIVER, PREFIX, Stopwatch, docker, empty_shares, free_port, load, say, volume
from bench.measured import Comparison, Series

PASSWORD = "bench"
SECONDS = 120
# without a template the entrypoint runs `mysqld --initialize-insecure`, then the server
HIDDEN = ("--mount", "type=tmpfs,destination=/usr/share/mysql-template")


def measure_database(image: str, rounds: int) -> Iterator[Comparison]:
    """From `docker run` to the first login over TCP, tried every 10 ms."""
    ours, peer = Series("copy of the image's template"), Series("mysqld --initialize-insecure")
    began = load()
    for number in range(rounds):
        say(f"database, round {number + 1} of {rounds}")
        ours.values.append(_start(image))
        peer.values.append(_start(image, *HIDDEN))
    yield Comparison(
        "A database starts on an empty volume, until the first login",
        "s",
        ours,
        peer,
        3,
        at_least=True,
        inverse=True,
        note="the same server, settings and volume driver",
        load=began,
    )


def _start(image: str, *options: str) -> float:
    name, port = f"{PREFIX}start", free_port()
    empty_shares()
    with volume(name, "-d", DRIVER, "-o", f"share={name}", "-o", "for=database", "-o", "exclusive=true"):
        command = ["run", "--detach", "--name", name, "--volume", f"{name}:/var/lib/mysql"]
        command += ["--publish", f"127.0.0.1:{port}:3306", "--env", f"MYSQL_ROOT_PASSWORD={PASSWORD}"]
        try:
            clock = Stopwatch()
            docker(*command, *options, image)
            login.wait_until_accepted(port, PASSWORD, SECONDS)
            return clock.seconds
        finally:
            docker("rm", "-f", name, check=False)
