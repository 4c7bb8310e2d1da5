"""How an empty data directory is filled from the template, whatever happens in the middle of it."""

import time
from pathlib import Path

import pytest

from tests.images.docker_cli import Engine, must, wait_until
from tests.images.mysql_volume import DATA, filled, in_volume, like_nfs, server

pytestmark = pytest.mark.engine

STAGING = f"{DATA}/.datadocker-copying"
LOCK = f"{DATA}/.datadocker-lock"


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
    wait_until(lambda: killed.shell("test -e /tmp/frozen").code == 0, f"{command} frozen")
    must("kill", "-s", "KILL", killed.name)
    assert in_volume(mysql_image, volume, f"test -d {STAGING} && echo yes") == "yes"
    engine.remove(killed)

    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.shell(f"test -e {STAGING}").code == 1
    tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'sys'"
    assert int(again.sql(tables, "secret").out) > 100
    assert "recovery" not in again.logs()


def test_a_copy_by_way_of_the_container_that_is_killed_leaves_nothing_there(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    stand_in = tmp_path / "tar"
    stand_in.write_text(FREEZE.format(command="tar", call=1, when="after"))
    stand_in.chmod(0o755)
    flags = ("-v", f"{stand_in}:/usr/local/bin/tar:ro", *like_nfs(tmp_path))
    container = server(engine, mysql_image, engine.volume(), flags=flags)
    wait_until(lambda: container.shell("test -e /tmp/frozen").code == 0, "tar frozen")
    must("kill", "-s", "KILL", container.name)
    must("start", container.name)
    container.wait_ready()
    assert container.shell(f"find / -xdev -name mysql.ibd ! -path '{DATA}/*'").out == ""


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
        *("bash", "-c", f"exec 9>{LOCK}; flock 9; touch /tmp/held; sleep 100"),
        flags=("-v", f"{volume}:{DATA}"),
    )
    wait_until(lambda: holder.shell("test -e /tmp/held").code == 0, "lock held")
    second = server(engine, mysql_image, volume)
    assert second.exit_code() == 1
    assert "another container is filling" in second.logs()
    assert in_volume(mysql_image, volume, f"ls -d {DATA}/* {DATA}/.[!.]*; true") == LOCK
    engine.remove(holder)
    must("start", second.name)
    second.wait_ready()


def test_dot_files_and_lost_and_found_count_as_empty(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, f"mkdir {DATA}/lost+found; touch {DATA}/.snapshot")
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    # nothing but our own copy is ever deleted
    assert container.shell(f"ls -d {DATA}/lost+found {DATA}/.snapshot").code == 0


@pytest.mark.parametrize("moved", ["", "mkdir -p {0}/data; touch {0}/.ready; echo part >{0}/data/mysql.ibd"])
def test_a_volume_that_somebody_emptied_but_for_our_own_dot_files_is_filled_anew(
    engine: Engine, mysql_image: str, moved: str
) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"rm -rf {DATA}/*; {moved.format(STAGING) or ':'}; chown -R mysql: {DATA}")
    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.sql("SHOW DATABASES LIKE 'mine'", "secret").out == ""
    assert again.shell(f"test -e {STAGING}").code == 1


def test_a_part_of_our_copy_is_not_taken_for_data(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    script = f"mkdir -p {STAGING}/data {DATA}/mine; touch {STAGING}/.ready; echo part >{STAGING}/data/mysql.ibd"
    in_volume(mysql_image, volume, f"{script}; chown -R mysql: {DATA}")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    assert "is only a part of a data directory" in container.logs()
    assert in_volume(mysql_image, volume, f"ls {DATA}/ibdata1 2>&1 || true").endswith("No such file or directory")


def test_a_stop_during_the_copy_starts_no_server(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    stand_in = tmp_path / "tar"
    stand_in.write_text(
        '#!/bin/sh\ntouch /tmp/begun\nuntil [ -e /tmp/go ]; do sleep 0.05; done\nexec /usr/bin/tar "$@"\n'
    )
    stand_in.chmod(0o755)
    volume = engine.volume()
    stopped = server(engine, mysql_image, volume, flags=("-v", f"{stand_in}:/usr/local/bin/tar:ro"))
    wait_until(lambda: stopped.shell("test -e /tmp/begun").code == 0, "tar runs", 20)
    must("kill", "-s", "TERM", stopped.name)
    stopped.shell("touch /tmp/go")
    assert stopped.exit_code() == 143
    assert stopped.logs().strip().endswith("told to stop")
    engine.remove(stopped)
    again = server(engine, mysql_image, volume)
    again.wait_ready()
    assert again.sql("SELECT 1", "secret", tcp=True).out == "1\n"
