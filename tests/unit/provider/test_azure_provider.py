"""The account's key on the host, and the stop before the machine goes, against an engine that only remembers."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from azurefile.credentials import CredentialsFolder
from provider import credentials, server, stop
from provider.connection import EngineError, connect
from provider.credentials import AccountKey
from provider.protocol import provider_pb2
from provider.resource import Failure
from provider.stop import GracefulStop
from tests.unit.plugin_engine import INHERITED, STACK

PROPS: dict[str, Any] = {
    "engine": {"url": "unix:///x", "ssh_opts": []},
    "root": "/var/lib/datadocker",
    "image": "datadocker/azurefile:1",
    "account": "mine",
    "server": "mine.file.core.windows.net",
    "key": "secret==",
}


GONE = "datadocker/azurefile:gone"
Asked = list[dict[str, Any]]


class Container:
    """Has the host's folder as `root`, what is its own as `inside`, and runs its command on them."""

    def __init__(self, root: Path, inside: Path, command: list[str]) -> None:
        self.root, self.inside, self.command, self.removed = root, inside, command, False

    def put_archive(self, path: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(self._here(path))

    def _here(self, path: str) -> str:
        if path.startswith("/var/lib/datadocker"):
            return path.replace("/var/lib/datadocker", str(self.root))
        return f"{self.inside}{path}" if path.startswith("/") else path

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, Any]]:
        from docker.errors import NotFound

        file = self.root / path.removeprefix("/var/lib/datadocker/")
        if not file.exists():
            raise NotFound("no such file")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(file, file.name)
        return [packed.getvalue()], {}

    def start(self) -> None:
        command = [self._here(argument) for argument in self.command]
        self.ended = subprocess.run(command, capture_output=True, check=False)

    def wait(self, timeout: int) -> dict[str, int]:
        return {"StatusCode": self.ended.returncode}

    def logs(self, tail: int) -> bytes:
        return b"\n".join(self.ended.stderr.splitlines()[-tail:])

    def remove(self, v: bool, force: bool) -> None:
        self.removed = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """What was asked of the engine; its host's folder is `tmp_path`."""
    asked: Asked = []

    def create(image: str, command: list[str], entrypoint: list[str], **more: Any) -> Container:
        if image == GONE:
            raise ImageNotFound("no such image")
        container = Container(tmp_path, tmp_path_factory.mktemp("inside"), [*entrypoint, *command])
        asked.append({"image": image, "command": container.command, "container": container, **more})
        return container

    @contextlib.contextmanager
    def client(engine: Any) -> Iterator[Any]:
        yield SimpleNamespace(containers=SimpleNamespace(create=create))

    monkeypatch.setattr(credentials, "engine_client", client)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return asked


def test_the_plugin_reads_the_file_and_nobody_else(made: Asked, tmp_path: Path) -> None:
    assert AccountKey().create(PROPS) == "mine"
    file = tmp_path / "credentials/mine"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    # by the plugin's own reader
    found = CredentialsFolder(file.parent).read("mine")
    assert (found.server, found.key) == ("mine.file.core.windows.net", "secret==")
    assert [p.name for p in file.parent.iterdir()] == ["mine"]


def test_the_key_is_on_no_command_line_and_no_container_stays(made: Asked) -> None:
    AccountKey().create(PROPS)
    AccountKey().update("mine", PROPS | {"key": "other=="}, PROPS)
    assert len(made) == 2
    for one in made:
        assert "==" not in str({k: v for k, v in one.items() if k != "container"})
        assert one["container"].removed
        assert one["network_mode"] == "none"


def test_what_somebody_wrote_there_is_noticed_and_not_shown(made: Asked, tmp_path: Path) -> None:
    resource = AccountKey()
    assert resource.read("mine", PROPS) is None
    resource.create(PROPS)
    assert resource.read("mine", PROPS) == PROPS
    (tmp_path / "credentials/mine").write_text("key=somebodys\n")
    seen = resource.read("mine", PROPS)
    assert seen is not None
    assert seen["key"].startswith("set by hand")
    assert "somebodys" not in str(seen)


def test_a_run_that_is_killed_before_the_container_starts_leaves_no_key_on_the_host(
    made: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(container: Container) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Container, "start", killed)
    with pytest.raises(KeyboardInterrupt):
        AccountKey().create(PROPS)
    assert list(tmp_path.rglob("*mine*")) == []


