"""A MySQL server on an empty volume: with the image's template, and made ready as the official image does it."""

from __future__ import annotations

from collections.abc import Iterator

from bench import login
from bench.machine import DRIVER, PREFIX, Stopwatch, docker, empty_shares, free_port, load, say, volume
from bench.measured import Comparison, Series

PASSWORD = "bench"
SECONDS = 120
# what the official image does with an empty directory, on this image's server: initialise; a server that nobody
# reaches, for time zones and root's password; then the server (docker-library/mysql, docker-entrypoint.sh)
OFFICIAL = """
set -e
mkdir -p /var/run/mysqld/datadocker
chown mysql:mysql /var/lib/mysql /var/run/mysqld/datadocker
run() { setpriv --reuid=mysql --regid=mysql --clear-groups "$@"; }
run mysqld --initialize-insecure --default-time-zone=SYSTEM
run mysqld --daemonize --skip-networking --default-time-zone=SYSTEM
mysql_tzinfo_to_sql /usr/share/zoneinfo 2>/dev/null | mysql --user=root mysql
mysql --user=root <<END
SET SESSION sql_log_bin = 0;
ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';
GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
END
MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysqladmin --user=root shutdown
exec setpriv --reuid=mysql --regid=mysql --clear-groups mysqld
"""


def measure_database(image: str, rounds: int) -> Iterator[Comparison]:
    """From `docker run` to the first login over TCP, tried every 10 ms."""
    ours, peer = Series("copy of the image's template"), Series("the official image's steps")
    began = load()
    for number in range(rounds):
        say(f"database, round {number + 1} of {rounds}")
        ours.values.append(_start([image]))
        peer.values.append(_start(["--entrypoint", "bash", image, "-c", OFFICIAL]))
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


def _start(image: list[str]) -> float:
    """Seconds to the first login of a container; `image`: what comes after the options that all have."""
    name, port = f"{PREFIX}start", free_port()
    empty_shares()
    with volume(name, "-d", DRIVER, "-o", f"share={name}", "-o", "for=database", "-o", "exclusive=true"):
        command = ["run", "--detach", "--name", name, "--volume", f"{name}:/var/lib/mysql"]
        command += ["--publish", f"127.0.0.1:{port}:3306", "--env", f"MYSQL_ROOT_PASSWORD={PASSWORD}"]
        try:
            clock = Stopwatch()
            docker(*command, *image)
            login.wait_until_accepted(port, PASSWORD, SECONDS)
            return clock.seconds
        finally:
            docker("rm", "-f", name, check=False)
