"""The writers and the reader: what each style does to the file, and that it is counted."""

import time
from pathlib import Path

import pytest

from tests.images.docker_cli import Container, Engine, docker, must, wait_until
from tests.machines.command import Ran

pytestmark = pytest.mark.engine

# as in a stack: an engine of 20.10 may lock up when several containers leave a network at once (moby#46661)
ALONE = ("--network", "none")


def start_writers(engine: Engine, image: str, logs: str, config: str | None, count: int = 3) -> list[Container]:
    writers = []
    for number in range(1, count + 1):
        flags = [*ALONE, "-v", f"{logs}:/logs", "--hostname", f"docker{number}"]
        if config is not None:
            flags += ["-v", f"{config}:/config"]
        writers.append(engine.start(image, flags=flags))
    return writers


def configure(image: str, config: str, text: str) -> None:
    must(
        *("run", "--rm", "-i", *ALONE, "-v", f"{config}:/config", image),
        *("sh", "-c", "cat >/config/writers.conf"),
        stdin=text,
    )


def lines(image: str, logs: str) -> list[str]:
    return must("run", "--rm", *ALONE, "-v", f"{logs}:/logs", image, "cat", "/logs/testfile").splitlines()


def wrote(image: str, logs: str, *lines_of: str) -> None:
    """Waits until each of those lines is in the file."""
    wait_until(lambda: set(lines_of) <= set(lines(image, logs)), f"{', '.join(lines_of)} written")


def stop(writers: list[Container]) -> None:
    must("stop", "-t", "10", *(writer.name for writer in writers))


def counted(reader_image: str, logs: str) -> Ran:
    return docker("run", "--rm", *ALONE, "-v", f"{logs}:/logs", reader_image, "count")


@pytest.mark.parametrize(
    ("style", "code", "complaint"),
    [
        ("append", 0, "torn lines: 0   interleaved lines: 0"),
        ("split", 1, "interleaved lines: [1-9]"),
        ("rewrite", 1, ""),
    ],
)
def test_three_writers_of_each_style(
    engine: Engine, writer_image: str, reader_image: str, style: str, code: int, complaint: str
) -> None:
    logs, config = engine.volume(), engine.volume()
    configure(writer_image, config, f"pace=0.05\nstyle={style}\n")
    writers = start_writers(engine, writer_image, logs, config)
    time.sleep(5)
    if style == "split":
        wait_until(lambda: int(counted(reader_image, logs).out.split()[-1]) > 0, "two records run together", 60)
    elif style == "rewrite":
        wait_until(lambda: _lost(counted(reader_image, logs).out) > 2, "lost lines", 60)
    stop(writers)
    result = counted(reader_image, logs)
    assert result.code == code, result.text
    rows = [line.split() for line in result.out.splitlines()]
    table = {row[0]: row for row in rows}
    if style == "append":
        for number in (1, 2, 3):
            assert int(table[f"docker{number}"][2]) > 5, result.out
        assert table["all"][2:] == ["0", "0"]
        assert complaint in result.out
    elif style == "split":
        assert int(rows[-1][-1]) > 0, result.out
    else:
        assert int(table["all"][2]) > 0, result.out


def _lost(table: str) -> int:
    return sum(int(line.split()[3]) for line in table.splitlines() if line.startswith("docker"))


def test_numbers_go_on_after_a_restart(engine: Engine, writer_image: str) -> None:
    logs = engine.volume()
    before = 0
    for _ in range(2):
        (writer,) = start_writers(engine, writer_image, logs, None, count=1)
        wrote(writer_image, logs, f"docker1 {before + 2}")
        stop([writer])
        engine.remove(writer)
        written = lines(writer_image, logs)
        assert written == [f"docker1 {n}" for n in range(1, len(written) + 1)]
        before = len(written)


def test_settings_are_read_while_it_runs_and_bad_ones_refused_once(engine: Engine, writer_image: str) -> None:
    logs, config = engine.volume(), engine.volume()
    configure(writer_image, config, "pace=0.1 # fast\n")
    (writer,) = start_writers(engine, writer_image, logs, config, count=1)
    wait_until(lambda: len(lines(writer_image, logs)) >= 5, "fast at first")
    configure(writer_image, config, "pace=banana\nstyle=wild\nspeed=9\nhello\n")
    time.sleep(1.5)
    before = len(lines(writer_image, logs))
    wait_until(lambda: len(lines(writer_image, logs)) >= before + 5, "the last good pace stays", 10)
    said = writer.logs().splitlines()
    assert len(said) == 4, said
    for word in ("pace=banana", "style=wild", "speed", '"hello"'):
        assert sum(word in line for line in said) == 1, said
    configure(writer_image, config, "pace=60\n")
    time.sleep(1)
    before = len(lines(writer_image, logs))
    time.sleep(1)
    assert len(lines(writer_image, logs)) == before


