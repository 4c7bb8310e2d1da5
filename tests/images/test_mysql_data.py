"""What the entrypoint does with the data directory in each state it can be in."""

import time
from pathlib import Path

import pytest

from tests.images.docker_cli import Container, Engine, docker, must, upload_secrets, wait_until

pytestmark = pytest.mark.engine

DATA = "/var/lib/mysql"
STAGING = f"{DATA}/.datadocker-copying"


def server(engine: Engine, image: str, volume: str, *arguments: str, flags: tuple[str, ...] = ()) -> Container:
    return engine.start(
        image,
        *arguments,
        flags=("-v", f"{volume}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=secret", *flags),
    )


def in_volume(image: str, volume: str, script: str) -> str:
    return must("run", "--rm", "-v", f"{volume}:{DATA}", image, "sh", "-c", script)


def filled(engine: Engine, image: str) -> str:
    """A volume whose server was stopped cleanly, with a table of the user's."""
    volume = engine.volume()
    first = server(engine, image, volume)
    first.wait_ready()
    made = first.sql("CREATE DATABASE mine; CREATE TABLE mine.t SELECT 42 AS n", "secret")
    assert made.code == 0, made.text
    must("stop", "-t", "30", first.name)
    engine.remove(first)
    return volume


def test_empty_volume_is_filled_from_the_template(engine: Engine, mysql_image: str) -> None:
    container = server(engine, mysql_image, engine.volume())
    container.wait_ready()
    assert container.sql("SELECT @@lower_case_table_names", "secret", tcp=True).out == "1\n"
    assert container.sql("SELECT 1", "wrong", tcp=True).code != 0
    assert container.shell(f"test -e {STAGING}").code == 1
    named_zone = "SELECT CONVERT_TZ('2026-01-01 12:00:00', 'UTC', 'Europe/Berlin')"
    assert container.sql(named_zone, "secret").out == "2026-01-01 13:00:00\n"


def test_two_copies_share_neither_server_id_nor_keys(engine: Engine, mysql_image: str) -> None:
    containers = [server(engine, mysql_image, engine.volume()) for _ in range(2)]
    for container in containers:
        container.wait_ready()
    for name in ("auto.cnf", "ca-key.pem", "server-key.pem", "private_key.pem"):
        first, second = (c.shell(f"cat {DATA}/{name}") for c in containers)
        assert first.code == second.code == 0
        assert first.out != second.out, name
    insecure = ("--ssl-mode=DISABLED", "--get-server-public-key")
    login = containers[0].exec("mysql", "-h127.0.0.1", "-uroot", "-psecret", *insecure, "-e", "SELECT 1")
    assert login.code == 0, login.text


def test_used_volume_is_attached_with_its_data(engine: Engine, mysql_image: str) -> None:
    volume = filled(engine, mysql_image)
    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.sql("SELECT n FROM mine.t", "secret").out == "42\n"


def test_directory_of_a_stock_server_is_attached(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, "mysqld --initialize-insecure --lower-case-table-names=1")
    assert in_volume(mysql_image, volume, f"ls -A {DATA} | grep -c datadocker || true") == "0"
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.sql("SELECT 1", "secret", tcp=True).out == "1\n"


# A command that stands in for the real one and stops for ever in mysql's nth call of it.
FREEZE = """#!/bin/bash
count=/tmp/{command}.$UID; n=$(($(cat $count 2>/dev/null || echo 0) + 1)); echo $n >$count
[ $UID = 999 ] || n=0
[ $n != {call} ] || [ {when} != before ] || {{ touch /tmp/frozen; sleep 1000; }}
/usr/bin/{command} "$@"
[ $n != {call} ] || {{ touch /tmp/frozen; sleep 1000; }}
"""


@pytest.mark.parametrize(
    ("command", "call", "when"),
    [
        ("mkdir", 1, "after"),
        ("tar", 1, "before"),
        ("tar", 1, "after"),
        ("sync", 1, "before"),
        ("sync", 1, "after"),
        ("sync", 2, "after"),
        ("mv", 1, "before"),
        ("mv", 1, "after"),
        ("mv", 6, "after"),
        ("mv", 18, "after"),
        ("rm", 2, "before"),
    ],
)
def test_copy_killed_at_a_given_step_is_finished_by_the_next_start(
    engine: Engine, mysql_image: str, tmp_path: Path, command: str, call: int, when: str
) -> None:
    stand_in = tmp_path / command
    stand_in.write_text(FREEZE.format(command=command, call=call, when=when))
    stand_in.chmod(0o755)
    volume = engine.volume()
    killed = server(engine, mysql_image, volume, flags=("-v", f"{stand_in}:/usr/local/bin/{command}:ro"))
    wait_until(lambda: killed.shell("test -e /tmp/frozen").code == 0, f"{command} frozen", 20)
    must("kill", "-s", "KILL", killed.name)
    assert in_volume(mysql_image, volume, f"test -d {STAGING} && echo yes") == "yes"
    engine.remove(killed)

    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.shell(f"test -e {STAGING}").code == 1
    tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'sys'"
    assert int(again.sql(tables, "secret").out) > 100
    assert "recovery" not in again.logs()


