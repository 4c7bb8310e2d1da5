"""How the server is called: its arguments, its user, its processes, its health check, and what is refused."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.images.docker_cli import (
    HEALTH,
    Container,
    Engine,
    child,
    docker,
    must,
    run,
    wait_until,
)

pytestmark = pytest.mark.engine

DATA = "/var/lib/mysql"


def test_arbitrary_command_runs_instead(mysql_image: str) -> None:
    assert must("run", "--rm", mysql_image, "bash", "-c", "echo $((6 * 7))") == "42"
    assert "Ver 9.7" in must("run", "--rm", mysql_image, "mysql", "--version")
    assert "Ver 9.7" in must("run", "--rm", mysql_image, "--version")


def test_extra_arguments_reach_the_server(engine: Engine, mysql_image: str) -> None:
    container = engine.start(
        mysql_image,
        *("--innodb-buffer-pool-size=256M", "--port=3310"),
        flags=("-e", "MYSQL_ROOT_PASSWORD=pw"),
    )
    container.wait_ready()
    answer = container.sql("SELECT @@innodb_buffer_pool_size, @@port", "pw")
    assert answer.out.split() == [str(256 * 2**20), "3310"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--init-file=/x"], "--init-file is taken"),
        (["--init_file", "/x"], "--init-file is taken"),
        (["--datadir", "/x"], "--datadir is not read: write --datadir=… or"),
        (["-h", "/x"], "-h is not read"),
        (["--lower_case_table_names", "0"], "--lower_case_table_names is not read"),
    ],
)
def test_arguments_that_would_be_overridden_are_refused(
    engine: Engine, mysql_image: str, arguments: list[str], said: str
) -> None:
    refused = engine.start(mysql_image, *arguments, flags=("-e", "MYSQL_ROOT_PASSWORD=pw"))
    assert refused.exit_code(20) == 1
    assert said in refused.logs()


def test_an_init_file_of_the_configuration_is_refused(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    (tmp_path / "more.cnf").write_text("[mysqld]\ninit_file = /x\n")
    mount = f"{tmp_path}/more.cnf:/etc/mysql/conf.d/more.cnf:ro"
    refused = engine.start(mysql_image, flags=("-e", "MYSQL_ROOT_PASSWORD=pw", "-v", mount))
    assert refused.exit_code(20) == 1
    assert "init-file, in /etc/my.cnf or /etc/mysql, is taken" in refused.logs()


def test_user_other_than_root(engine: Engine, mysql_image: str) -> None:
    container = engine.start(
        mysql_image,
        flags=(
            "--user",
            "999:999",
            "-v",
            f"{engine.volume()}:{DATA}",
            "-e",
            "MYSQL_ROOT_PASSWORD=pw",
        ),
    )
    container.wait_ready()
    assert container.sql("SELECT 1", "pw", tcp=True).out == "1\n"


def test_a_user_that_the_image_has_no_place_for_is_one_clear_line(mysql_image: str) -> None:
    done = docker("run", "--rm", "--user", "1000:1000", "-e", "MYSQL_ROOT_PASSWORD=pw", mysql_image)
    assert done.code == 1
    advice = "run the container as root, or with --user 999:999"
    assert done.text == f"datadocker-mysql: user 1000 cannot write to /var/run/mysqld: {advice}\n"


def test_statements_that_there_is_no_room_for_are_one_clear_line(mysql_image: str, tmp_path: Path) -> None:
    (tmp_path / "long.sql").write_text("DO 1;\n" * 2000)
    mount = f"{tmp_path}/long.sql:/run/secrets/datadocker/init.sql:ro"
    flags = ("--tmpfs", "/run/mysqld:size=4k", "-v", mount, "-e", "MYSQL_ROOT_PASSWORD=pw")
    done = docker("run", "--rm", *flags, mysql_image)
    assert done.code == 1
    (line,) = done.text.splitlines()
    assert line.endswith("no room for /var/run/mysqld/datadocker, in the container: make some on its host's disk")


@pytest.mark.parametrize("flags", [(), ("--init",), ("--user", "999:999")])
def test_server_runs_as_999_with_an_init_and_no_shell_above_it(
    engine: Engine, mysql_image: str, flags: tuple[str, ...]
) -> None:
    container = engine.start(mysql_image, flags=("-e", "MYSQL_ROOT_PASSWORD=pw", *flags))
    container.wait_ready()
    first = container.state()["Pid"]
    for pid, name in ((first, "docker-init" if flags == ("--init",) else "tini"), (child(first), "mysqld")):
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Name:\t{name}" in status
        if name != "docker-init":
            assert "Uid:\t999\t999" in status
            assert "Gid:\t999\t999" in status


def test_health_is_watched_closely_at_first_and_seldom_later(engine: Engine, mysql_image: str) -> None:
    container = engine.start(mysql_image, flags=("-e", "MYSQL_ROOT_PASSWORD=pw"))
    wait_until(lambda: len(probes(container, 0)) >= 2, "probed again")
    # each watches a starting server for 10 s
    assert all((end - begin).total_seconds() > 9 for begin, end in probes(container, 1))
    (_, first), (_, second) = probes(container, 0)[-2:]
    assert (second - first).total_seconds() >= 5


def probes(container: Container, code: int) -> list[tuple[datetime, datetime]]:
    """When those began and ended whose result was `code`."""
    log = container.state()["Health"]["Log"]
    return [
        (datetime.fromisoformat(p["Start"]), datetime.fromisoformat(p["End"])) for p in log if p["ExitCode"] == code
    ]


def test_health_notices_a_server_that_hangs(engine: Engine, mysql_image: str) -> None:
    container = engine.start(mysql_image, flags=("-e", "MYSQL_ROOT_PASSWORD=pw"))
    container.wait_ready()
    server = str(child(container.state()["Pid"]))
    run("kill", "-STOP", server)
    try:
        assert not container.accepts_logins()
    finally:
        run("kill", "-CONT", server)
    container.wait_ready()
    assert json.loads(must("inspect", "-f", "{{json .Config.StopSignal}}", container.name)) == "SIGTERM"


@pytest.mark.parametrize(
    "name", ["MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_PASSWORD_FILE", "MYSQL_ROOT_HOST"]
)
def test_what_the_official_image_takes_and_this_one_does_not_is_refused(mysql_image: str, name: str) -> None:
    done = docker("run", "--rm", "-e", "MYSQL_ROOT_PASSWORD=pw", "-e", f"{name}=shop", mysql_image)
    assert done.code == 1
    assert f"{name} is not taken: put statements into /run/secrets/datadocker/init.sql" in done.err


@pytest.mark.parametrize("name", ["MYSQL_RANDOM_ROOT_PASSWORD", "MYSQL_ONETIME_PASSWORD"])
@pytest.mark.parametrize("password", [(), ("-e", "MYSQL_ROOT_PASSWORD=pw")], ids=["alone", "beside"])
def test_a_password_that_nobody_is_told_or_that_expires_is_refused(
    mysql_image: str, name: str, password: tuple[str, ...]
) -> None:
    done = docker("run", "--rm", *password, "-e", f"{name}=yes", mysql_image)
    assert done.code == 1
    assert f"{name} is not taken: set MYSQL_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD_FILE" in done.err


def test_scripts_for_the_official_image_are_refused(mysql_image: str, tmp_path: Path) -> None:
    (tmp_path / "make.sql").write_text("CREATE DATABASE shop;")
    mount = f"{tmp_path}:/docker-entrypoint-initdb.d:ro"
    done = docker("run", "--rm", "-e", "MYSQL_ROOT_PASSWORD=pw", "-v", mount, mysql_image)
    assert done.code == 1
    assert "/docker-entrypoint-initdb.d is not read" in done.err


def test_statements_that_can_not_be_applied_keep_the_server_from_starting(mysql_image: str, tmp_path: Path) -> None:
    mount = f"{tmp_path}/none.sql:/run/secrets/datadocker/init.sql"
    done = docker("run", "--rm", "-e", "MYSQL_ROOT_PASSWORD=pw", "-v", mount, mysql_image)
    assert done.code == 1
    assert "init.sql cannot be read, or is no file" in done.err
    (tmp_path / "some.sql").write_text("CREATE DATABASE IF NOT EXISTS shop;")
    done = docker("run", "--rm", "-v", f"{tmp_path}/some.sql:/run/secrets/datadocker/init.sql:ro", mysql_image)
    assert done.code == 1
    assert "init.sql needs root's password" in done.err


def test_the_health_check_knows_who_can_not_judge(engine: Engine, mysql_image: str) -> None:
    container = engine.start(mysql_image, flags=("-e", "MYSQL_ROOT_PASSWORD=pw"))
    container.wait_ready()
    assert container.exec(HEALTH, "--now", user="999").code == 0
    asked = container.exec(HEALTH, "--now", user="1000")
    assert asked.code == 1
    assert "only root and the user of the server" in asked.text
