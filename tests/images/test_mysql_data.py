"""What the entrypoint does with a data directory that somebody used."""

from pathlib import Path

import pytest

from tests.images.docker_cli import Container, Engine, docker, must, upload_secrets
from tests.images.mysql_volume import DATA, filled, in_volume, like_nfs, server

pytestmark = pytest.mark.engine


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


@pytest.mark.parametrize("owner", [999, 112])
@pytest.mark.parametrize(("version", "accepted"), [("10.0.1", False), ("9.8.0", False), ("9.7.99", True)])
def test_data_of_a_newer_server_is_refused(
    engine: Engine, mysql_image: str, version: str, accepted: bool, owner: int
) -> None:
    volume = filled(engine, mysql_image)
    made = f"sed -i 's/9[.]7[.][0-9]*/{version}/' {DATA}/mysql_upgrade_history; chown -R {owner} {DATA}"
    in_volume(mysql_image, volume, made)
    container = server(engine, mysql_image, volume)
    if accepted:
        container.wait_ready()
    else:
        assert container.exit_code() == 1
        lines = container.logs().splitlines()
        assert len(lines) == 1, lines
        assert f"was used by MySQL {version}" in lines[0]
        assert owners(mysql_image, volume) == {str(owner)}


@pytest.mark.parametrize("owner", [999, 112])
@pytest.mark.parametrize("marked", [True, False])
def test_other_lower_case_setting_is_refused(engine: Engine, mysql_image: str, marked: bool, owner: int) -> None:
    volume = engine.volume()
    zero = "--lower-case-table-names=0"
    if marked:
        first = server(engine, mysql_image, volume, zero)
        first.wait_ready()
        must("stop", "-t", "30", first.name)
    else:
        in_volume(mysql_image, volume, f"mysqld --initialize-insecure {zero}")
    in_volume(mysql_image, volume, f"chown -R {owner} {DATA}")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    lines = container.logs().splitlines()
    assert len(lines) == 1, lines
    assert "was made with lower_case_table_names=0, this server has 1" in lines[0]
    # of two that become one a dump drops the first
    assert "rename what differs in case alone, dump your own databases with the old server" in lines[0]
    assert owners(mysql_image, volume) == {str(owner)}
    server(engine, mysql_image, volume, zero).wait_ready()


def test_the_mark_of_data_that_was_removed_says_nothing_of_what_came_after_it(engine: Engine, mysql_image: str) -> None:
    """A shell's * does not match it."""
    volume = engine.volume()
    in_volume(mysql_image, volume, f"tar -xf /usr/share/mysql-template/data.tar -C {DATA} ./.datadocker-complete")
    in_volume(
        mysql_image,
        volume,
        "mkdir /tmp/d; chown mysql /tmp/d; mysqld --initialize-insecure --datadir=/tmp/d "
        f"--lower-case-table-names=0 && cp -a /tmp/d/* {DATA}",
    )
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    (line,) = container.logs().splitlines()
    assert "was made with lower_case_table_names=0, this server has 1" in line


def owners(image: str, volume: str) -> set[str]:
    """Users that files of the volume belong to."""
    return set(in_volume(image, volume, f"find {DATA} -printf '%U\n'").split())


def test_old_or_mariadb_directory_is_refused(engine: Engine, mysql_image: str) -> None:
    volume = engine.volume()
    in_volume(mysql_image, volume, f"mkdir {DATA}/mysql; touch {DATA}/ibdata1")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    (line,) = container.logs().splitlines()
    assert "MariaDB or of a MySQL before 8.0, which is not taken: dump your own databases with the old server" in line


@pytest.mark.parametrize("owner", [999, 112])
def test_a_directory_with_another_one_in_it_is_refused_until_that_is_moved(
    engine: Engine, mysql_image: str, owner: int
) -> None:
    """mysqld reads the files of both, and says only that two have one id."""
    volume = filled(engine, mysql_image)
    inner = f"{DATA}/customers/one"
    # what a snapshot of the share shows, or a copy that was interrupted, is not read
    made = f"mkdir -p {inner} {DATA}/.snapshot; cp {DATA}/ibdata1 {DATA}/.snapshot; cp {DATA}/*ib* {inner}"
    in_volume(mysql_image, volume, f"{made}; chown -R {owner} {DATA}")
    container = server(engine, mysql_image, volume)
    assert container.exit_code() == 1
    lines = container.logs().splitlines()
    assert len(lines) == 1, lines
    assert "has another data directory in it, customers/one, which" in lines[0]
    assert owners(mysql_image, volume) == {str(owner)}
    in_volume(mysql_image, volume, f"rm -r {DATA}/customers")
    server(engine, mysql_image, volume).wait_ready()


def test_wrong_owner_is_mended_and_right_one_left_alone(engine: Engine, mysql_image: str) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"chown -R 107:107 {DATA}")
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.shell(f"find {DATA} ! -user mysql").out == ""


@pytest.mark.parametrize("used", [True, False])
def test_a_volume_that_is_read_only_is_one_clear_line(engine: Engine, mysql_image: str, used: bool) -> None:
    volume = filled(engine, mysql_image) if used else engine.volume()
    said = refusal(engine, mysql_image, "-v", f"{volume}:{DATA}:ro")
    assert said == f"{DATA} is mounted read-only: mount it without :ro"


@pytest.mark.parametrize("network", [True, False])
@pytest.mark.parametrize("room", ["nr_inodes=1", "nr_inodes=3", "size=8m"], ids=["root", "folder", "part"])
def test_a_volume_that_is_full_is_one_clear_line(
    engine: Engine, mysql_image: str, tmp_path: Path, room: str, network: bool
) -> None:
    more = like_nfs(tmp_path) if network else ()
    said = refusal(engine, mysql_image, "--tmpfs", f"{DATA}:rw,{room}", *more)
    assert said == f"{DATA} is full: make room there, or give its share a larger quota"


