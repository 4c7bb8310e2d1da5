"""What the wrapper reads in a stack's file."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolchain import stackfile


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("config:\n  datadocker:host: {kind: local}\n", True),
        ("config:\n  datadocker:host: {address: h, kind: ssh}\n", False),
        ("config:\n  datadocker:host:\n    address: h\n    kind: 'ssh' # remote\n  x: {kind: local}\n", False),
        ("config:\n  datadocker:host:\n    kind: local\n  datadocker:other: {kind: ssh}\n", True),
        ("config:\n  datadocker:host: {kind: local, socket: /run/user/1000/docker.sock}\n", False),
        ("config:\n  datadocker:host: {kind: local, socket: null}\n", True),
        ("config:\n  datadocker:host: {kind: local, socket: /var/run/docker.sock}\n", True),
        ("config:\n  datadocker:host:\n    socket: '/run/docker.sock'\n    kind: local\n", True),
        ("config:\n  datadocker:host: {kind: local} # or {kind: ssh, address: h}\n", True),
        ("config:\n  datadocker:host: # {kind: azure}\n    kind: local # socket: /run/x.sock\n", True),
        ("config: {}\n", True),
        ("", True),
        ("config:\n  host: {kind: azure}\n", False),
        ("config:\n  host: {kind: local}\n  datadocker:volumes: [{host: {kind: azure}}]\n", True),
        ("config:\n  datadocker:host:\n\n  # where\n    kind: azure\n", False),
        ("config:\n  # datadocker:host: {kind: azure}\n  datadocker:prefix: x\n", True),
        ("config: {datadocker:prefix: x, datadocker:host: {address: h, kind: ssh}, x: {kind: local}}\n", False),
        ("config: {\n  'datadocker:host': {kind: local},\n  x: {kind: ssh}\n}\n", True),
        ("encryptionsalt: v1:x\nconfig:\n    datadocker:host:\n        kind: ssh\n", False),
        ("config:\n  datadocker:prefix: x\nhost:\n  kind: azure\n", True),
        ("\ufeffconfig:\n  host: {kind: azure}\n", False),
    ],
)
def test_whether_the_host_is_this_machine(
    text: str, here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    (tmp_path / "Pulumi.x.yaml").write_text(text)
    assert stackfile.runs_here(tmp_path, "x") is here


@pytest.mark.parametrize(
    ("host", "here"), [("unix:///run/user/1000/docker.sock", False), ("unix:///run/docker.sock", True)]
)
def test_the_default_socket_is_another_engine_where_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, here: bool
) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  datadocker:host: {kind: local, socket: /var/run/docker.sock}\n")
    monkeypatch.setenv("DOCKER_HOST", host)
    assert stackfile.runs_here(tmp_path, "x") is here


def test_whether_the_shares_are_azures(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.x.yaml").write_text("config:\n  shares:\n    # ours\n    kind: azure\n")
    (tmp_path / "Pulumi.y.yaml").write_text("config:\n  datadocker:host: {kind: azure}\n  shares: {kind: local}\n")
    assert stackfile.shares_on_azure(tmp_path, "x")
    assert not stackfile.shares_on_azure(tmp_path, "y")
    assert not stackfile.shares_on_azure(tmp_path, "none")
    (tmp_path / "Pulumi.z.yaml").write_text("config:\n  datadocker:host: {kind: ssh, address: h}\n")
    assert [stackfile.is_on_azure(tmp_path, stack) for stack in ("x", "y", "z", "none")] == [True, True, False, False]
