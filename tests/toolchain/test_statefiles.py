"""The files of a backend: locks of the dead, operations of the killed, and what was half written."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from toolchain.progress import ToolchainError
from toolchain.statefiles import StateFiles


def lock(folder: Path, pid: int, host: str = "") -> Path:
    file = folder / "locks/organization/datadocker/dev/one.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"pid": pid, "hostname": host or socket.gethostname()}))
    return file


def test_the_lock_of_a_dead_process_is_broken(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    file = lock(tmp_path, int(gone.stdout))
    files.mend("dev")
    assert not file.exists()


@pytest.mark.parametrize(("name", "text"), [("one.json.4f.tmp", ""), ("one.json.4f.tmp", "{"), ("one.json", "\0\0")])
def test_half_a_lock_is_broken(tmp_path: Path, name: str, text: str) -> None:
    """The CLI takes it for one, whatever it is called."""
    files = StateFiles(tmp_path)
    half = lock(tmp_path, 0).rename(tmp_path / "locks/organization/datadocker/dev" / name)
    half.write_text(text)
    assert files.locked("dev")
    files.mend("dev")
    assert not half.exists()


@pytest.mark.parametrize("aside", ["one.json.4f.tmp", "two.json"])
def test_a_lock_that_is_just_written_is_waited_for(tmp_path: Path, aside: str) -> None:
    """On whichever machine."""
    named = lock(tmp_path, 1, "another.example")
    half = named.with_name(aside)
    half.write_text('{"pid": 1, "host')
    timer = threading.Timer(0.3, named.rename, [half])
    timer.start()
    StateFiles(tmp_path).mend("dev")
    timer.join()
    assert half.exists()


@pytest.mark.parametrize("attributes", ["", "{}"])
def test_a_layout_that_a_power_cut_emptied_is_forgotten(tmp_path: Path, attributes: str) -> None:
    (tmp_path / "meta.yaml").write_text("")
    (tmp_path / "meta.yaml.attrs").write_text(attributes)
    StateFiles(tmp_path).mend("dev")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "meta.yaml").write_text("version: 1\n")
    (tmp_path / "meta.yaml.attrs").write_text(attributes)
    StateFiles(tmp_path).mend("dev")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["meta.yaml", "meta.yaml.attrs"][: 2 if attributes else 1]


@pytest.mark.parametrize(("kept", "by"), [({"type": "passphrase"}, True), ({"type": "cloud"}, False), (None, False)])
def test_a_state_says_whether_a_passphrase_keeps_its_secrets(tmp_path: Path, kept: object, by: bool) -> None:
    (tmp_path / "stacks/datadocker").mkdir(parents=True)
    state = {"checkpoint": {"latest": {"secrets_providers": kept, "note": "passphrase"}}}
    (tmp_path / "stacks/datadocker/dev.json").write_text(json.dumps(state))
    assert StateFiles(tmp_path).by_passphrase("dev") is by
    assert not StateFiles(tmp_path).by_passphrase("other")


def test_a_state_that_a_power_cut_emptied_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "stacks/datadocker").mkdir(parents=True)
    (tmp_path / "stacks/datadocker/dev.json").write_text("\0\0")
    files = StateFiles(tmp_path)
    assert (files.engines("dev"), files.pending("dev")) == ({}, [])


@pytest.mark.parametrize(("program", "lives"), [("cat", False), ("pulumi/cat", False), ("cat/pulumi", True)])
def test_a_pid_that_something_else_has_now_is_a_dead_pulumi(tmp_path: Path, program: str, lives: bool) -> None:
    files, path = StateFiles(tmp_path), tmp_path / "bin" / program
    path.parent.mkdir(parents=True)
    path.symlink_to("/bin/cat")
    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        # it has its command line a moment after it was started
        running.stdin.write(b"x\n")
        running.stdin.flush()
        running.stdout.readline()
        file = lock(tmp_path, running.pid)
        files.mend("dev")
        assert file.exists() is lives


def test_locks_of_the_living_and_of_other_machines_stay(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    program = tmp_path / "pulumi"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as alive:
        try:
            while b"pulumi" not in Path(f"/proc/{alive.pid}/cmdline").read_bytes():
                pass  # it is still about to become that program
            file = lock(tmp_path, alive.pid)
            files.mend("dev")
            assert file.exists()
        finally:
            alive.terminate()
    file = lock(tmp_path, 1, "another.example")
    files.mend("dev")
    assert file.exists()


# what the wrapper looks for is there; the CLI says that it runs, and ends when it is told to
RUN = """
import sys
from pathlib import Path
from toolchain import clis, engine, virtualenv, wrapper
wrapper.CHECKOUT = Path(sys.argv[1])
virtualenv.ensure = clis.ensure = engine.ensure = lambda *_: wrapper.CHECKOUT
wrapper.main([sys.argv[2], "--stack", "dev"])
"""


def start(checkout: Path, command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(checkout), command],
        cwd=checkout,
        env={
            "PATH": os.environ["PATH"],
            "PULUMI_CREDENTIALS_PATH": str(checkout),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    """Of a checkout whose CLI is a shell's script."""
    made = StateFiles(tmp_path / ".state/.pulumi")
    assert made.folder is not None
    for folder in (tmp_path / "bin", made.folder / "stacks/datadocker"):
        folder.mkdir(parents=True)
    (made.folder / "stacks/datadocker/dev.json").write_text('{"checkpoint": {}}')
    (tmp_path / "bin/pulumi").write_text("#!/bin/sh\necho runs\ncat\n")
    (tmp_path / "bin/pulumi").chmod(0o755)
    return made


