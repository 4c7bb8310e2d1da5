"""What reaches a machine on Azure before it starts: key files, cloud-init, the readiness script."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pulumi
import pytest
import yaml

from components.hosts import keys
from components.hosts.azure_bootstrap import (
    CUSTOM_DATA_BYTES,
    LARGE_PAIR,
    READY_SCRIPT,
    cloud_config,
    custom_data,
    read_custom_data,
)
from components.hosts.azure_key import read_azure_public
from tests.unit.azure_parts import PAIR, AzureRecorder, public_key

POINT, E, MODULUS = bytes(32), b"\x01\x00\x01", b"\0" + b"\xff" * 256


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


def test_keys_that_azure_takes(tmp_path: Path) -> None:
    for public in (public_key("ssh-ed25519", POINT), public_key("ssh-rsa", E, MODULUS), keys.make_pair()["public"]):
        (tmp_path / "key.pub").write_text(f"{public} me@home\n")
        assert read_azure_public(str(tmp_path / "key")) == public


@pytest.mark.parametrize(
    ("public", "said"),
    [
        (public_key("ecdsa-sha2-nistp256", b"nistp256", b"\4" + bytes(64)), "is of the kind ecdsa-sha2-nistp256"),
        (public_key("sk-ssh-ed25519@openssh.com", POINT, b"ssh:"), "is of the kind sk-ssh-ed25519@openssh.com"),
        (public_key("ssh-rsa", E, b"\x7f" + MODULUS[2:]), "is an RSA key of 2047 bits"),
        ("ssh-rsa " + public_key("ssh-ed25519", POINT).split()[1], "says ssh-rsa and is another kind of key"),
        (public_key("ssh-ed25519", POINT[1:]), "is damaged"),
        (public_key("ssh-rsa", E), "is damaged"),
        (public_key("ssh-ed25519", POINT)[:-8], "is damaged"),
        ("ssh-ed25519 AAAA", "is damaged"),
        ("ssh-ed25519 no?base64", "is damaged"),
    ],
)
def test_keys_that_azure_would_refuse(tmp_path: Path, public: str, said: str) -> None:
    (tmp_path / "key.pub").write_text(f"{public} me@home\n")
    with pytest.raises(pulumi.RunError) as caught:
        read_azure_public(str(tmp_path / "key"))
    line = str(caught.value)
    assert f"host.identityFile: {tmp_path / 'key'}.pub {said}: Azure takes ed25519, or RSA of 2048 bits" in line
    assert "ssh-keygen -t ed25519" in line
    # an ssh host takes what ssh takes
    assert keys.private_key(str(tmp_path / "key")) == tmp_path / "key"


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
    text = cloud_config("me", PAIR, read_custom_data(str(file), "me"))
    parts = json.loads(text.removeprefix("#cloud-config-archive\n"))
    assert [part["type"] for part in parts] == ["text/cloud-config", "text/cloud-config"]
    assert parts[0]["content"] == file.read_text()
    # without it the first part's list of packages would be the only one
    assert json.loads(parts[1]["content"])["merge_how"].startswith("list(append)")


@pytest.mark.parametrize("first", ["echo hi", "#cloud-config-archive", "#cloud-configuration", " #cloud-config", ""])
def test_custom_data_of_no_known_kind(tmp_path: Path, first: str) -> None:
    file = tmp_path / "more"
    file.write_text(f"{first}\n- a\n")
    with pytest.raises(pulumi.RunError, match="should begin with #cloud-config or #!"):
        read_custom_data(str(file), "me")
    with pytest.raises(pulumi.RunError, match="can't be read"):
        read_custom_data(str(tmp_path / "none"), "me")


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        ("#cloud-config \t\r", "text/cloud-config"),
        ("#cloud-config", "text/cloud-config"),
        ("#!/x", "text/x-shellscript"),
    ],
)
def test_custom_data_is_known_by_its_first_line(tmp_path: Path, first: str, kind: str) -> None:
    file = tmp_path / "more"
    file.write_text(f"{first}\n")
    text = cloud_config("me", PAIR, read_custom_data(str(file), "me"))
    assert yaml.safe_load(text)[0]["type"] == kind


@pytest.mark.parametrize("letter", ["a", "ä", "\N{GRINNING FACE}", "\n"])
def test_custom_data_is_as_long_as_azure_takes(tmp_path: Path, letter: str) -> None:
    user, file, pair = "u" * 64, tmp_path / "more", keys.make_pair()
    start = "#cloud-config\n# "
    room = CUSTOM_DATA_BYTES - len(cloud_config(user, LARGE_PAIR, start).encode())
    count = room // len(json.dumps(letter, ensure_ascii=False)[1:-1].encode())
    file.write_text(start + letter * count)
    taken = custom_data(user, pair, read_custom_data(str(file), user))
    assert 87380 - 300 < len(taken) <= 87380
    # what cloud-init gets is what was written
    assert yaml.safe_load(base64.b64decode(taken))[0]["content"] == file.read_text()
    file.write_text(start + letter * (count + 1))
    with pytest.raises(
        pulumi.RunError, match=r"makes custom data of 655\d\d bytes with ours, and Azure takes 65535: sh"
    ):
        read_custom_data(str(file), user)


def test_cloud_init_gets_each_letter_as_it_was_written() -> None:
    more = "#!/bin/sh\necho '\x7f\x85\x9f\u2028\u2029\ufeff\t\\ \N{GRINNING FACE}'\n"
    assert yaml.safe_load(cloud_config("me", PAIR, more))[0]["content"] == more


def test_the_readiness_script_hands_the_log_over() -> None:
    assert "cloud-init-output.log" in READY_SCRIPT
    assert "exit 1" in READY_SCRIPT
