"""A stack whose host is another one than it stands on is refused before anything is registered for it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest

from provider.owner import CHECKOUT_LABEL
from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from stacks.owner import TAGGED
from tests.unit.azure_parts import GROUP, HOST, SUBSCRIPTION, VM, logged_in, settings_of
from tests.unit.conftest import Build, Recorder
from tests.unit.fake_engine import FakeEngine

STASH, COMPONENT, PROVIDER = "pulumi:index:Stash", "datadocker:index:", "pulumi:providers:docker"
SSH = {"kind": "ssh", "address": "box", "user": "ops", "port": 2222}


@pytest.fixture(autouse=True)
def nothing_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No container of an earlier run has to be stopped."""
    monkeypatch.setattr("components.state.recorded", dict)


def kept(place: str) -> dict[str, str]:
    return {"owner": "here:/one#1", "place": place}


def stand(build: Build, raw: dict[str, Any], file: str = "f") -> None:
    def program() -> None:
        settings = parse(raw, file=file)
        build_stack(settings, *docker_host(settings))

    build(program)


@pytest.mark.parametrize(
    ("first", "host", "place"),
    [
        ("unix:///run/docker.sock", SSH, "ssh://box:2222"),
        ("unix:///run/docker.sock", {"kind": "local"}, "unix://{socket}"),
        ("ssh://other:22", SSH, "ssh://box:2222"),
        ("ssh://box:2222", {"kind": "local"}, "unix://{socket}"),
        ("azure", {"kind": "local"}, "unix://{socket}"),
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_another_host_is_refused_and_nothing_is_registered(
    build: Build, recorder: Recorder, engine: FakeEngine, first: str, host: dict[str, Any], place: str, preview: bool
) -> None:
    pulumi.runtime.set_mocks(recorder, project="datadocker", stack="unit", preview=preview)
    recorder.stashed["checkout"] = kept(first)
    place = place.format(socket=Path(engine.path).resolve())
    host = host | ({"socket": engine.path} if host["kind"] == "local" else {})
    with pytest.raises(pulumi.RunError) as caught:
        stand(build, {"host": host, "volumes": ["logs", "config"]})
    assert str(caught.value) == (
        f"this stack stands on {first}: to move it to {place} destroy it first (what shares keep stays there: copy "
        "local ones before the first up on the other), or set datadocker:host or DOCKER_HOST back"
    )
    assert {m.typ for m in recorder.made if not m.typ.startswith(COMPONENT)} == {STASH}


def test_a_port_that_moved_is_refused_with_the_way_to_it(build: Build, recorder: Recorder) -> None:
    recorder.stashed["checkout"] = kept("ssh://box:22")
    with pytest.raises(pulumi.RunError) as caught:
        stand(build, {"host": SSH, "volumes": ["logs", "config"]})
    assert str(caught.value).endswith(
        ", or set datadocker:host or DOCKER_HOST back; if it is the same machine, whose sshd moved: set host.port "
        "back, and write ProxyCommand nc %h 2222 under Host box in ~/.ssh/config"
    )


def test_a_host_that_is_logged_in_to_otherwise_is_the_same(build: Build, recorder: Recorder, tmp_path: Path) -> None:
    recorder.stashed["checkout"] = kept("ssh://box:2222")
    key = tmp_path / "k"
    key.touch(0o600)
    settings = parse({"host": SSH | {"user": "other", "identityFile": str(key)}, "stack": "databases"}, file="f")
    labels: dict[str, Any] = {}
    build(lambda: labels.update(docker_host(settings)[1]))
    assert build(lambda: {"checkout": labels[CHECKOUT_LABEL]})["checkout"] == "here:/one#1"
    assert recorder.one(PROVIDER, "host-engine")["host"] == "ssh://other@box:2222"


def test_a_key_that_ssh_would_refuse_is_said_first(build: Build, recorder: Recorder, tmp_path: Path) -> None:
    key = tmp_path / "key"
    raw = {"host": SSH | {"identityFile": str(key)}, "stack": "databases"}
    with pytest.raises(pulumi.RunError, match=f"host.identityFile: {key} can't be read: No such file or directory"):
        stand(build, raw)
    key.touch(0o644)
    with pytest.raises(pulumi.RunError, match=f"host.identityFile: {key} has mode 0644, others could .*chmod 0600"):
        stand(build, raw)
    assert {m.typ for m in recorder.made} <= {STASH}
    # what ssh takes: the public half of an agent's key, and a file that is somebody else's to protect
    key.write_text("ssh-ed25519 AAAAmine\n")
    stand(build, raw)
    key.write_text("private")
    os.chown(key, 12345, 12345)
    stand(build, raw)
    key.rename(tmp_path / "key.pub")
    stand(build, raw)


def test_a_socket_by_another_name_is_the_same(
    build: Build, recorder: Recorder, engine: FakeEngine, tmp_path: Path
) -> None:
    recorder.stashed["checkout"] = kept(f"unix://{Path(engine.path).resolve()}")
    (tmp_path / "link").symlink_to(engine.path)
    stand(build, {"host": {"kind": "local", "socket": str(tmp_path / "link")}, "stack": "databases"})
    assert recorder.one(PROVIDER, "host-engine")["host"] == f"unix://{tmp_path}/link"


def test_a_state_that_does_not_say_where_the_stack_stands_is_taken(build: Build, recorder: Recorder) -> None:
    recorder.stashed["checkout"] = "here:/one#1"
    stand(build, {"host": SSH, "stack": "databases"})
    assert recorder.one(PROVIDER, "host-engine")["host"] == "ssh://ops@box:2222"


def test_another_subscription_is_refused(
    build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    azure.in_state[STASH, "checkout"] = {"output": kept("azure") | {"subscription": "the-first"}}
    with pytest.raises(pulumi.RunError, match=r"stands in the subscription the-first: to move it to 0.* destroy it"):
        stand(build, settings_of("staging"), "Pulumi.staging.yaml")
    assert {m.typ for m in azure.made} == {STASH}


@pytest.mark.parametrize(("first", "now"), [(SUBSCRIPTION.upper(), SUBSCRIPTION), (SUBSCRIPTION, SUBSCRIPTION.upper())])
def test_a_subscription_is_the_same_in_any_case(
    build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: str, now: str
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", now)
    azure.in_state[STASH, "checkout"] = {"output": kept("azure") | {"subscription": first}}
    raw = settings_of("staging")
    stand(build, raw | {"host": raw["host"] | {"sshFrom": ["203.0.113.7/32"]}}, "Pulumi.staging.yaml")
    assert azure.all(VM)


def test_shares_on_azure_stay_in_their_subscription(
    build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    azure.in_state[STASH, "checkout"] = {"output": kept("ssh://box:2222") | {"subscription": "the-first"}}
    shares = {"kind": "azure", "location": "westeurope", "allowFrom": ["52.174.3.80"]}
    with pytest.raises(pulumi.RunError, match="stands in the subscription the-first"):
        stand(build, {"host": SSH, "shares": shares, "stack": "databases"})
    assert {m.typ for m in azure.made} == {STASH}


def test_shares_that_came_to_azure_later_stay_in_their_subscription(
    build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    azure.in_state[STASH, "checkout"] = {"output": kept("ssh://box:2222") | {"subscription": ""}}
    azure.in_state[GROUP, "files-group"] = {"id": "/subscriptions/the-first/resourceGroups/data"}
    shares = {"kind": "azure", "location": "westeurope", "allowFrom": ["52.174.3.80"]}
    with pytest.raises(pulumi.RunError, match="stands in the subscription the-first"):
        stand(build, {"host": SSH, "shares": shares, "stack": "databases"})
    assert {m.typ for m in azure.made} == {STASH}


def test_nothing_is_made_on_azure_for_a_stack_that_stands_elsewhere(
    build: Build, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    azure.in_state[STASH, "checkout"] = {"output": kept("unix:///run/docker.sock")}
    with pytest.raises(pulumi.RunError, match=r"stands on unix:///run/docker\.sock: to move it to azure destroy it"):
        stand(build, settings_of("staging"), "Pulumi.staging.yaml")
    assert {m.typ for m in azure.made} == {STASH}


@pytest.mark.parametrize(
    ("was", "refused"),
    # the wrapper renames no stack to dev
    [
        ("datadocker/qa", r"\./pulumiw stack rename qa"),
        ("datadocker/dev", "pulumi stack rename dev"),
        ("datadocker/staging", ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("resource", TAGGED)
def test_a_stack_that_was_renamed_is_refused(
    build: Build,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    resource: tuple[str, str],
    was: str | None,
    refused: str,
) -> None:
    azure = logged_in(monkeypatch, tmp_path)
    azure.in_state[resource] = {"tags": {"datadocker-stack": was}} if was else {}
    said = rf"made when it was {was}, .* Go back by {refused} --stack staging$"
    with pytest.raises(pulumi.RunError, match=said) if refused else nullcontext():
        stand(build, settings_of("staging") | {"host": HOST}, "Pulumi.staging.yaml")
    assert bool(azure.all(VM)) is not bool(refused)
