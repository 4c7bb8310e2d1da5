"""Parts of the tests beside each other: what runs when, and what is shown of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolchain.lanes import Command, Lanes

ROOT = Path(__file__).parents[2]
# one that is interrupted while the second lane still has something to begin
INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from toolchain.lanes import Command, Lanes
# whoever started the tests may ignore it, and then so would all that is started here
signal.signal(signal.SIGINT, signal.default_int_handler)
def shell(line): return Command("part", ["sh", "-c", line], dict(os.environ))
waits = shell("trap 'exit 1' INT; touch began; while :; do sleep 0.05; done")
Lanes(Path(sys.argv[1])).run([[shell("true")], [waits, shell("touch second")]])
"""


def shell(name: str, line: str) -> Command:
    return Command(name, ["sh", "-c", line], dict(os.environ))


def test_lanes_run_beside_each_other_and_what_is_in_one_after_the_other(tmp_path: Path) -> None:
    def meets(other: str) -> str:
        return f"for i in $(seq 500); do [ -e {other} ] && exit 0; sleep 0.02; done; exit 1"

    one = [shell("a", f"touch a; {meets('b')}"), shell("after a", "[ -e a ]")]
    assert Lanes(tmp_path).run([one, [shell("b", f"touch b; {meets('a')}")]]) == []


@pytest.mark.parametrize("beside", [False, True])
def test_what_fails_is_named_and_keeps_nothing_from_running(tmp_path: Path, beside: bool) -> None:
    lane = [shell("first", "exit 3"), shell("second", "touch second"), shell("third", "false")]
    assert Lanes(tmp_path).run([lane, [shell("other", "true")]] if beside else [lane]) == ["first", "third"]
    assert (tmp_path / "second").exists()


def test_what_one_prints_is_not_torn_by_another(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    line = "for i in 1 2 3 4 5; do echo {0}; echo {0} >&2; sleep 0.05; done"
    Lanes(tmp_path).run([[shell(name, line.format(name))] for name in ("a", "b")])
    shown = capfd.readouterr().out.split()
    assert shown in (["a"] * 10 + ["b"] * 10, ["b"] * 10 + ["a"] * 10)


def test_after_an_interrupt_nothing_more_begins(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, tmp_path], cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 90
        while not (tmp_path / "began").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(90) != 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert not (tmp_path / "second").exists()