@pytest.mark.parametrize("milliseconds", [30, 80, 150, 250, 400, 700])
def test_first_start_killed_at_any_time_is_finished_by_the_next(
    engine: Engine, mysql_image: str, milliseconds: int
) -> None:
    volume = engine.volume()
    killed = engine.create(mysql_image, flags=("-v", f"{volume}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=secret"))
    must("start", killed.name)
    time.sleep(milliseconds / 1000)
    must("kill", "-s", "KILL", killed.name)
    engine.remove(killed)
    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.sql("SELECT 1", "secret", tcp=True).out == "1\n"


def test_interrupted_copy_never_overwrites_what_someone_else_made(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    script = (
        f"mkdir -p {STAGING}/data && echo ours >{STAGING}/data/ibdata1 && touch {STAGING}/.ready"
        f" && echo theirs >{DATA}/ibdata1 && chown -R mysql: {DATA}"
    )
    in_volume(mysql_image, volume, script)
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    assert "was made by someone else" in container.logs()
    assert in_volume(mysql_image, volume, f"cat {DATA}/ibdata1") == "theirs"


def test_second_filler_of_one_volume_is_told(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    holder = engine.start(
        mysql_image,
        *("bash", "-c", f"exec 9<{DATA}; flock 9; touch /tmp/held; sleep 100"),
        flags=("-v", f"{volume}:{DATA}"),
    )
    wait_until(lambda: holder.shell("test -e /tmp/held").code == 0, "lock held")
    second = server(engine, mysql_image, volume)
    assert second.exit_code() == 1
    assert "another container is filling" in second.logs()
    assert in_volume(mysql_image, volume, f"ls -A {DATA}") == ""


def test_foreign_files_are_refused_untouched(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, f"echo thesis >{DATA}/thesis.txt; chown -R 4711:4711 {DATA}")
    before = in_volume(mysql_image, volume, f"stat -c '%n %u %Y %Z' {DATA} {DATA}/*")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    lines = container.logs().splitlines()
    assert len(lines) == 1, lines
    assert "not a MySQL data directory (such as thesis.txt)" in lines[0]
    assert in_volume(mysql_image, volume, f"stat -c '%n %u %Y %Z' {DATA} {DATA}/*") == before


def test_dot_files_and_lost_and_found_count_as_empty(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, f"mkdir {DATA}/lost+found; touch {DATA}/.snapshot")
    container = server(engine, mysql_image, volume)
    container.wait_ready()


@pytest.mark.parametrize(("version", "accepted"), [("10.0.1", False), ("9.8.0", False), ("9.7.99", True)])
def test_data_of_a_newer_server_is_refused(engine: Engine, mysql_image: str, version: str, accepted: bool) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"sed -i 's/9[.]7[.][0-9]*/{version}/' {DATA}/mysql_upgrade_history")
    container = server(engine, mysql_image, volume)
    if accepted:
        container.wait_ready()
    else:
        assert container.exit_code() == 1
        lines = container.logs().splitlines()
        assert len(lines) == 1, lines
        assert f"was used by MySQL {version}" in lines[0]


@pytest.mark.parametrize("marked", [True, False])
def test_other_lower_case_setting_is_refused(engine: Engine, mysql_image: str, marked: bool) -> None:
    volume = engine.volume()
    zero = "--lower-case-table-names=0"
    if marked:
        first = server(engine, mysql_image, volume, zero)
        first.wait_ready()
        must("stop", "-t", "30", first.name)
    else:
        in_volume(mysql_image, volume, f"mysqld --initialize-insecure {zero}")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    lines = container.logs().splitlines()
    assert len(lines) == 1, lines
    assert "was made with lower_case_table_names=0, this server has 1" in lines[0]
    server(engine, mysql_image, volume, zero).wait_ready()


def test_old_or_mariadb_directory_is_refused(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, f"mkdir {DATA}/mysql; touch {DATA}/ibdata1")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    assert "MariaDB or of a MySQL before 8.0" in container.logs()


def test_wrong_owner_is_mended_and_right_one_left_alone(engine: Engine, mysql_image: str) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"chown -R 107:107 {DATA}")
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.shell(f"find {DATA} ! -user mysql").out == ""