def test_config_is_made_once_by_three_writers(engine: Engine, writer_image: str) -> None:
    logs, config = engine.volume(), engine.volume()
    writers = start_writers(engine, writer_image, logs, config)
    wrote(writer_image, logs, *(f"docker{number} 2" for number in (1, 2, 3)))
    made = writers[0].shell("ls -A /config; grep -c '^# ' /config/writers.conf").out.split()
    assert made == ["writers.conf", "3"]
    assert all(writer.logs() == "" for writer in writers)


def test_existing_config_is_kept(engine: Engine, writer_image: str) -> None:
    logs, config = engine.volume(), engine.volume()
    configure(writer_image, config, "pace=0.2\n")
    writers = start_writers(engine, writer_image, logs, config)
    wrote(writer_image, logs, *(f"docker{number} 2" for number in (1, 2, 3)))
    assert writers[0].shell("cat /config/writers.conf").out == "pace=0.2\n"


def test_a_pipe_in_the_place_of_the_config_stops_no_writer(engine: Engine, writer_image: str) -> None:
    logs, config = engine.volume(), engine.volume()
    must("run", "--rm", *ALONE, "-v", f"{config}:/config", writer_image, "mkfifo", "/config/writers.conf")
    writers = start_writers(engine, writer_image, logs, config, count=1)
    wait_until(lambda: writers[0].shell("test -s /logs/testfile").code == 0, "writing", 10)


def test_both_end_at_once(engine: Engine, writer_image: str, reader_image: str) -> None:
    logs = engine.volume()
    started = [*start_writers(engine, writer_image, logs, None, count=1)]
    started.append(engine.start(reader_image, flags=(*ALONE, "-v", f"{logs}:/logs")))
    wait_until(lambda: "docker1 2" in started[1].logs(), "written and read")
    for container in started:
        must("stop", "-t", "10", container.name)
        # else it is killed after those seconds
        assert container.state()["ExitCode"] == 0


def test_reader_waits_for_the_file_and_follows_it(engine: Engine, writer_image: str, reader_image: str) -> None:
    logs = engine.volume()
    reader = engine.start(reader_image, flags=(*ALONE, "-v", f"{logs}:/logs"))
    wait_until(lambda: "waiting for /logs/testfile" in reader.logs(), "it waits")
    start_writers(engine, writer_image, logs, None, count=2)
    wait_until(lambda: "docker1 2" in reader.logs() and "docker2 2" in reader.logs(), "followed")
    assert reader.exec("count").code == 0


@pytest.mark.parametrize(
    ("text", "code", "row", "summary"),
    [
        ("a 1\na 2\n", 0, ["a", "2", "2", "0", "0"], "torn lines: 0   interleaved lines: 0"),
        ("a 1\na 4\n", 1, ["a", "2", "4", "2", "0"], "torn lines: 0   interleaved lines: 0"),
        ("a 1\na 1\n", 1, ["a", "2", "1", "0", "1"], "torn lines: 0   interleaved lines: 0"),
        ("a 1\n7\n", 1, ["a", "1", "1", "0", "0"], "torn lines: 1   interleaved lines: 0"),
        ("a 1\n\n", 1, ["a", "1", "1", "0", "0"], "torn lines: 1   interleaved lines: 0"),
        ("a 1\na b 1\n", 1, ["a", "1", "1", "0", "0"], "torn lines: 0   interleaved lines: 1"),
        ("a 1\na 2b 1\n", 1, ["a", "1", "1", "0", "0"], "torn lines: 0   interleaved lines: 1"),
        ("a 1\na 2", 0, ["a", "1", "1", "0", "0"], "torn lines: 0   interleaved lines: 0"),
        ("", 0, ["all", "0", "0", "0"], "torn lines: 0   interleaved lines: 0"),
    ],
)
def test_count(reader_image: str, tmp_path: Path, text: str, code: int, row: list[str], summary: str) -> None:
    (tmp_path / "file").write_text(text)
    result = docker("run", "--rm", *ALONE, "-v", f"{tmp_path}:/t:ro", reader_image, "count", "/t/file")
    assert result.code == code, result.text
    assert row in [line.split() for line in result.out.splitlines()]
    assert result.out.splitlines()[-1] == summary
    width = {len(line) for line in result.out.splitlines()[:-1]}
    assert len(width) == 1, "aligned"


def test_count_of_no_file_is_an_error_of_its_own(reader_image: str) -> None:
    result = docker("run", "--rm", *ALONE, reader_image, "count", "/none")
    assert result.code == 2
    assert "cannot read /none" in result.err
