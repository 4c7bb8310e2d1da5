"""What reaches a machine on Azure before it starts: key files, cloud-init, the readiness script."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pulumi
import pytest

from components.hosts import keys
from components.hosts.azure_bootstrap import READY_SCRIPT, cloud_config, read_custom_data
from tests.unit.azure_parts import PAIR, AzureRecorder


@pytest.mark.parametrize(
    ("mode", "public", "said"),
    [
        (0o644, "ssh-ed25519 AAAA", "has mode 0644, others could read the key, and ssh refuses it: chmod 0600"),
        (0o600, "nonsense", r"key\.pub is no public key: ssh-keygen -y -f"),
        (0o600, None, r"key\.pub can't be read: No such file"),
        (None, None, r"key can't be read: No such file"),
    ],
)
def test_key_files_that_can_not_be_used(tmp_path: Path, mode: int | None, public: str | None, said: str) -> None:
    file = tmp_path / "key"
    if mode is not None:
        file.write_text("private")
        file.chmod(mode)
    if public is not None:
        (tmp_path / "key.pub").write_text(public)
    with pytest.raises(pulumi.RunError, match=said) as caught:
        keys.read_public(str(file))
    assert "\n" not in str(caught.value)


def test_an_agent_may_have_the_private_half(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me@home\n")
    assert keys.read_public(str(tmp_path / "key")) == "ssh-ed25519 AAAA"


def test_a_pair_is_made_by_ssh_keygen() -> None:
    made = keys.make_pair()
    assert made["private"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert re.fullmatch(r"ssh-ed25519 [A-Za-z0-9+/=]+", made["public"])


def test_ssh_keygen_is_missed_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pulumi.runtime.set_mocks(AzureRecorder(), project="datadocker", stack="staging", preview=False)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(pulumi.RunError, match="there is no ssh-keygen here: install openssh-client"):
        keys.KeyPair("host-login")


def test_a_users_cloud_config_runs_beside_ours(tmp_path: Path) -> None:
    file = tmp_path / "more"
    file.write_text("#cloud-config\npackages: [htop]\n")
    text = cloud_config("me", PAIR, read_custom_data(str(file)))
    parts = json.loads(text.removeprefix("#cloud-config-archive\n"))
    assert [part["type"] for part in parts] == ["text/cloud-config", "text/cloud-config"]
    assert parts[0]["content"] == file.read_text()
    # without it the first part's list of packages would be the only one
    assert json.loads(parts[1]["content"])["merge_how"].startswith("list(append)")


def test_custom_data_of_no_known_kind(tmp_path: Path) -> None:
    file = tmp_path / "more"
    file.write_text("echo hi\n")
    with pytest.raises(pulumi.RunError, match="should begin with #cloud-config or #!"):
        read_custom_data(str(file))
    with pytest.raises(pulumi.RunError, match="can't be read"):
        read_custom_data(str(tmp_path / "none"))


def test_the_readiness_script_hands_the_log_over() -> None:
    assert "cloud-init-output.log" in READY_SCRIPT
    assert "exit 1" in READY_SCRIPT