@pytest.mark.parametrize("used", [True, False])
def test_directory_that_cannot_be_written_is_one_clear_line(engine: Engine, mysql_image: str, used: bool) -> None:
    volume = filled(engine, mysql_image) if used else engine.volume()
    container = engine.start(
        mysql_image,
        flags=("-v", f"{volume}:{DATA}:ro", "-e", "MYSQL_ROOT_PASSWORD=secret"),
    )
    assert container.exit_code() == 1
    lines = container.logs().splitlines()
    assert len(lines) == 1, lines
    assert "cannot write to /var/lib/mysql" in lines[0]


def test_chown_that_fails_is_not_needed(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    """As on an SMB share that is mounted with uid=999."""
    failing = tmp_path / "chown"
    failing.write_text('#!/bin/sh\ncase "$*" in */var/lib/mysql*) exit 1 ;; esac\n/usr/bin/chown "$@"\n')
    failing.chmod(0o755)
    shim = ("-v", f"{failing}:/usr/local/bin/chown:ro")
    volume = engine.volume()
    server(engine, mysql_image, volume, flags=shim).wait_ready()


def test_second_server_meets_innodbs_own_lock_and_harms_nothing(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    first = server(engine, mysql_image, volume)
    first.wait_ready()
    assert first.sql("CREATE DATABASE d; CREATE TABLE d.t (n INT)", "secret").code == 0
    listing = f"ls -A {DATA}; cat {DATA}/auto.cnf {DATA}/binlog.index"
    before = first.shell(listing).out
    second = engine.start(mysql_image, flags=("-v", f"{volume}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=other"))
    wait_until(lambda: "Unable to lock ./ibdata1 error: 11" in second.logs(), "InnoDB's refusal")
    assert not second.accepts_logins()
    assert first.sql("INSERT INTO d.t VALUES (7)", "secret").code == 0
    engine.remove(second)
    assert first.shell(listing).out == before
    must("restart", "-t", "30", first.name)
    first.wait_ready()
    assert first.sql("SELECT n FROM d.t; CHECK TABLE d.t", "secret").out.split()[0] == "7"


def test_clean_stop_leaves_nothing_to_recover_and_a_kill_does(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.sql("CREATE DATABASE d; CREATE TABLE d.t (n INT)", "secret").code == 0
    must("stop", "-t", "30", container.name)
    assert container.state()["ExitCode"] == 0
    assert "Shutdown complete" in container.logs()
    engine.remove(container)

    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert "recovery" not in again.logs()
    assert again.sql("INSERT INTO d.t VALUES (1)", "secret").code == 0
    must("kill", "-s", "KILL", again.name)
    engine.remove(again)

    crashed = server(engine, mysql_image, volume)
    crashed.wait_ready()
    assert "recovery" in crashed.logs()
    assert crashed.sql("SELECT n FROM d.t", "secret").out == "1\n"


def official(engine: Engine, image: str, entrypoint: Path, volume: str, scratch: Path, password: str) -> Container:
    container = engine.create(
        image,
        flags=("-v", f"{volume}:{DATA}", "--entrypoint", "/usr/local/bin/datadocker-mysql"),
    )
    for name in ("datadocker-mysql", "datadocker-mysql-health"):
        must("cp", str(entrypoint / name), f"{container.name}:/usr/local/bin/{name}")
    upload_secrets(container, {"root-password": password}, scratch)
    must("start", container.name)
    return container


def test_official_image_with_our_entrypoint(
    engine: Engine, official_like_image: str, mysql_image: str, tmp_path: Path
) -> None:
    ours = Path(__file__).parents[2] / "images" / "mysql"
    volume = engine.volume()
    first = official(engine, official_like_image, ours, volume, tmp_path, "one")
    first.wait_ready()
    assert "initialising" in first.logs()
    assert first.sql("SELECT @@lower_case_table_names", "one", tcp=True).out == "1\n"
    assert first.sql("CREATE DATABASE kept", "one").code == 0
    must("stop", "-t", "30", first.name)
    engine.remove(first)

    second = official(engine, official_like_image, ours, volume, tmp_path, "two")
    second.wait_ready()
    assert "initialising" not in second.logs()
    assert second.sql("SHOW DATABASES LIKE 'kept'", "two", tcp=True).out == "kept\n"
    must("stop", "-t", "30", second.name)
    engine.remove(second)

    third = server(engine, mysql_image, volume)
    third.wait_ready()
    assert third.sql("SHOW DATABASES LIKE 'kept'", "secret").out == "kept\n"


def test_empty_volume_without_a_password_says_what_to_set(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    result = docker("run", "--rm", "-v", f"{volume}:{DATA}", mysql_image)
    assert result.code == 1
    assert "set MYSQL_ROOT_PASSWORD" in result.err
    assert len(result.text.splitlines()) == 1
    assert in_volume(mysql_image, volume, f"ls -A {DATA}") == ""