def test_the_lock_of_a_run_that_is_not_seen_stays(tmp_path: Path, files: StateFiles) -> None:
    """As where the checkout is in two containers of one name. A shell is no pulumi to who looks at processes."""
    assert files.folder is not None
    with start(tmp_path, "config") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"runs\n"
        file = lock(files.folder, run.pid)
        files.mend("dev")
        assert file.exists()
        run.kill()
        run.wait()
        # what it started lives on, and is no run
        files.mend("dev")
        assert not file.exists()


def test_who_changes_a_stack_waits_for_who_is_at_it_and_who_reads_does_not(tmp_path: Path, files: StateFiles) -> None:
    with start(tmp_path, "destroy") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"runs\n"
        for command in ("preview", "cancel"):
            with start(tmp_path, command) as reader:
                assert reader.communicate()[0] == b"runs\n"
        with start(tmp_path, "up") as second:
            assert second.stdin is not None
            assert second.stdout is not None
            assert second.stderr is not None
            second.stdin.close()
            said = b"pulumiw: another pulumiw is changing stack dev: waiting for it (Ctrl-C ends this)\n"
            assert second.stderr.readline() == said
            assert second.poll() is None
            first.kill()
            first.wait()
            # what the first one started lives on, and keeps nobody waiting
            assert second.stdout.read() == b"runs\n"


def test_pending_operations_are_read_from_the_state(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    file = tmp_path / "stacks/datadocker/dev.json"
    file.parent.mkdir(parents=True)
    assert files.pending("dev") == []
    file.write_text(json.dumps({"checkpoint": {"latest": {"pending_operations": [{"type": "creating"}]}}}))
    assert files.pending("dev") == [{"type": "creating"}]
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": []}}}))
    assert files.pending("dev") == []


def test_files_that_a_kill_left_half_written_are_mended(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    folder = tmp_path / "stacks/datadocker"
    folder.mkdir(parents=True)
    (folder / "dev.json.bak").write_text('{"before": 1}')
    (folder / "dev.json").write_text('{"half')
    (folder / "dev.json.attrs").write_text("")
    (folder / "dev.json.1.tmp").write_text("x")
    files.mend("dev")
    assert json.loads((folder / "dev.json").read_text()) == {"before": 1}
    assert sorted(p.name for p in folder.iterdir()) == ["dev.json", "dev.json.bak"]


def test_what_another_run_may_be_writing_is_not_mended(tmp_path: Path) -> None:
    lock(tmp_path, 1, "another.example")
    written = {"dev.json": '{"half', "dev.json.bak": "{}", "dev.json.attrs": "", "dev.json.1.tmp": "x"}
    folder = tmp_path / "stacks/datadocker"
    folder.mkdir(parents=True)
    for name, text in written.items():
        (folder / name).write_text(text)
    StateFiles(tmp_path).mend("dev")
    assert {p.name: p.read_text() for p in folder.iterdir()} == written


def test_a_state_is_not_mended_by_one_that_is_half_written_too(tmp_path: Path) -> None:
    folder = tmp_path / "stacks/datadocker"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text('{"half')
    (folder / "dev.json.bak").write_text('{"bef')
    StateFiles(tmp_path).mend("dev")
    assert (folder / "dev.json").read_text() == '{"half'


def test_a_stack_that_was_removed_does_not_come_back(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    folder = tmp_path / "stacks/datadocker"
    folder.mkdir(parents=True)
    # what pulumi stack rm leaves
    (folder / "dev.json.bak").write_text("{}")
    files.mend("dev")
    assert not (folder / "dev.json").exists()
    assert not files.exists("dev")


def test_a_state_that_is_packed_is_read_where_it_is_the_latest(tmp_path: Path) -> None:
    files = StateFiles(tmp_path)
    plain = tmp_path / "stacks/datadocker/dev.json"
    plain.parent.mkdir(parents=True)
    packed = plain.with_name("dev.json.gz")
    packed.write_bytes(gzip.compress(b'{"checkpoint": {"latest": {"pending_operations": [{"type": "creating"}]}}}'))
    assert files.pending("dev") == [{"type": "creating"}]
    plain.write_text('{"checkpoint": {"latest": {"pending_operations": []}}}')
    os.utime(packed, (1, 1))
    assert files.pending("dev") == []


WHOLE = gzip.compress(b'{"checkpoint": {"latest": {"pending_operations": [{"type": "creating"}]}}}')


@pytest.mark.parametrize("left", [WHOLE[:-30], WHOLE[:12] + bytes(20) + WHOLE[32:], gzip.compress(b'{"half')])
def test_a_packed_state_that_is_not_whole_is_said(tmp_path: Path, left: bytes) -> None:
    packed = tmp_path / "stacks/datadocker/dev.json.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(left)
    with pytest.raises(ToolchainError, match=r"^/.*/dev.json.gz is no whole state \(.+\): put back a copy of it, or"):
        StateFiles(tmp_path).engines("dev")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have a process that others may not see")
def test_a_process_that_this_user_may_not_see_may_be_a_pulumi(tmp_path: Path) -> None:
    script = f"""
        mount -t proc -o hidepid=2 none /proc
        exec setpriv --reuid=65534 --regid=65534 --clear-groups {sys.executable} -c '
import sys
sys.path.insert(0, ".")
from toolchain.statefiles import is_pulumi
print(is_pulumi(1), is_pulumi(4194303))'
    """
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-ec", script],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "True False\n", done.stderr
