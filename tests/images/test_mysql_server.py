"""The server on its data: how it starts and ends, and what it is started with."""

import time
from pathlib import Path

import pytest

from tests.images.docker_cli import Engine, must, wait_until
from tests.images.mysql_volume import DATA, filled, in_volume, like_nfs, server

pytestmark = pytest.mark.engine


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


def test_a_stop_just_after_the_start_is_heard(engine: Engine, mysql_image: str) -> None:
    """Else the engine waits in vain, and then kills a server that runs by now."""
    # as in a stack: without, the first process hears nothing in the moment in which it becomes the image's own init
    container = server(engine, mysql_image, engine.volume(), flags=("--init",))
    container.wait_ready()
    must("stop", "-t", "30", container.name)
    for pause in (0, 0.02, 0.05, 0.1, 0.15, 0.2):
        must("start", container.name)
        time.sleep(pause)
        must("stop", "-t", "20", container.name)
        # a server that has begun ends cleanly, what comes before it by the signal
        assert container.state()["ExitCode"] in (0, 143)


@pytest.mark.parametrize(
    ("argument", "configured", "place"),
    [
        ("", "", "/var/run/mysqld/datadocker/temp"),
        ("--innodb-temp-tablespaces-dir=./", "", "./#innodb_temp/"),
        ("", "innodb_temp_tablespaces_dir = ./", "./#innodb_temp/"),
    ],
    ids=["neither", "argument", "file"],
)
def test_temporary_tables_are_on_a_network_share_where_somebody_says_so(
    engine: Engine, mysql_image: str, tmp_path: Path, argument: str, configured: str, place: str
) -> None:
    (tmp_path / "temp.cnf").write_text(f"[mysqld]\n{configured}\n")
    mounts = (*like_nfs(tmp_path), "-v", f"{tmp_path}/temp.cnf:/etc/mysql/conf.d/temp.cnf:ro")
    arguments = (argument,) if argument else ()
    container = server(engine, mysql_image, engine.volume(), *arguments, flags=mounts)
    container.wait_ready()
    assert container.sql("SELECT @@innodb_temp_tablespaces_dir", "secret").out == f"{place}\n"
    assert container.shell(f"cd {DATA}; ls '{place}'").out.count(".ibt\n") == 10


@pytest.mark.parametrize("locked", [True, False])
def test_what_is_left_of_a_servers_temporary_tables_goes_unless_another_server_runs(
    engine: Engine, mysql_image: str, tmp_path: Path, locked: bool
) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"touch {DATA}/ibtmp1")
    # on a network share a server's lock conflicts with this one
    hold = f"exec 9<>{DATA}/ibdata1; {'flock 9' if locked else ':'}; touch /tmp/held; sleep 100"
    holder = engine.start(mysql_image, "bash", "-c", hold, flags=("-v", f"{volume}:{DATA}"))
    wait_until(lambda: holder.shell("test -e /tmp/held").code == 0, "lock held")
    server(engine, mysql_image, volume, flags=like_nfs(tmp_path)).wait_ready()
    assert (holder.shell(f"test -e {DATA}/ibtmp1").code == 0) == locked


@pytest.mark.parametrize(("line", "value"), [("", "0"), ("innodb_use_native_aio = ON", "1")], ids=["own", "file"])
def test_a_server_takes_nothing_of_what_the_hosts_kernel_has_for_all(
    engine: Engine, mysql_image: str, tmp_path: Path, line: str, value: str
) -> None:
    (tmp_path / "aio.cnf").write_text(f"[mysqld]\n{line}\n")
    mount = ("-v", f"{tmp_path}/aio.cnf:/etc/mysql/conf.d/aio.cnf:ro")
    container = server(engine, mysql_image, filled(engine, mysql_image), flags=mount)
    container.wait_ready()
    assert container.sql("SELECT @@innodb_use_native_aio", "secret").out == f"{value}\n"


@pytest.mark.parametrize("channel", ["", " FOR CHANNEL 'shop-1'"], ids=["default", "named"])
def test_a_replica_whose_relay_logs_have_a_hosts_name_goes_on(engine: Engine, mysql_image: str, channel: str) -> None:
    """As the server names them by itself; the applier's place is in a file of that name."""
    volume = engine.volume()
    first = server(engine, mysql_image, volume, "--relay-log=db1-relay-bin")
    first.wait_ready()
    source = "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1, SOURCE_USER = 'none'"
    assert first.sql(source + channel, "secret").code == 0
    must("stop", "-t", "30", first.name)
    engine.remove(first)

    again = server(engine, mysql_image, volume)
    again.wait_ready()
    started = again.sql(f"START REPLICA SQL_THREAD{channel}", "secret")
    assert started.code == 0, started.text
    assert again.sql("SELECT @@relay_log_basename", "secret").out == f"{DATA}/db1-relay-bin\n"


@pytest.mark.parametrize(
    ("configured", "made", "name"),
    [
        ("", "", "relay-bin"),
        ("", "one-relay-bin.index two-relay-bin.index", "relay-bin"),
        ("", "one-relay-bin.index relay-bin-shop.index", "relay-bin"),
        ("relay_log = theirs", "one-relay-bin.index", "theirs"),
    ],
    ids=["new", "two", "went on", "file"],
)
def test_relay_logs_have_a_name_that_lasts(
    engine: Engine, mysql_image: str, tmp_path: Path, configured: str, made: str, name: str
) -> None:
    volume = filled(engine, mysql_image)
    in_volume(mysql_image, volume, f"cd {DATA}; for i in {made}; do : >$i; done")
    (tmp_path / "relay.cnf").write_text(f"[mysqld]\n{configured}\n")
    mount = ("-v", f"{tmp_path}/relay.cnf:/etc/mysql/conf.d/relay.cnf:ro")
    container = server(engine, mysql_image, volume, flags=mount)
    container.wait_ready()
    assert container.sql("SELECT @@relay_log_basename", "secret").out == f"{DATA}/{name}\n"
