"""The passphrase of a stack, by its name, its file and its backend."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from toolchain import wrapper
from toolchain.passphrase import Passphrases
from toolchain.progress import ToolchainError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".state").mkdir()
    return tmp_path


def in_files(checkout: Path, env: dict[str, str]) -> Passphrases:
    return Passphrases(checkout, f"file://{checkout}/.state", env)


@pytest.mark.parametrize("url", ["azblob://state", "https://api.pulumi.com"])
def test_on_any_backend_the_salt_of_dev_has_its_passphrase(checkout: Path, url: str) -> None:
    env: dict[str, str] = {}
    made, file = Passphrases(checkout, url, env), checkout / "Pulumi.dev.yaml"
    # Pulumi's service takes the salt out, a key service needs none
    for text in ("config: {}\n", "encryptionsalt: v1:x\nsecretsprovider: awskms://alias/key\n"):
        file.write_text(text)
        made.choose("dev")
        assert env == {}
    file.write_text("# said\nencryptionsalt: v1:x\nsecretsprovider: passphrase\n")
    made.choose("mine")
    assert env == {}
    made.choose("dev")
    assert env == {"PULUMI_CONFIG_PASSPHRASE": "datadocker"}


def test_another_passphrase_for_devs_own_salt_is_refused_before_anything_is_done(checkout: Path) -> None:
    committed, file = (folder / "Pulumi.dev.yaml" for folder in (wrapper.CHECKOUT, checkout))
    file.write_text(committed.read_text())
    for variable, value in (("PULUMI_CONFIG_PASSPHRASE", "mine"), ("PULUMI_CONFIG_PASSPHRASE_FILE", "/nowhere")):
        made = in_files(checkout, {variable: value})
        with pytest.raises(ToolchainError, match=f"^{variable} is not the passphrase of dev, .* gives: unset it$"):
            made.check("dev")
        made.check("mine")
    in_files(checkout, {}).check("dev")
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "datadocker"}).check("dev")
    # a dev of one's own, by stack change-secrets-provider
    file.write_text("encryptionsalt: v1:x\n")
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "mine"}).check("dev")


@pytest.mark.parametrize("given", [True, False])
def test_a_copy_of_devs_file_is_told_to_leave_its_salt_out(checkout: Path, given: bool) -> None:
    committed = (wrapper.CHECKOUT / "Pulumi.dev.yaml").read_text()
    (checkout / "Pulumi.mine.yaml").write_text(committed)
    made = in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "mine"} if given else {})
    made.choose("mine")
    with pytest.raises(ToolchainError, match=r"^the encryptionsalt in Pulumi.mine.yaml is dev's, .*: delete that line"):
        made.check("mine")
    (checkout / "Pulumi.mine.yaml").write_text(re.sub("^encryptionsalt.*\n", "", committed, flags=re.MULTILINE))
    made.check("mine")


def test_dev_has_the_published_passphrase_and_others_one_of_their_own(checkout: Path) -> None:
    env: dict[str, str] = {}
    made = in_files(checkout, env)
    made.choose("dev")
    assert env.pop("PULUMI_CONFIG_PASSPHRASE") == "datadocker"
    made.choose("mine")
    file = Path(env["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert file.stat().st_mode & 0o777 == 0o600
    first = file.read_text()
    assert len(first) > 30
    env.pop("PULUMI_CONFIG_PASSPHRASE_FILE")
    made.choose("mine")
    assert file.read_text() == first


def test_a_passphrase_is_used_once_it_is_on_the_disk(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = checkout / "seen"
    (checkout / "sync").write_text(
        f'#!/bin/sh\necho "$1 $(basename "$2") $(wc -c < "$2")" >> {seen}\nls .state >> {seen}\n'
    )
    (checkout / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{checkout}", prepend=os.pathsep)
    monkeypatch.chdir(checkout)
    in_files(checkout, {}).choose("mine")
    aside = f"passphrase.{os.getpid()}"
    assert seen.read_text().splitlines() == [f"-f {aside} 43", aside, "-f passphrase 43", "passphrase"]


def test_of_two_first_runs_both_have_the_passphrase_that_was_there_first(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = checkout / ".state/passphrase"
    # the other run is through while this one waits for the disk
    monkeypatch.setattr("toolchain.cache.sync", lambda _: own.exists() or own.write_text("theirs"))
    in_files(checkout, {}).choose("mine")
    assert {file.name: file.read_text() for file in own.parent.iterdir()} == {"passphrase": "theirs"}


def test_an_empty_passphrase_is_none(checkout: Path) -> None:
    (checkout / ".state/passphrase").touch()
    with pytest.raises(ToolchainError, match=r"^/.*/.state/passphrase is empty, .*: put back the copy .*, remove it$"):
        in_files(checkout, {}).choose("mine")
    in_files(checkout, {}).choose("dev")
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "mine"}).choose("mine")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, "PULUMI_CONFIG_PASSPHRASE is empty"),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "empty"}, "PULUMI_CONFIG_PASSPHRASE_FILE names an empty file"),
    ],
)
def test_an_empty_one_of_the_users_is_none_either(checkout: Path, given: dict[str, str], said: str) -> None:
    (checkout / "empty").write_text("\n")
    env = {name: value and str(checkout / value) for name, value in given.items()}
    with pytest.raises(ToolchainError, match=rf"^{said}, and would encrypt nothing of stack mine: unset it$"):
        in_files(checkout, env).choose("mine")
    # the CLI takes the value alone then
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "mine", **env} if "FILE" in said else {}).choose("mine")


def test_a_file_without_a_name_is_none(checkout: Path) -> None:
    env = {"PULUMI_CONFIG_PASSPHRASE_FILE": ""}
    in_files(checkout, env).choose("dev")
    assert env == {"PULUMI_CONFIG_PASSPHRASE": "datadocker"}


def test_a_file_that_can_be_read_once_is_left_for_the_cli(checkout: Path) -> None:
    os.mkfifo(checkout / "pipe")
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(checkout / "pipe")}).choose("mine")


def test_a_lost_passphrase_is_not_made_anew_for_a_stack_that_stands(checkout: Path) -> None:
    lost = r"^stack mine is encrypted by a passphrase, and /.*/.state/passphrase is not there: put back the copy of it"
    with pytest.raises(ToolchainError, match=lost):
        in_files(checkout, {}).choose("mine", sealed=lambda: True)
    env: dict[str, str] = {}
    in_files(checkout, env).choose("mine", reads=False, sealed=lambda: True)
    assert not env
    assert not (checkout / ".state/passphrase").exists()
    in_files(checkout, {}).choose("mine", reads=False, sealed=lambda: False)
    in_files(checkout, {}).choose("mine", sealed=lambda: True)


def test_the_users_passphrase_is_respected(checkout: Path) -> None:
    env = {"PULUMI_CONFIG_PASSPHRASE": "mine"}
    in_files(checkout, env).choose("dev")
    assert env == {"PULUMI_CONFIG_PASSPHRASE": "mine"}


@pytest.mark.parametrize("variable", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
def test_the_published_passphrase_is_for_dev_alone(checkout: Path, variable: str) -> None:
    (checkout / "published").write_text("datadocker\n")
    env = {variable: str(checkout / "published") if variable.endswith("FILE") else "datadocker"}
    before, made = {**env}, in_files(checkout, env)
    made.choose("dev")
    with pytest.raises(ToolchainError, match=rf"^{variable} is the passphrase .* stack staging: unset it$"):
        made.choose("staging")
    # nothing is encrypted by it where a key vault does, or Pulumi's service
    file = checkout / "Pulumi.staging.yaml"
    file.write_text("secretsprovider: azurekeyvault://VAULT.vault.azure.net/keys/KEY\n")
    made.choose("staging")
    file.unlink()
    with pytest.raises(ToolchainError):
        Passphrases(checkout, "azblob://state", env).choose("staging")
    by_service = Passphrases(checkout, "https://api.pulumi.com", env)
    by_service.choose("staging")
    file.write_text("encryptionsalt: v1:x\n")
    # a stack that was made with it opens by nothing else
    another = (
        r"unset it; if .* made with it, ./pulumiw stack change-secrets-provider passphrase --stack staging asks for"
    )
    with pytest.raises(ToolchainError, match=rf"{another} another first, and that is to be set$"):
        by_service.choose("staging")
    by_service.choose("staging", leaves=True)
    assert env == before


@pytest.mark.parametrize(
    ("content", "line"), [(b"config:\n  datadocker:prefix: caf\xe9-\n", 2), ("config: {}\n".encode("utf-16"), 1)]
)
def test_a_stack_file_in_another_encoding_is_one_line(checkout: Path, content: bytes, line: int) -> None:
    (checkout / "Pulumi.mine.yaml").write_bytes(content)
    with pytest.raises(ToolchainError, match=rf"^Pulumi.mine.yaml is not UTF-8 in line {line}: save it as UTF-8$"):
        in_files(checkout, {}).choose("mine")


def test_a_passphrase_may_be_any_bytes(checkout: Path) -> None:
    (checkout / "passphrase").write_bytes(b"\xff\xfe")
    env = {"PULUMI_CONFIG_PASSPHRASE_FILE": str(checkout / "passphrase")}
    in_files(checkout, env).choose("mine")
    assert env == {"PULUMI_CONFIG_PASSPHRASE_FILE": str(checkout / "passphrase")}


def test_that_a_tracked_file_has_the_salt_of_the_checkouts_own_is_said(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = in_files(checkout, {})
    made.choose("mine")
    capsys.readouterr()
    made.tell_of_salt("mine")
    assert "Pulumi.mine.yaml has the salt of this checkout's own passphrase now" in capsys.readouterr().err
    in_files(checkout, {"PULUMI_CONFIG_PASSPHRASE": "theirs"}).tell_of_salt("mine")
    assert capsys.readouterr().err == ""