def test_a_host_without_room_for_a_copy_by_way_of_the_container_is_one_clear_line(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    said = refusal(engine, mysql_image, "--tmpfs", "/run/mysqld:size=8m", *like_nfs(tmp_path))
    assert said == "there is no room for /var/run/mysqld/datadocker, in the container: make some on its host's disk"


@pytest.mark.parametrize("used", [True, False])
def test_a_volume_of_another_user_is_one_clear_line(engine: Engine, mysql_image: str, used: bool) -> None:
    volume = filled(engine, mysql_image) if used else engine.volume()
    # into an empty one the engine copies what the image has there, with its owner
    in_volume(mysql_image, volume, f"touch {DATA}/.snapshot; chown -R 107:107 {DATA}; chmod -R a+rX,go-w {DATA}")
    said = refusal(engine, mysql_image, "-v", f"{volume}:{DATA}", "--user", "999:999")
    assert said == f"user mysql cannot write to {DATA} (its owner is 107:107, mode 755): mount it with uid=999,gid=999"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("Input/output error", f"cannot list {DATA}: Input/output error; nothing was touched."),
        ("Permission denied", f"user 999 cannot read {DATA}: mount it with uid=999,gid=999"),
    ],
)
def test_a_volume_that_can_not_be_listed_is_not_taken_for_an_empty_one(
    engine: Engine, mysql_image: str, tmp_path: Path, error: str, said: str
) -> None:
    failing = tmp_path / "find"
    failing.write_text(f"#!/bin/sh\necho \"find: '$1': {error}\" >&2\nexit 1\n")
    failing.chmod(0o755)
    volume = filled(engine, mysql_image)
    before = in_volume(mysql_image, volume, f"ls -A {DATA}")
    stand_in = ("-v", f"{failing}:/usr/local/bin/find:ro")
    assert refusal(engine, mysql_image, "-v", f"{volume}:{DATA}", *stand_in).startswith(said)
    assert in_volume(mysql_image, volume, f"ls -A {DATA}") == before


def refusal(engine: Engine, image: str, *flags: str) -> str:
    """What the entrypoint says, in one line, of a volume that it can't use."""
    container = engine.start(image, flags=(*flags, "-e", "MYSQL_ROOT_PASSWORD=secret"))
    assert container.exit_code() == 1
    (line,) = container.logs().splitlines()
    return line.partition(": ")[2]


@pytest.mark.parametrize("put", ["chown -R root: mine", "touch note"], ids=["table", "file"])
def test_what_root_put_in_later_is_the_servers_too(engine: Engine, mysql_image: str, put: str) -> None:
    volume = filled(engine, mysql_image)
    # a folder of the file system's own is left alone
    in_volume(mysql_image, volume, f"cd {DATA}; mkdir -p lost+found; {put}")
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.sql("SELECT n FROM mine.t", "secret").out == "42\n"
    assert container.shell(f"find {DATA} ! -user mysql ! -name lost+found").out == ""


def test_the_file_systems_own_folder_alone_changes_no_owner(engine: Engine, mysql_image: str) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"mkdir {DATA}/lost+found")
    container = server(engine, mysql_image, volume)
    container.wait_ready()
    assert container.shell(f"stat -c %U {DATA}/lost+found").out == "root\n"


@pytest.mark.parametrize("used", [True, False])
def test_chown_that_fails_is_not_needed(engine: Engine, mysql_image: str, tmp_path: Path, used: bool) -> None:
    """As on an SMB share that is mounted with uid=999."""
    failing = tmp_path / "chown"
    failing.write_text('#!/bin/sh\ncase "$*" in */var/lib/mysql*) exit 1 ;; esac\n/usr/bin/chown "$@"\n')
    failing.chmod(0o755)
    shim = ("-v", f"{failing}:/usr/local/bin/chown:ro")
    volume = filled(engine, mysql_image) if used else engine.volume()
    if used:
        in_volume(mysql_image, volume, f"touch {DATA}/note")
    server(engine, mysql_image, volume, flags=shim).wait_ready()


def test_a_start_that_was_killed_while_it_changed_owners_is_gone_on_with(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    """By the directory's owner the next start sees that there is something to do, so it comes last."""
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"chown -R 107:107 {DATA}")
    telling = tmp_path / "chown"
    telling.write_text('#!/bin/sh\nfor last; do :; done\necho "the last one is $last"\n')
    telling.chmod(0o755)
    container = server(engine, mysql_image, volume, flags=("-v", f"{telling}:/usr/local/bin/chown:ro"))
    container.exit_code()
    assert f"the last one is {DATA}\n" in container.logs()


def official(
    engine: Engine, image: str, entrypoint: Path, volume: str, scratch: Path, password: str, *arguments: str
) -> Container:
    container = engine.create(
        image,
        "mysqld",
        "--default-time-zone=Europe/Berlin",
        *arguments,
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
    assert first.sql("SELECT @@performance_schema", "one").out == "0\n"
    zones = "SELECT @@time_zone, CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Asia/Tokyo')"
    assert first.sql(zones, "one").out == "Europe/Berlin\t2026-07-01 21:00:00\n"
    assert first.sql("CREATE DATABASE kept", "one").code == 0
    must("stop", "-t", "30", first.name)
    engine.remove(first)

    wanted = "--performance-schema=ON"
    second = official(engine, official_like_image, ours, volume, tmp_path, "two", wanted)
    second.wait_ready()
    assert second.sql("SELECT @@performance_schema", "two").out == "1\n"
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
