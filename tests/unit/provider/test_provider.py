"""The custom resources: what a change does, what is refused, and that a failure is one line."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from docker.errors import NotFound
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from components.custom import start_provider
from provider import server
from provider.resource import Failure
from tests.unit.fake_engine import served
from tests.unit.plugin_engine import STACK, PluginEngine, props

ENGINE = {"url": "ssh://ops@box:22", "ssh_opts": ["-i", "/old"]}
SHARE = {"engine": ENGINE, "root": "/var/lib/datadocker", "image": "i:1", "share": "dbs", "retain": False}


PLUGIN = {"engine": ENGINE, "driver": "azurefile", "config": "{}", "root": "/r", "socket": "/s", "enabled": True}
URN = "urn:pulumi:dev::datadocker::datadocker:index:LocalShare$datadocker-engine:index:{}::x"


def struct(props: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(props, struct_pb2.Struct())


def diff(kind: str, olds: dict[str, Any], **change: Any) -> Any:
    request = provider_pb2.DiffRequest(urn=URN.format(kind), olds=struct(olds), news=struct(olds | change))
    return server.Servicer().Diff(request, None)  # type: ignore[arg-type]


def check(olds: dict[str, Any], **change: Any) -> list[str]:
    request = provider_pb2.CheckRequest(urn=URN.format("EnginePlugin"), olds=struct(olds), news=struct(PLUGIN | change))
    return [failure.reason for failure in server.Servicer().Check(request, None).failures]  # type: ignore[arg-type]


def test_the_folder_of_a_plugin_that_is_there_stays() -> None:
    reason = "set datadocker:plugin.root back"
    assert reason in check(PLUGIN, root="/elsewhere")[0]
    assert check(PLUGIN) == []
    assert check({}, root="/elsewhere") == []
    # nor is another plugin there one that finds the shares
    assert reason in check(PLUGIN, root="/elsewhere", driver="azf2")[0]
    assert check(PLUGIN, driver="azf2") == []
    # another way to the engine moves no folder, nor does one that a preview does not know yet
    assert reason in check(PLUGIN, root="/elsewhere", engine={"url": "unix:///x", "ssh_opts": []})[0]
    assert reason in check(PLUGIN, root="/elsewhere", engine="04da6b54-80e4-46f7-96ec-b56ff0331ba9")[0]


@pytest.mark.parametrize(
    "change",
    [
        {"engine": ENGINE | {"ssh_opts": ["-i", "/new"]}},
        {"engine": {"url": "unix:///run/docker.sock", "ssh_opts": []}},
        {"root": "/elsewhere"},
        {"image": "i:2"},
        {"retain": True},
    ],
)
def test_only_another_name_replaces_a_share_and_so_deletes_its_data(change: dict[str, Any]) -> None:
    answer = diff("ShareFolder", SHARE, **change)
    assert list(answer.replaces) == []
    assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME


def test_another_share_is_another_resource() -> None:
    assert list(diff("ShareFolder", SHARE, share="other").replaces) == ["share"]


def test_nothing_new_changes_nothing() -> None:
    assert diff("ShareFolder", SHARE).changes == provider_pb2.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(
    "kind", ["AccountKey", "EnginePlugin", "ImportedImage", "ShareFolder", "ShareGuard", "VolumeGuard"]
)
@pytest.mark.parametrize(
    "way",
    [ENGINE | {"ssh_opts": ["-i", "/new"]}, {"url": "ssh://root@box:22", "ssh_opts": []}, "04da6b54-80e4-46f7-96ec"],
)
def test_another_way_to_the_engine_replaces_nothing_on_it(kind: str, way: Any) -> None:
    answer = diff(kind, PLUGIN, engine=way)
    assert list(answer.replaces) == []
    assert list(answer.diffs) == ["engine"]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("AccountKey", "account"),
        ("AccountKey", "root"),
        ("EnginePlugin", "driver"),
        ("GracefulStop", "machine"),
        ("ShareFolder", "share"),
        ("VolumeGuard", "made"),
    ],
)
@pytest.mark.parametrize("way", [ENGINE, {"url": "ssh://root@box:22", "ssh_opts": []}])
def test_what_the_engine_has_but_once_is_deleted_before_it_is_replaced(kind: str, change: str, way: Any) -> None:
    answer = diff(kind, PLUGIN, engine=way, **{change: "/other"})
    assert list(answer.replaces) == [change]
    assert answer.deleteBeforeReplace


def test_a_new_root_filesystem_is_there_before_the_old_one_and_what_is_built_on_it_go() -> None:
    image = {"engine": ENGINE, "reference": "datadocker/base-sid:1", "archive": "/a", "content": "1", "labels": {}}
    answer = diff("ImportedImage", image, reference="datadocker/base-sid:2", content="2")
    assert list(answer.replaces) == ["reference"]
    assert not answer.deleteBeforeReplace
    # of one tag the older's deletion would take the newer
    assert diff("ImportedImage", image).deleteBeforeReplace


def test_a_disabled_plugin_is_a_drift() -> None:
    found = {"engine": ENGINE, "driver": "azurefile", "enabled": False}
    assert list(diff("EnginePlugin", found, enabled=True).diffs) == ["enabled"]


def test_the_provider_is_started_ahead_by_a_call_that_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Monitor:
        class Invoke:
            future = staticmethod(asked.append)

    monkeypatch.setattr("components.custom.get_monitor", Monitor)
    start_provider()
    (request,) = asked
    assert request.tok.startswith("datadocker-engine:")
    assert server.Servicer().Invoke(request, None) == provider_pb2.InvokeResponse()  # type: ignore[arg-type]


class Context:
    def __init__(self) -> None:
        self.metadata: dict[str, bytes] = {}

    def set_trailing_metadata(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        self.metadata |= dict(pairs)

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise RuntimeError(f"{code.name}: {details}")


def test_a_failure_is_its_one_line() -> None:
    with pytest.raises(RuntimeError, match=r"^UNKNOWN: do this$"), server._Reported(Context()):  # type: ignore[arg-type]
        raise Failure("do this")


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_folder_for_temporary_files_is_one_line(
    kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    said = f"^UNKNOWN: {tmp_path} on this computer is full: free some, or set TMPDIR to another folder$"
    with pytest.raises(RuntimeError, match=said), server._Reported(Context()):  # type: ignore[arg-type]
        raise OSError(kind, os.strerror(kind))


def test_any_other_error_of_the_system_keeps_its_traceback() -> None:
    with pytest.raises(PermissionError), server._Reported(Context()):  # type: ignore[arg-type]
        raise PermissionError(errno.EACCES, "no")


@pytest.mark.parametrize(("call", "request_of"), [("Delete", "DeleteRequest"), ("Read", "ReadRequest")])
def test_a_resource_that_a_newer_checkout_made_is_one_line(call: str, request_of: str) -> None:
    request = getattr(provider_pb2, request_of)(urn=URN.format("Later"), id="x")
    with pytest.raises(RuntimeError) as caught:
        getattr(server.Servicer(), call)(request, Context())
    assert str(caught.value) == (
        "UNKNOWN: a newer checkout made this resource, of a type that this one does not know "
        "(datadocker-engine:index:Later): go on with that checkout, or destroy the stack there"
    )


@pytest.mark.parametrize(("kind", "halfway"), [("EnginePlugin", True), ("AccountKey", True), ("ServerOptions", False)])
def test_an_update_that_may_have_ended_halfway_is_made_once_more_also_with_the_settings_of_before(
    monkeypatch: pytest.MonkeyPatch, kind: str, halfway: bool
) -> None:
    def update(*_: object) -> None:
        raise Failure("do this")

    monkeypatch.setattr(type(server.RESOURCES[f"datadocker-engine:index:{kind}"]), "update", update)
    context, olds = Context(), {"config": "1"}
    request = provider_pb2.UpdateRequest(urn=URN.format(kind), id="x", olds=struct(olds), news=struct({"config": "2"}))
    with pytest.raises(RuntimeError, match=r"^UNKNOWN: do this$"):
        server.Servicer().Update(request, context)  # type: ignore[arg-type]
    assert bool(context.metadata) == halfway
    if halfway:
        status = status_pb2.Status.FromString(context.metadata["grpc-status-details-bin"])
        left = provider_pb2.ErrorResourceInitFailed()
        assert status.details[0].Unpack(left)
        assert (status.code, status.message, list(left.reasons)) == (2, "do this", ["do this"])
        # Pulumi keeps the inputs of before beside them
        assert (left.id, json_format.MessageToDict(left.properties)) == ("x", olds)


def test_a_volume_that_was_added_since_is_no_other_stacks(tmp_path: Path) -> None:
    """To Pulumi nothing of the plugin has changed, so its state names the volumes of before."""
    with served(PluginEngine(tmp_path / "docker.sock")) as engine:
        engine.has(defaults="protocol=smb")
        engine.volumes = {"logs": {"Name": "logs", "Driver": "azurefile:latest", "Labels": STACK}}
        known, given = struct(props(engine, volumes=["dbs"])), struct(props(engine, volumes=["dbs", "logs"]))
        request = provider_pb2.ReadRequest(
            urn=URN.format("EnginePlugin"), id="azurefile", properties=known, inputs=given
        )
        found = json_format.MessageToDict(server.Servicer().Read(request, None).properties)  # type: ignore[arg-type]
    assert found["defaults"] == "set by hand: DEFAULTS=protocol=smb"
    assert found["volumes"] == ["dbs", "logs"]


def test_a_share_to_keep_is_never_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.share.engine_client", lambda _: pytest.fail("the engine was asked"))
    server.RESOURCES["datadocker-engine:index:ShareFolder"].delete("dbs", SHARE | {"retain": True})


def test_a_share_is_deleted_beside_others_and_while_no_plugin_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    @contextlib.contextmanager
    def noted(*given: Any, **more: Any) -> Iterator[None]:
        asked.append((given, more))
        yield

    for step in ("turn", "engine_client", "ran"):
        monkeypatch.setattr(f"provider.share.{step}", noted)
    server.RESOURCES["datadocker-engine:index:ShareFolder"].delete("dbs", SHARE)
    turn, _, ran = asked
    assert turn == (("/var/lib/datadocker",), {"shared": True})
    assert ran[0][1:] == ("i:1", "/var/lib/datadocker", "remove-share", "dbs")


@pytest.mark.parametrize(
    ("log", "said"),
    [(b"one\nshare dbs is in use\n", "share dbs is in use"), (b"", "azurefile remove-share failed on /r")],
)
def test_a_share_that_was_not_removed_is_an_error_of_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bytes, said: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with served(PluginEngine(tmp_path / "docker.sock")) as engine:
        engine.code, engine.log = 1, log
        share = SHARE | {"engine": {"url": f"unix://{engine.path}", "ssh_opts": []}, "root": "/r"}
        with pytest.raises(Failure, match=f"^{said}$"):
            server.RESOURCES["datadocker-engine:index:ShareFolder"].delete("dbs", share)
        assert engine.oneoff["Cmd"] == ["remove-share", "dbs"]
        assert engine.done[-1] == "DELETE /containers/oneoff"


def test_an_accounts_key_is_written_while_no_plugin_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who installs the plugin removes containers that were created on its folder and do not run."""
    asked: list[Any] = []

    @contextlib.contextmanager
    def noted(*given: Any, **more: Any) -> Iterator[Any]:
        asked.append((given, more))
        yield SimpleNamespace(
            put_archive=lambda *_: None, start=lambda: None, wait=lambda **_: {"StatusCode": 0}, get_archive=_nothing
        )

    for step in ("turn", "engine_client", "created"):
        monkeypatch.setattr(f"provider.credentials.{step}", noted)
    resource = server.RESOURCES["datadocker-engine:index:AccountKey"]
    props = {"engine": {}, "root": "/r", "image": "i:1", "account": "one", "server": "s", "key": "k"}
    for call in (
        lambda: resource.create(props),
        lambda: resource.update("one", props, props),
        lambda: resource.read("one", props),
        lambda: resource.delete("one", props),
    ):
        asked.clear()
        call()
        assert asked[0] == (("/r",), {"shared": True})


def _nothing(path: str) -> None:
    raise NotFound(path)
