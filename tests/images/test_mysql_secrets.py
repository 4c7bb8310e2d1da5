"""Root's password and the statements that are applied before logins: set, changed, never seen."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.databases.hashes import caching_sha2
from tests.images.docker_cli import (
    HEALTH,
    Container,
    Engine,
    child,
    docker,
    must,
    upload_secrets,
    wait_until,
)

pytestmark = pytest.mark.engine

DATA = "/var/lib/mysql"
UGLY = [
    'it\'s "quoted" `three` times',
    "back\\slash \\' \\\\ \\n end\\",
    "ümläut 密码 🐬",
    "two\nlines\tand a tab",
    "# ; -- /* $HOME $(id) %s !",
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.clean()


def restart_with(
    engine: Engine, image: str, volume: str, secrets: dict[str, str], scratch: Path, *more: str
) -> Container:
    return engine.start(image, *more, flags=("-v", f"{volume}:{DATA}"), secrets=secrets, scratch=scratch)


@pytest.mark.parametrize("password", UGLY)
def test_password_of_any_characters(engine: Engine, mysql_image: str, tmp_path: Path, password: str) -> None:
    secrets = {"root-password": password + "\n"}
    volume = engine.volume()
    sql_mode = "--sql-mode=NO_BACKSLASH_ESCAPES,ANSI_QUOTES"
    container = restart_with(engine, mysql_image, volume, secrets, tmp_path, sql_mode)
    container.wait_ready()
    for tcp in (True, False):
        answer = container.sql("SELECT CURRENT_USER()", password, tcp=tcp)
        assert answer.code == 0, answer.text
    assert container.sql("SELECT 1", password + "x").code != 0


def test_password_is_changed_on_used_data_before_the_first_login(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    volume = engine.volume()
    first = restart_with(engine, mysql_image, volume, {"root-password": "old"}, tmp_path)
    first.wait_ready()
    must("stop", "-t", "30", first.name)
    secrets = {"root-password": "new", "init.sql": "DO SLEEP(2);\nCREATE DATABASE late;"}
    second = restart_with(engine, mysql_image, volume, secrets, tmp_path)
    old_worked, new_worked = [], False
    end = time.monotonic() + 60
    while not new_worked and time.monotonic() < end:
        old_worked.append(second.sql("SELECT 1", "old", tcp=True).code == 0)
        answer = second.sql("SHOW DATABASES LIKE 'late'", "new", tcp=True)
        new_worked = answer.code == 0
    assert answer.out == "late\n"
    assert not any(old_worked)


def test_used_data_without_a_password_keeps_its_own(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    volume = engine.volume()
    first = restart_with(engine, mysql_image, volume, {"root-password": "kept"}, tmp_path)
    first.wait_ready()
    must("stop", "-t", "30", first.name)
    second = engine.start(mysql_image, flags=("-v", f"{volume}:{DATA}"))
    second.wait_ready()
    assert second.sql("SELECT 1", "kept", tcp=True).out == "1\n"


@pytest.mark.parametrize("new", [{"root-password": "new"}, {"root": f"{caching_sha2('new', 'server', 'root')}\nnew"}])
def test_root_of_every_host_has_the_password(
    engine: Engine, mysql_image: str, tmp_path: Path, new: dict[str, str]
) -> None:
    volume = engine.volume()
    first = restart_with(engine, mysql_image, volume, {"root-password": "old"}, tmp_path)
    first.wait_ready()
    made = first.sql(
        "CREATE USER root@'127.0.0.1' IDENTIFIED BY 'old';"
        "CREATE USER root@'::1' IDENTIFIED WITH sha256_password BY 'old';"
        "INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'; CREATE USER root@'10.%' IDENTIFIED WITH auth_socket",
        "old",
    )
    assert made.code == 0, made.text
    must("stop", "-t", "30", first.name)
    second = restart_with(engine, mysql_image, volume, new, tmp_path)
    second.wait_ready()
    assert second.sql("SELECT CURRENT_USER()", "new", tcp=True).out == "root@127.0.0.1\n"
    plugins = "SELECT GROUP_CONCAT(host, ' ', plugin ORDER BY host) FROM mysql.user WHERE user = 'root'"
    assert second.sql(plugins, "new").out == (
        "% caching_sha2_password,10.% auth_socket,127.0.0.1 caching_sha2_password,::1 caching_sha2_password,"
        "localhost caching_sha2_password\n"
    )


@pytest.mark.parametrize("case", ["1", "0"], ids=["template", "initialised"])
def test_a_first_start_that_failed_opens_the_second_to_nobody(engine: Engine, mysql_image: str, case: str) -> None:
    mount, option = ("-v", f"{engine.volume()}:{DATA}"), f"--lower-case-table-names={case}"
    password = ("-e", "MYSQL_ROOT_PASSWORD=pw")
    failed = engine.start(mysql_image, option, "--bind-address=192.0.2.1", flags=(*mount, *password))
    assert failed.exit_code() == 1
    assert "Can't start server" in failed.logs()
    second = engine.start(mysql_image, option, flags=mount)
    second.wait_ready()
    assert "Access denied for user 'root'@'localhost'" in second.sql("SELECT 1", "").err
    must("stop", "-t", "30", second.name)
    third = engine.start(mysql_image, option, flags=(*mount, *password))
    third.wait_ready()
    assert third.sql("SELECT 1", "pw", tcp=True).out == "1\n"


def test_order_of_the_three_sources(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    volume = engine.volume()
    both = ("-e", "MYSQL_ROOT_PASSWORD=env", "-e", "MYSQL_ROOT_PASSWORD_FILE=/pw")
    (tmp_path / "pw").write_text("from-file\n")
    mount = ("-v", f"{tmp_path}/pw:/pw:ro", "-v", f"{volume}:{DATA}")
    first = engine.start(mysql_image, flags=(*both, *mount))
    first.wait_ready()
    assert first.sql("SELECT 1", "from-file").code == 0
    must("stop", "-t", "30", first.name)
    second = engine.create(mysql_image, flags=(*both, *mount))
    upload_secrets(second, {"root-password": "uploaded"}, tmp_path)
    must("start", second.name)
    second.wait_ready()
    assert second.sql("SELECT 1", "uploaded").code == 0
    assert second.sql("SELECT 1", "env").code != 0


def test_empty_or_missing_password_file_is_one_clear_line(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    container = restart_with(engine, mysql_image, engine.volume(), {"root-password": "\n"}, tmp_path)
    assert container.exit_code() == 1
    assert container.logs().strip().endswith("/run/secrets/datadocker/root-password is empty")
    missing = docker("run", "--rm", "-e", "MYSQL_ROOT_PASSWORD_FILE=/none", mysql_image)
    assert missing.code == 1
    assert missing.err.strip().endswith("/none cannot be read")


def test_databases_and_users_are_made_at_every_start(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    volume = engine.volume()
    root = {"root-password": "root"}
    first = restart_with(engine, mysql_image, volume, root, tmp_path)
    first.wait_ready()
    must("stop", "-t", "30", first.name)
    statements = (
        "CREATE DATABASE IF NOT EXISTS shop;\n"
        "CREATE USER IF NOT EXISTS 'ann'@'%' IDENTIFIED BY 'a;b';\n"
        "GRANT ALL ON shop.* TO 'ann'@'%';"
    )
    second = restart_with(engine, mysql_image, volume, {**root, "init.sql": statements}, tmp_path)
    second.wait_ready()
    made = second.sql("CREATE TABLE shop.t (n INT)", "a;b", user="ann", tcp=True)
    assert made.code == 0, made.text
    binlog = second.shell(f"mysqlbinlog {DATA}/binlog.0*").out
    assert "CREATE TABLE shop.t" in binlog
    assert "USER" not in binlog


def test_failing_statement_is_seen_and_leaves_only_root_in(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    statements = (
        "CREATE USER IF NOT EXISTS 'ann'@'%' IDENTIFIED BY 'ann';\nGRANT ALL ON TO nobody;\nCREATE DATABASE after_it;"
    )
    secrets = {"root-password": "root", "init.sql": statements}
    container = restart_with(engine, mysql_image, engine.volume(), secrets, tmp_path)
    wait_until(lambda: container.sql("SELECT 1", "root").code == 0, "root gets in")
    health = container.exec(HEALTH, "--now")
    assert health.code == 1
    assert "a statement of init.sql failed" in health.out
    assert re.search(r"\[ERROR\].*error in your SQL syntax.*TO nobody", container.logs())
    refused = container.sql("SELECT 1", "ann", user="ann", tcp=True)
    assert "offline mode" in refused.text
    assert container.sql("SET GLOBAL offline_mode = OFF", "root").code == 0
    assert container.accepts_logins()


def test_a_persisted_mode_lets_nobody_in_after_a_statement_that_failed(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    volume, root = engine.volume(), {"root-password": "root"}
    first = restart_with(engine, mysql_image, volume, root, tmp_path)
    first.wait_ready()
    done = first.sql("CREATE USER ann IDENTIFIED BY 'ann'; SET PERSIST offline_mode = OFF", "root")
    assert done.code == 0, done.text
    must("stop", "-t", "30", first.name)
    second = restart_with(engine, mysql_image, volume, root | {"init.sql": "GRANT ALL ON TO nobody;"}, tmp_path)
    wait_until(lambda: second.sql("SELECT 1", "root").code == 0, "root gets in")
    assert "offline mode" in second.sql("SELECT 1", "ann", user="ann", tcp=True).text
    assert "a statement of init.sql failed" in second.exec(HEALTH, "--now").out


def everything_visible(container: Container) -> dict[str, str]:
    """All that others can see of a container's secrets, by where it is seen."""
    processes = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if (entry / "comm").read_text() in ("pytest\n", "python3\n"):
                continue
            processes += [(entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()]
        except OSError:
            continue
    world_readable = container.shell(
        "find / -xdev -type f -perm -004 -size -3000k ! -path '/proc/*' ! -path '/sys/*'"
        " ! -path '/usr/*' -exec cat {} +"
    )
    return {
        "inspect": must("inspect", container.name),
        "processes": b"\n".join(processes).decode(errors="replace"),
        "logs": container.logs(),
        "data": container.shell(f"cat {DATA}/* {DATA}/*/* 2>/dev/null | tr -dc '[:print:]'").out,
        "world-readable files": world_readable.out,
    }


def test_passwords_are_seen_nowhere(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    canaries = {"root-password": "CANARY-root-1", "init.sql": ""}
    canaries["init.sql"] = "CREATE USER IF NOT EXISTS bob@'%' IDENTIFIED BY 'CANARY-bob-2';"
    general = ("--general-log=ON", "--general-log-file=general.log", "--log-error-verbosity=3")
    slow = ("--slow-query-log=ON", "--slow-query-log-file=slow.log", "--long-query-time=0")
    container = restart_with(engine, mysql_image, engine.volume(), canaries, tmp_path, *general, *slow)
    container.wait_ready()
    for log in ("general.log", "slow.log"):
        text = container.shell(f"cat {DATA}/{log}").out
        # nor anything that a password could be guessed from
        assert "SELECT @@port" in text
        assert "bob" not in text
    found = {where for where, text in everything_visible(container).items() if "CANARY-" in text}
    assert found == set()
    left = container.shell("grep -rl CANARY- /run/mysqld /tmp /var/lib/mysql /etc").out.split()
    assert left == ["/run/mysqld/datadocker/health.cnf"]
    mode = container.shell("stat -c %a:%U /run/mysqld/datadocker /run/mysqld/datadocker/health.cnf")
    assert mode.out.split() == ["700:mysql", "600:mysql"]


def test_the_search_finds_what_is_planted(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    container = engine.start(
        mysql_image,
        "--log-error-verbosity=3",
        flags=("-v", f"{engine.volume()}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=CANARY-env"),
    )
    container.wait_ready()
    script = (
        f"echo CANARY-data >{DATA}/planted; echo CANARY-file >/var/tmp/f; chmod 644 /var/tmp/f;"
        " : CANARY-argv; sleep 30; true"
    )
    must("exec", "-d", "-u", "999", container.name, "sh", "-c", script)
    container.sql("SELECT 1", "wrong", user="CANARY-log")
    wait_until(lambda: "CANARY-log" in container.logs(), "planted")
    # No process has what docker inspect shows: neither mysqld nor the init before it.
    first = container.state()["Pid"]
    for pid in (first, child(first)):
        assert b"CANARY" not in Path(f"/proc/{pid}/environ").read_bytes()
    visible = everything_visible(container)
    assert {where for where, text in visible.items() if "CANARY-" in text} == set(visible)
