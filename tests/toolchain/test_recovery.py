"""What a killed run left half made is removed, and nothing that merely has its name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.toolchain.killed import LABELS, ROOT, TAG, Killed
from toolchain import recovery, vanished
from toolchain.progress import ToolchainError
from toolchain.recovery import IMAGE, IMPORTED, PLUGIN, VOLUME

AT_WORK = "until [ -e /x/go ]; do sleep 0.1; done; touch /x/done"
OURS = [f"{k}={v}" for k, v in LABELS.items()]
OTHER_STACK = ["io.datadocker.stack=datadocker/two", OURS[1]]
OTHER_CHECKOUT = [OURS[0], "io.datadocker.checkout=here:/two#2"]
pytestmark = pytest.mark.engine


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def container() -> Iterator[Callable[..., str]]:
    made: list[str] = []

    def create(name: str, *labels: str) -> str:
        options = [part for label in labels for part in ("--label", label)]
        image = os.environ.get("DATADOCKER_TEST_BASE_BOOKWORM", "debian:bookworm-slim")
        made.append(docker("create", "--name", TAG + name, *options, image, "true"))
        return made[-1]

    yield create
    subprocess.run(["docker", "rm", "-f", *made], capture_output=True, check=False)


def there(name: str) -> bool:
    return docker("ps", "-aq", "--filter", f"name=^/{TAG}{name}$") != ""


def test_what_a_pending_create_left_is_removed(killed: Killed, container: Callable[..., str]) -> None:
    container("mydb", *OURS)
    killed.during("creating", f"{TAG}mydb")
    killed.recover()
    assert not there("mydb")
    assert not killed.lock.exists()
    assert "refresh --yes --skip-preview --clear-pending-creates --stack one" in killed.called.read_text()


@pytest.mark.parametrize("labels", [[], OTHER_STACK, OTHER_CHECKOUT, [OURS[0]], ["io.datadocker.stack"]])
def test_a_container_of_the_name_that_is_not_this_stacks_stays(
    killed: Killed, container: Callable[..., str], labels: list[str]
) -> None:
    container("mydb", *labels)
    killed.during("creating", f"{TAG}mydb")
    killed.recover()
    assert there("mydb")


def test_a_volume_that_was_being_made_is_removed_if_it_is_the_stacks(killed: Killed) -> None:
    for name, labels in (("mine", OURS), ("theirs", OTHER_CHECKOUT)):
        docker("volume", "create", *(part for label in labels for part in ("--label", label)), TAG + name)
    try:
        for name in ("mine", "theirs"):
            killed.during("creating", TAG + name, kind=VOLUME)
            killed.recover()
        assert docker("volume", "ls", "-q", "--filter", f"name={TAG}") == f"{TAG}theirs"
    finally:
        subprocess.run(["docker", "volume", "rm", f"{TAG}mine", f"{TAG}theirs"], capture_output=True, check=False)


@pytest.mark.parametrize("kind", [IMAGE, IMPORTED])
@pytest.mark.parametrize(
    ("operation", "labels", "stays"),
    [
        ("creating", OURS, False),
        ("creating", OTHER_STACK, True),
        ("creating", OTHER_CHECKOUT, True),
        ("creating", [], True),
        ("reading", OURS, True),
    ],
)
def test_an_image_that_was_just_tagged_is_removed_if_it_is_the_stacks(
    killed: Killed, kind: str, operation: str, labels: list[str], stays: bool
) -> None:
    mine, theirs = f"{TAG}image:mine", f"{TAG}image:theirs"
    changes = [part for label in labels for part in ("--change", f"LABEL {label}")]
    subprocess.run(["docker", "import", *changes, "-", mine], input=bytes(10240), capture_output=True, check=True)
    docker("tag", mine, theirs)
    try:
        killed.during(operation, mine, kind=kind)
        killed.recover()
        tags = docker("images", "--format", "{{.Tag}}", f"{TAG}image").split()
        assert sorted(tags) == (["mine", "theirs"] if stays else ["theirs"])
    finally:
        subprocess.run(["docker", "rmi", "-f", mine, theirs], capture_output=True, check=False)


def test_what_was_imported_and_has_no_tag_yet_is_removed_if_it_is_the_stacks(killed: Killed) -> None:
    made = []
    for labels in (OURS, OTHER_STACK):
        changes = [
            part for label in (*labels, f"io.datadocker.rootfs={TAG}") for part in ("--change", f"LABEL {label}")
        ]
        done = subprocess.run(["docker", "import", *changes, "-"], input=bytes(10240), capture_output=True, check=True)
        made.append(done.stdout.decode().strip())
    mine, theirs = made
    try:
        killed.during("creating", f"{TAG}image:mine", kind=IMPORTED)
        killed.recover()
        left = docker("images", "-q", "--no-trunc", "--filter", f"label=io.datadocker.rootfs={TAG}").split()
        assert left == [theirs]
    finally:
        subprocess.run(["docker", "rmi", "-f", mine, theirs], capture_output=True, check=False)


def test_what_the_killed_run_was_doing_on_the_plugins_folder_is_removed(
    killed: Killed, container: Callable[..., str]
) -> None:
    container("mine", f"io.datadocker.oneoff={ROOT}")
    container("theirs", "io.datadocker.oneoff=/ddtest2")
    killed.during("creating", f"{TAG}plugin", kind=PLUGIN)
    killed.recover()
    assert not there("mine")
    assert there("theirs")


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Path]:
    """A container at work on the plugin's folder until it is told to `go`; it makes a file when it is done."""
    image = os.environ.get("DATADOCKER_TEST_BASE_BOOKWORM", "debian:bookworm-slim")
    flags = ["--network=none", f"--label=io.datadocker.oneoff={ROOT}", f"--volume={tmp_path}:/x"]
    made = docker("run", "-d", "--name", f"{TAG}mine", *flags, image, "sh", "-c", AT_WORK)
    yield tmp_path / "done"
    subprocess.run(["docker", "rm", "-f", made], capture_output=True, check=False)