def test_a_key_that_was_not_written_is_an_error_with_its_reason(made: Asked, tmp_path: Path) -> None:
    (tmp_path / "credentials").touch()
    with pytest.raises(Failure, match=r"^the credentials file was not written: mkdir: .*: File exists$"):
        AccountKey().create(PROPS)


def test_a_key_has_its_name_once_it_is_on_the_disk(
    made: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, sync = tmp_path / "seen", tmp_path / "bin/sync"
    sync.parent.mkdir()
    sync.write_text(f'#!/bin/sh\necho "$(basename "$1"): $(ls -A {tmp_path}/credentials)" >> {seen}\n')
    sync.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sync.parent}", prepend=os.pathsep)
    AccountKey().create(PROPS)
    assert seen.read_text().splitlines() == [".mine: .mine", "credentials: mine"]


def test_a_refresh_passes_where_the_image_is_gone_that_it_has_built_again(made: Asked) -> None:
    resource, props = AccountKey(), PROPS | {"image": GONE}
    assert resource.read("mine", props) == props
    with pytest.raises(Failure, match="the image datadocker/azurefile:gone is gone: up --refresh brings"):
        resource.delete("mine", props)


def test_another_key_or_server_replaces_no_file() -> None:
    """What is replaced is deleted first, and the plugin would find none meanwhile."""
    assert not {"engine", "image", "server", "key"} & set(AccountKey.replaced_by)


def test_deleting_twice_is_no_error(made: Asked, tmp_path: Path) -> None:
    resource = AccountKey()
    resource.create(PROPS)
    resource.delete("mine", PROPS)
    resource.delete("mine", PROPS)
    assert list((tmp_path / "credentials").iterdir()) == []


STOP: dict[str, Any] = {"engine": PROPS["engine"], "key": "", "machine": "m", "stack": "p/s"}


@pytest.mark.parametrize(("labels", "removed"), [(STACK, ["gone"]), (INHERITED, [])])
def test_its_deletion_stops_the_stacks_containers_with_a_grace_and_removes_them(
    monkeypatch: pytest.MonkeyPatch, labels: dict[str, str], removed: list[str]
) -> None:
    asked: list[Any] = []
    container = SimpleNamespace(
        labels=labels, stop=lambda timeout: asked.append(timeout), remove=lambda force: asked.append("gone")
    )

    @contextlib.contextmanager
    def client(engine: Any) -> Iterator[Any]:
        def listed(all: bool, filters: Any) -> list[Any]:
            asked.append((all, filters))
            return [container]

        yield SimpleNamespace(containers=SimpleNamespace(list=listed))

    monkeypatch.setattr(stop, "engine_client", client)
    GracefulStop().delete("m", STOP)
    # also those that run no more: their names are taken all the same; one by hand ends, and who made it may want it
    assert asked == [(True, {"label": "io.datadocker.stack=p/s"}), 60, *removed]


# the way to it may be gone before it, and MySQL on it still run
@pytest.mark.parametrize("error", [EngineError("ssh failed"), Failure("refused")])
def test_a_machine_that_does_not_answer_or_refuses_holds_nobody_up_and_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def client(engine: Any) -> Any:
        raise error

    monkeypatch.setattr(stop, "engine_client", client)
    GracefulStop().delete("m", STOP)
    assert capsys.readouterr().err == f"m is going, and its containers were not stopped first: {error}\n"


# as an `up` wrote it where a variable was set which is not set here
ELSEWHERE = ["-o", "IdentityFile=${DATADOCKER_NOT_SET}/key", "-o", "ProxyCommand=sh -c 'read banner'"]
BY_SSH = {"url": "ssh://datadocker@203.0.113.10:22", "ssh_opts": ELSEWHERE}


def test_the_stop_needs_no_file_of_the_machine_that_made_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @contextlib.contextmanager
    def client(engine: Any) -> Iterator[Any]:
        try:
            with connect(engine):
                yield None
        except EngineError as error:
            said.append(str(error))
            raise

    monkeypatch.setattr(stop, "engine_client", client)
    GracefulStop().delete("m", STOP | {"engine": BY_SSH, "key": "private\n"})
    # ssh looks for its key once it is connected, and has nobody to talk to then
    (error,) = said
    assert "Connection closed" in error


