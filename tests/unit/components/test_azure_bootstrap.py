"""What reaches a machine on Azure before it starts: key files, cloud-init, the readiness script."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pulumi
import pytest
import yaml

from components.hosts import identity_file, kept_key, keys
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
        (0o600, "nonsense", r"key\.pub is missing or no public key: ssh-keygen -y -f"),
        (0o600, None, r"key\.pub is missing or no public key: ssh-keygen -y -f \S*key > \S*key\.pub"),
        (None, None, r"key can't be read: No such file or directory: put the key there, .*, or none, makes it anew$"),
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
        identity_file.read_public(str(file))
    assert "\n" not in str(caught.value)


def test_an_agent_may_have_the_private_half(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me@home\n")
    assert identity_file.read_public(str(tmp_path / "key")) == "ssh-ed25519 AAAA"


@pytest.mark.parametrize("form", [[], ["-m", "PEM"]])
def test_a_key_with_a_passphrase_has_to_be_in_an_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    key, socket = tmp_path / "key", str(tmp_path / "agent")
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", *form, "-N", "secret", "-f", key], check=True)
    monkeypatch.setenv("SSH_AUTH_SOCK", socket)
    said = f"host.identityFile: {key} has a passphrase, and no agent has the key: start one and ssh-add {key}, or"
    with pytest.raises(pulumi.RunError, match=said):
        identity_file.read_public(str(key))
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout is not None
            agent.stdout.readline()
            with pytest.raises(pulumi.RunError, match=said):
                identity_file.read_public(str(key))
            # asked for by a program, since there is no terminal
            asking = tmp_path / "asking"
            asking.write_text("#!/bin/sh\necho secret\n")
            asking.chmod(0o755)
            answered = os.environ | {"SSH_ASKPASS": str(asking), "SSH_ASKPASS_REQUIRE": "force"}
            subprocess.run(["ssh-add", "-q", key], check=True, env=answered)
            assert identity_file.read_public(str(key)).startswith("ssh-rsa AAAA")
        finally:
            agent.terminate()


def test_keys_that_azure_takes(tmp_path: Path) -> None:
    for public in (public_key("ssh-ed25519", POINT), public_key("ssh-rsa", E, MODULUS), keys.make_pair()["public"]):
        (tmp_path / "key.pub").write_text(f"{public} me@home\n")
        assert read_azure_public(str(tmp_path / "key")) == public


@pytest.mark.parametrize("odd", [" ", "%", '"', "'", "\\", "#", "=", "${"])
def test_a_path_that_ssh_would_take_apart(tmp_path: Path, odd: str) -> None:
    key = tmp_path / f"my{odd}key"
    key.with_name(f"{key.name}.pub").write_text(f"{public_key('ssh-ed25519', POINT)} me@home\n")
    with pytest.raises(pulumi.RunError, match=r"^datadocker:host\.identityFile: .* at which ssh's configuration would"):
        read_azure_public(str(key))


def test_a_public_half_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(pulumi.RunError, match=r"key\.pub is missing or no public key: ssh-keygen -y"):
        read_azure_public(str(tmp_path / "key"))


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
    assert identity_file.private_key(str(tmp_path / "key")) == tmp_path / "key"


def test_a_private_key_that_others_may_read_is_written_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    pulumi.runtime.set_mocks(AzureRecorder(), project="datadocker", stack="staging", preview=False)
    told = kept_key.write_key("host", PAIR["private"], kept=True)
    file = Path(told.replace("${HOME}", str(tmp_path)))
    before = file.stat()
    assert stat.S_IMODE(before.st_mode) == 0o600
    # one that is right is left to whoever reads it
    kept_key.write_key("host", PAIR["private"], kept=True)
    assert file.stat().st_ino == before.st_ino
    file.chmod(0o644)
    kept_key.write_key("host", PAIR["private"], kept=True)
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (PAIR["private"], 0o600)


def test_the_public_half_of_an_agents_key_is_everybodys_to_read(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(PAIR["public"])
    key.chmod(0o644)
    assert identity_file.private_key(str(key)) == key


def test_a_machine_gets_the_engine_and_the_clients_of_shares() -> None:
    config = yaml.safe_load(cloud_config("me", PAIR))
    assert {"docker.io", "cifs-utils", "nfs-common"} <= set(config["packages"])
    # a new one has no list of packages to find them by
    assert config["package_update"] is True


def test_a_machine_has_the_one_host_key_that_it_was_given() -> None:
    config = yaml.safe_load(cloud_config("me", PAIR))
    assert config["ssh_keys"] == {"ed25519_private": PAIR["private"], "ed25519_public": PAIR["public"]}
    # those of the image are everybody's who has it
    assert config["ssh_deletekeys"] is True


@pytest.mark.parametrize("image", ["{}=auto\n", "{}=rsa", "#{}=auto\n", "Provisioning.Agent=auto"])
def test_azures_agent_waits_for_the_host_key_that_is_made(image: str) -> None:
    """It runs no command before, and what it takes from its file is the last line of a name."""
    config = yaml.safe_load(cloud_config("me", PAIR))
    (entry,) = config["write_files"]
    assert (entry["path"], entry["append"]) == ("/etc/waagent.conf", True)
    setting = "Provisioning.SshHostKeyPairType"
    text = image.format(setting) + entry["content"]
    kind = re.findall(f"^{setting}=(.*)$", text, re.MULTILINE)[-1]
    assert f"{kind}_public" in config["ssh_keys"]


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


@pytest.mark.usefixtures("eight_bits")
def test_custom_data_is_the_same_in_every_locale(tmp_path: Path) -> None:
    """Other custom data is another machine."""
    file = tmp_path / "more"
    file.write_text("#!/bin/sh\necho für alle\n", encoding="utf-8")
    assert read_custom_data(str(file), "me") == "#!/bin/sh\necho für alle\n"


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


@pytest.mark.parametrize(
    ("cloud_init", "docker", "said"),
    [
        (0, 0, ""),
        # done, with something that it mended itself
        (2, 0, ""),
        (1, 0, "cloud-init failed: the last line of many\n"),
        (0, 1, "the Docker engine does not answer\n"),
    ],
)
def test_a_machine_is_ready_once_cloud_init_is_done_and_the_engine_answers(
    tmp_path: Path, cloud_init: int, docker: int, said: str
) -> None:
    log = tmp_path / "cloud-init-output.log"
    # Azure passes on the last 4096 bytes
    log.write_text(f"{'x' * 80}\n" * 400 + "E: no such package\n")
    status = (
        f"case $* in 'status --wait') exit {cloud_init};; 'status --long') echo a; echo the last line of many;; esac"
    )
    for name, does in (("cloud-init", status), ("docker", f"exit {docker}")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    script = READY_SCRIPT.replace("/var/log/cloud-init-output.log", str(log))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == bool(said)
    # and its log is handed over
    assert done.stderr[-4096:] == done.stderr
    assert done.stderr.endswith(f"x\nE: no such package\n{said}" if said else "")
    assert bool(done.stderr) == bool(said)