def test_what_is_still_at_work_there_is_waited_for_and_removed(
    killed: Killed, at_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = recovery._call

    def told(command: list[str], *more: Any) -> Any:
        if "wait" in command:
            (at_work.parent / "go").touch()
        return call(command, *more)

    monkeypatch.setattr(recovery, "_call", told)
    killed.during("creating", f"{TAG}plugin", kind=PLUGIN)
    killed.recover()
    assert not there("mine")
    assert at_work.exists()


def test_what_never_ends_there_is_removed_after_all(
    killed: Killed, at_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ONEOFF_SECONDS", 0.1)
    killed.during("creating", f"{TAG}plugin", kind=PLUGIN)
    killed.recover()
    assert not there("mine")
    assert not at_work.exists()


def test_what_is_at_work_on_another_machine_is_left_to_whose_it_is(
    killed: Killed, at_work: Path, container: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container("ended", f"io.datadocker.oneoff={ROOT}")
    (tmp_path / "ssh").write_text('#!/bin/sh\nwhile [ "$1" != docker ]; do shift; done\neval "$*"\n')
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    killed.during("creating", f"{TAG}plugin", kind=PLUGIN)
    killed.state.write_text(killed.state.read_text().replace("unix:///var/run/docker.sock", "ssh://ops@192.0.2.1:22"))
    killed.recover()
    assert (there("mine"), there("ended")) == (True, False)


def test_one_that_was_being_deleted_is_deleted_by_its_id(killed: Killed, container: Callable[..., str]) -> None:
    old, _ = container("old", *OURS), container("mydb", *OURS)
    killed.during("deleting", f"{TAG}mydb", old)
    killed.recover()
    assert not there("old")
    assert there("mydb")


def test_one_that_was_being_changed_stays(killed: Killed, container: Callable[..., str]) -> None:
    killed.during("updating", f"{TAG}mydb", container("mydb", *OURS))
    killed.recover()
    assert there("mydb")


@pytest.mark.parametrize(
    ("description", "stays"), [("Azure Files (datadocker/azurefile:1)", False), ("somebody else's", True)]
)
def test_a_plugin_that_was_half_installed_is_removed_if_it_is_ours(
    killed: Killed, tmp_path: Path, description: str, stays: bool
) -> None:
    name = f"{TAG}plugin"
    docker("plugin", "create", name, plugin_folder(tmp_path, description))
    try:
        killed.during("updating", name, name, PLUGIN)
        killed.recover()
        assert (name in docker("plugin", "ls", "--format", "{{.Name}}")) == stays
    finally:
        subprocess.run(["docker", "plugin", "rm", "-f", name], capture_output=True, check=False)


def plugin_folder(folder: Path, description: str) -> str:
    (folder / "plugin/rootfs").mkdir(parents=True)
    interface = {"types": ["docker.volumedriver/1.0"], "socket": "x.sock"}
    config = {"description": description, "entrypoint": ["/x"], "interface": interface}
    (folder / "plugin/config.json").write_text(json.dumps(config))
    return str(folder / "plugin")


def test_a_plugin_that_is_off_only_when_the_state_is_read_is_removed_then(killed: Killed, tmp_path: Path) -> None:
    name, folder = f"{TAG}late", plugin_folder(tmp_path, "Azure Files (datadocker/azurefile:1)")
    first = f"if mkdir {tmp_path}/first; then docker plugin create {name} {folder}; exit 1; fi"
    killed.backend.cli.program.write_text(f'#!/bin/sh\n{first} 2>/dev/null\necho "$@" >> {killed.called}\n')
    try:
        killed.during("updating", name, name, PLUGIN)
        killed.recover()
        assert name not in docker("plugin", "ls", "--format", "{{.Name}}")
        assert killed.called.read_text().startswith("refresh ")
    finally:
        subprocess.run(["docker", "plugin", "rm", "-f", name], capture_output=True, check=False)


def test_a_component_that_was_being_registered_has_nothing_to_put_right(killed: Killed) -> None:
    """It has no inputs, and the state leaves them out."""
    killed.during("creating", "x", kind="datadocker:index:BaseImage")
    state = json.loads(killed.state.read_text())
    del state["checkpoint"]["latest"]["pending_operations"][0]["resource"]["inputs"]
    killed.state.write_text(json.dumps(state))
    killed.recover()
    assert killed.called.read_text().startswith("refresh ")


def test_orphaned_providers_are_ended_and_what_merely_names_one_is_not(killed: Killed, tmp_path: Path) -> None:
    provider = tmp_path / "pulumi-resource-docker"
    provider.symlink_to("/bin/cat")
    editor = [sys.executable, "-c", "print(input(), flush=True); input()", "provider/pulumi-resource-datadocker-engine"]
    commands: tuple[list[str], ...] = ([str(provider)], editor)
    running = [
        subprocess.Popen(c, cwd=killed.backend.checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for c in commands
    ]
    try:
        assert all(answers(process) for process in running)
        killed.during("creating", "x", kind="datadocker:index:BaseImage")
        killed.recover()
        assert [process.poll() for process in running] == [-signal.SIGKILL, None]
    finally:
        for process in running:
            process.kill()
            process.communicate()


def answers(process: subprocess.Popen[bytes]) -> bool:
    """Whether it, or what it started, gives back a line; it has its command line by then."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"x\n")
    process.stdin.flush()
    return process.stdout.readline() == b"x\n"


@pytest.mark.parametrize(("folder", "lives"), [("elsewhere", False), ("checkout", True)])
def test_providers_of_another_checkout_and_of_a_run_that_lives_go_on(
    killed: Killed, tmp_path: Path, folder: str, lives: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "elsewhere").mkdir()
    provider, run = tmp_path / "bin/pulumi-resource-docker", tmp_path / "bin/pulumi"
    provider.symlink_to("/bin/cat")
    run.symlink_to("/bin/sh")
    # a shell becomes its last command
    command = [str(run), "-c", '"$0"; true', str(provider)] if lives else [str(provider)]
    with subprocess.Popen(command, cwd=tmp_path / folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert answers(running)
        killed.during("creating", "x", kind="datadocker:index:BaseImage")
        killed.recover()
        assert killed.called.exists()
        assert answers(running)


def test_without_a_killed_run_nothing_is_touched(killed: Killed, container: Callable[..., str]) -> None:
    container("mydb", *OURS)
    killed.state.write_text(json.dumps({"checkpoint": {"latest": {"resources": []}}}))
    killed.recover()
    assert there("mydb")
    assert not killed.called.exists()


def test_a_run_that_is_still_at_it_is_left_alone(killed: Killed, container: Callable[..., str]) -> None:
    container("mydb", *OURS)
    killed.during("creating", f"{TAG}mydb")
    killed.lock.write_text(json.dumps({"pid": 1, "hostname": "another.example"}))
    killed.recover()
    assert there("mydb")
    assert killed.lock.exists()
    assert not killed.called.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_what_was_on_a_machine_that_is_gone_is_forgotten_before_anybody_asks_for_it(
    killed: Killed, tmp_path: Path, replaced: bool
) -> None:
    killed.during("deleting", "staging", "/subscriptions/s/x/staging", vanished.MACHINE)
    killed.on("ssh://ops@192.0.2.1:22")
    urn = f"urn:pulumi:one::datadocker::{vanished.MACHINE}::host-vm"
    machine = {"urn": urn, "type": vanished.MACHINE, **({"pendingReplacement": True} if replaced else {})}
    exported = {"deployment": {"resources": [machine]}}
    (tmp_path / "exported").write_text(json.dumps(exported))
    (tmp_path / "gone").write_text(json.dumps({"steps": [{"op": "delete", "urn": urn}]}))
    killed.backend.cli.program.write_text(
        f'#!/bin/sh\necho "$@" >> {killed.called}\n'
        f'case "$*" in "stack export"*) cat {tmp_path}/exported;; *--preview-only*) cat {tmp_path}/gone;; esac\n'
    )
    killed.recover()
    calls = [" ".join(line.split()[:2]) for line in killed.called.read_text().splitlines()]
    # of one that was deleted to be replaced Pulumi asks nobody
    asked = [] if replaced else ["refresh --preview-only"]
    assert calls == ["stack export", *asked, "state delete", "refresh --yes"]


@pytest.mark.parametrize("there", [True, False])
def test_a_key_that_went_with_the_cache_is_written_before_a_machine_is_asked(
    killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cache/datadocker/ssh").mkdir(parents=True)
    if there:
        (tmp_path / ".cache/datadocker/ssh/host-1").touch()
    killed.during("updating", "staging", "/subscriptions/s/x/staging", vanished.MACHINE)
    options = json.dumps(["-o", "IdentityFile=${HOME}/.cache/datadocker/ssh/host-1", "-o", "IdentityFile=~/.ssh/own"])
    killed.on("ssh://ops@192.0.2.1:22", options)
    killed.recover()
    calls = [line.split()[0] for line in killed.called.read_text().splitlines()]
    assert calls == ["stack", *([] if there else ["preview"]), "refresh"]


@pytest.mark.parametrize(
    ("user", "said"),
    [
        (0, "^putting right what the killed run left needs the packages docker-cli: "),
        (1000, r"^docker is needed .*: install it \(before Debian 13 in docker.io, then in docker-cli\)$"),
    ],
)
def test_the_engines_client_is_asked_for_before_anything_is_removed(
    killed: Killed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, said: str
) -> None:
    """An engine may be there without it, and nothing else needs it."""
    killed.during("creating", f"{TAG}nobody")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(ToolchainError, match=said):
        killed.recover()
    assert not killed.called.exists()


def test_a_state_that_can_not_be_put_right_is_said_with_its_reason(killed: Killed) -> None:
    killed.backend.cli.program.write_text("#!/bin/sh\necho 'error: no room'\nexit 1\n")
    killed.during("creating", f"{TAG}nobody")
    with pytest.raises(ToolchainError, match=r"pulumi refresh .* failed:\n  error: no room$"):
        killed.recover()


@pytest.mark.parametrize("on_azure", [True, False])
def test_a_machine_that_does_not_answer_may_be_deleted(killed: Killed, tmp_path: Path, on_azure: bool) -> None:
    machine = {"urn": f"urn:pulumi:one::datadocker::{vanished.MACHINE}::host-vm", "type": vanished.MACHINE}
    (tmp_path / "exported").write_text(json.dumps({"deployment": {"resources": [machine] if on_azure else []}}))
    killed.backend.cli.program.write_text(
        f'#!/bin/sh\ncase "$*" in "stack export"*) cat {tmp_path}/exported;; *--preview-only*) ;; *) exit 1;; esac\n'
    )
    killed.during("updating", "staging", kind="other")
    killed.on("ssh://ops@192.0.2.1:22")
    with pytest.raises(ToolchainError, match=r"pulumi refresh .* failed:") as told:
        killed.recover()
    assert ("delete it (az vm delete)" in str(told.value)) is on_azure