def test_the_stop_brings_its_own_key_for_a_destroy_on_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def client(engine: Any) -> Any:
        file = Path(engine["ssh_opts"][1].removeprefix("IdentityFile="))
        seen.update(text=file.read_text(), mode=stat.S_IMODE(file.stat().st_mode), file=file, disk=os.readlink(file))
        raise EngineError("that is all")

    monkeypatch.setattr(stop, "engine_client", client)
    GracefulStop().delete("m", STOP | {"engine": BY_SSH, "key": "private\n"})
    assert (seen["text"], seen["mode"]) == ("private\n", 0o600)
    # nor does a provider that is killed meanwhile leave it on a disk
    assert seen["disk"].startswith("/memfd:")
    assert not seen["file"].exists()


def test_where_no_file_is_without_a_disk_the_stop_has_its_key_in_one_that_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def client(engine: Any) -> Any:
        file = Path(engine["ssh_opts"][1].removeprefix("IdentityFile="))
        seen.update(text=file.read_text(), mode=stat.S_IMODE(file.stat().st_mode), file=file)
        raise EngineError("that is all")

    monkeypatch.setattr(stop, "engine_client", client)
    # as on macOS
    monkeypatch.delattr(os, "memfd_create")
    GracefulStop().delete("m", STOP | {"engine": BY_SSH, "key": "private\n"})
    assert (seen["text"], seen["mode"]) == ("private\n", 0o600)
    assert not seen["file"].exists()


def test_another_machine_replaces_the_stop_and_a_new_key_does_not() -> None:
    assert "machine" in GracefulStop.replaced_by
    assert {"key", "engine"} <= set(GracefulStop.updated_by)
    assert {"datadocker-engine:index:AccountKey", "datadocker-engine:index:GracefulStop"} <= server.RESOURCES.keys()


@pytest.mark.parametrize("replaced", ["by this update", "by one before"])
@pytest.mark.parametrize(
    ("machine", "was_on", "asked"),
    [
        ("m2", {"machine": "m"}, []),
        ("m", {"machine": "m"}, ["mine"]),
        (stop.UNKNOWN, {"machine": "m"}, ["mine"]),
    ],
)
def test_what_went_with_a_replaced_machine_is_not_removed_from_the_new_one(
    monkeypatch: pytest.MonkeyPatch, replaced: str, machine: str, was_on: dict[str, str], asked: list[str]
) -> None:
    """Nor is it looked for at an address that the machine before had."""
    found: list[str] = []
    graceful = GracefulStop()
    monkeypatch.setattr(server, "STOP", graceful)
    monkeypatch.setitem(server.RESOURCES, "datadocker-engine:index:GracefulStop", graceful)
    monkeypatch.setattr(stop, "_stop", lambda *_: None)
    monkeypatch.setattr(AccountKey, "delete", lambda _self, identity, _props: found.append(identity))
    now = STOP | {"machine": machine}
    if replaced == "by this update" and machine != stop.UNKNOWN:
        graceful.delete("m", STOP)
        graceful.create(now)
    else:
        check = provider_pb2.CheckRequest(
            urn="urn:pulumi:s::p::a$datadocker-engine:index:GracefulStop::host-stop",
            olds=server._struct(STOP),
            news=server._struct(now),
        )
        server.Servicer().Check(check, None)  # type: ignore[arg-type]
    request = provider_pb2.DeleteRequest(
        urn="urn:pulumi:s::p::a$datadocker-engine:index:AccountKey::key",
        id="mine",
        properties=server._struct({"engine": {"url": "unix:///x", "ssh_opts": [], **was_on}}),
    )
    server.Servicer().Delete(request, None)  # type: ignore[arg-type]
    assert found == asked


@pytest.mark.parametrize(
    ("machine", "url", "gone"),
    [("m2", STOP["engine"]["url"], True), ("m", STOP["engine"]["url"], False), ("m2", "ssh://x", False)],
)
def test_in_a_state_of_old_what_was_at_the_address_of_the_machine_that_ended_went_with_it(
    monkeypatch: pytest.MonkeyPatch, machine: str, url: str, gone: bool
) -> None:
    monkeypatch.setattr(stop, "_stop", lambda *_: None)
    graceful = GracefulStop()
    graceful.delete("m", STOP)
    graceful.create(STOP | {"machine": machine})
    assert graceful.went({"engine": {"url": url, "ssh_opts": []}}) is gone
    # who tells of no engine is on none
    assert not graceful.went({})


def test_a_destroy_which_runs_no_program_asks_the_machine_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop, "_stop", lambda *_: None)
    graceful = GracefulStop()
    graceful.delete("m", STOP)
    assert not graceful.went({"engine": STOP["engine"] | {"machine": "m"}})
