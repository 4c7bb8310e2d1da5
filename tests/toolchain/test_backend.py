"""The backend, and the stack that is meant."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from toolchain import cache, wrapper
from toolchain.backend import Backend
from toolchain.cli import Cli
from toolchain.progress import ToolchainError


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PULUMI_CREDENTIALS_PATH": str(tmp_path / "credentials")}


def backend(tmp_path: Path, env: dict[str, str]) -> Backend:
    (tmp_path / "checkout").mkdir(exist_ok=True)
    made = Backend(tmp_path / "checkout", Cli(tmp_path / "pulumi", env, tmp_path / "checkout"))
    made.prepare(tmp_path / "plugins")
    return made


def does(made: Backend, script: str) -> None:
    """Has the CLI be a script of the shell's."""
    made.cli.program.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    made.cli.program.chmod(0o755)


def login(home: Path, url: str) -> None:
    home.mkdir(exist_ok=True)
    (home / "credentials.json").write_text(json.dumps({"current": url}))


def test_without_a_login_state_is_in_the_checkout_and_closed_to_others(tmp_path: Path, env: dict[str, str]) -> None:
    made = backend(tmp_path, env)
    assert env["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/checkout/.state"
    assert made.state.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["c#", "100%", "what?", "a%20b", "ü b"])
def test_a_checkouts_path_may_have_what_means_something_in_a_url(tmp_path: Path, name: str) -> None:
    checkout = tmp_path / name
    checkout.mkdir()
    (checkout / "Pulumi.yaml").write_text("name: datadocker\nruntime: yaml\n")
    # packed states would hide what a killed run left
    env = {"PATH": "/bin", "PULUMI_CREDENTIALS_PATH": str(tmp_path), "PULUMI_DIY_BACKEND_GZIP": "true",
           "PULUMI_CONFIG_PASSPHRASE": "x", "PULUMI_SKIP_UPDATE_CHECK": "true"}  # fmt: skip
    made = Backend(checkout, Cli(Path(os.environ["DATADOCKER_TEST_TOOLCHAIN"], "pulumi"), env, checkout))
    made.prepare(tmp_path / "plugins")
    made.cli.run("stack", "init", "one")
    assert (checkout / ".state/.pulumi/stacks/datadocker/one.json").exists()
    assert made.states.exists("one")
    assert made.selected() == "organization/datadocker/one"


def own_home(folder: Path, env: dict[str, str]) -> None:
    """A home of the user's own, and a plugin that it lacks."""
    (folder / "plugins/resource-docker-v5.2.0").mkdir(parents=True)
    (folder / "plugins/resource-docker-v5.2.0/binary").write_text("x")
    env["PULUMI_HOME"] = str(folder / "own")


def test_a_home_of_the_users_own_gets_the_plugins_that_it_lacks(tmp_path: Path, env: dict[str, str]) -> None:
    own_home(tmp_path, env)
    backend(tmp_path, env)
    assert (tmp_path / "own/plugins/resource-docker-v5.2.0/binary").read_text() == "x"


def test_a_plugin_that_a_killed_cli_left_half_unpacked_is_none(tmp_path: Path, env: dict[str, str]) -> None:
    """Its mark stays beside it, and would not come along."""
    own_home(tmp_path, env)
    (tmp_path / "plugins/resource-docker-v5.2.0.partial").touch()
    backend(tmp_path, env)
    assert not (tmp_path / "own").exists()


def test_a_plugin_of_a_home_has_its_name_once_it_is_on_the_disk(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home(tmp_path, env)
    (tmp_path / "sync").write_text("#!/bin/sh\nls $2 >&2\nexit 1\n")
    (tmp_path / "sync").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}", prepend=os.pathsep)
    with pytest.raises(ToolchainError, match=r"\.part is not on its disk: binary: "):
        backend(tmp_path, env)
    assert [p.name for p in (tmp_path / "own/plugins").iterdir()] == [".resource-docker-v5.2.0.part"]


def test_two_first_runs_give_a_home_its_plugins_once(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_home(tmp_path, env)
    # what a killed run left
    (tmp_path / "own/plugins/.resource-docker-v5.2.0.part/resource-docker").mkdir(parents=True)

    @contextlib.contextmanager
    def waited_for(name: str) -> Iterator[None]:
        shutil.copytree(tmp_path / "plugins/resource-docker-v5.2.0", tmp_path / "own/plugins/resource-docker-v5.2.0")
        yield

    monkeypatch.setattr(cache, "lock", waited_for)
    backend(tmp_path, env)
    assert [p.name for p in (tmp_path / "own/plugins").iterdir()] == ["resource-docker-v5.2.0"]
    shutil.rmtree(tmp_path / "own/plugins")
    monkeypatch.setattr(cache, "lock", lambda _: contextlib.nullcontext())
    backend(tmp_path, env)
    assert [p.name for p in (tmp_path / "own/plugins/resource-docker-v5.2.0").iterdir()] == ["binary"]
    assert [p.name for p in (tmp_path / "own/plugins").iterdir()] == ["resource-docker-v5.2.0"]


def test_the_toolchain_can_be_exchanged_for_the_other_and_back(tmp_path: Path, env: dict[str, str]) -> None:
    built, theirs = tmp_path / "plugins/resource-docker-v5.2.0", tmp_path / "checkout/.state/home/plugins"
    built.mkdir(parents=True)
    backend(tmp_path, dict(env))
    assert (theirs / built.name).is_dir()
    # the official one has no such folder: the CLI downloads into its home
    built.rmdir()
    built.parent.rmdir()
    backend(tmp_path, dict(env))
    assert not theirs.is_symlink()
    (theirs / "resource-azure-native-v3.0.0").mkdir(parents=True)
    built.mkdir(parents=True)
    backend(tmp_path, dict(env))
    assert sorted(p.name for p in theirs.iterdir()) == ["resource-azure-native-v3.0.0", built.name]


def test_a_login_is_respected(tmp_path: Path, env: dict[str, str]) -> None:
    login(tmp_path / "credentials", "https://cloud.example")
    backend(tmp_path, env)
    assert "PULUMI_BACKEND_URL" not in env


def test_a_login_that_is_encrypted_is_asked_for_and_left_to_the_cli(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/credentials.json").write_text('{"$pulumiSecureStore": 1, "backend": "tpm-file"}')
    refused = r"credentials.json is encrypted .*: name it by PULUMI_BACKEND_URL \(./pulumiw whoami -v shows it\), or"
    # what needs no stack, as whoami, has the CLI's own answer
    (tmp_path / "checkout").mkdir()
    monkeypatch.setattr(wrapper, "CHECKOUT", tmp_path / "checkout")
    monkeypatch.setattr("toolchain.virtualenv.ensure", lambda _: tmp_path)
    monkeypatch.setattr("toolchain.clis.ensure", lambda *_: tmp_path)
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(tmp_path / "credentials"))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    assert "PULUMI_BACKEND_URL" not in wrapper._ready(["whoami"])[1]
    with pytest.raises(ToolchainError, match=refused):
        wrapper._ready(["config"])
    env["PULUMI_BACKEND_URL"] = "azblob://state"
    backend(tmp_path, env).check_known()


def test_a_backend_that_the_user_names_is_respected(tmp_path: Path, env: dict[str, str]) -> None:
    env["PULUMI_BACKEND_URL"] = "s3://bucket"
    assert backend(tmp_path, env).states.folder is None
    assert env["PULUMI_BACKEND_URL"] == "s3://bucket"


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("backend:\n  # url: s3://old\n  url: file:///a/b # ours\n", "/a/b"),
        ("backend: {url: 'file://~/b'}\n", "~/b"),
        ('backend:\n  "url": "file://below?no_tmp_dir=true"\n', "{}/below"),
        ("backend:\n    url: s3://bucket\nother:\n    url: file:///a\n", None),
        ("backend:\n\n  url: https://cloud.example\n", None),
    ],
)
def test_the_backend_of_the_project_is_respected(
    tmp_path: Path, env: dict[str, str], text: str, folder: str | None
) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout/Pulumi.yaml").write_text(f"name: datadocker\n{text}description: x\n")
    login(tmp_path / "credentials", "https://other.example")
    made = backend(tmp_path, env)
    assert "PULUMI_BACKEND_URL" not in env
    assert made.states.folder == (folder and Path(folder.format(made.checkout)).expanduser() / ".pulumi")


@pytest.mark.parametrize(
    ("here", "arguments", "said"),
    [("sub", [], "environment"), (".", ["-C", "sub"], "login"), (".", ["--cwd=sub"], "project")],
)
def test_a_relative_backend_is_below_the_folder_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, arguments: list[str], said: str
) -> None:
    checkout, url = tmp_path / "checkout", "file://./below"
    (checkout / "sub/below").mkdir(parents=True)
    (checkout / "below").mkdir()
    of_project = f"backend: {{url: '{url}'}}\n" if said == "project" else ""
    (checkout / "Pulumi.yaml").write_text(f"name: datadocker\nruntime: yaml\n{of_project}")
    (checkout / "Pulumi.mine.yaml").touch()
    login(tmp_path / "home", url if said == "login" else "")
    (tmp_path / "bin").symlink_to(os.environ["DATADOCKER_TEST_TOOLCHAIN"])
    for variable in [v for v in os.environ if v.startswith("PULUMI_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(tmp_path / "home"))
    if said == "environment":
        monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    monkeypatch.setattr(wrapper, "CHECKOUT", checkout)
    monkeypatch.setattr("toolchain.virtualenv.ensure", lambda _: tmp_path)
    monkeypatch.setattr("toolchain.clis.ensure", lambda *_: tmp_path)
    monkeypatch.setattr(os, "execve", lambda _, command, env: subprocess.run(command, env=env, check=True))
    monkeypatch.chdir(checkout / here)
    wrapper.main([*arguments, "config", "--stack", "mine", "--non-interactive"])
    assert (checkout / "sub/below/.pulumi/stacks/datadocker/mine.json").exists()
    assert not list((checkout / "below").iterdir())


def test_a_project_without_a_backend_of_its_own_has_the_checkouts(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout/Pulumi.yaml").write_text("name: datadocker\nbackend:\nother:\n  url: s3://bucket\n")
    assert backend(tmp_path, env).states.folder == tmp_path / "checkout/.state/.pulumi"


def test_a_login_is_found_in_the_users_own_home(tmp_path: Path) -> None:
    login(tmp_path / "own", "file:///a~b")
    env = {"PULUMI_HOME": str(tmp_path / "own"), "PULUMI_CREDENTIALS_PATH": "", "PULUMI_BACKEND_URL": ""}
    assert backend(tmp_path, env).states.folder == Path("/a~b/.pulumi")
    assert not env["PULUMI_BACKEND_URL"]
    assert env["PULUMI_CREDENTIALS_PATH"] == str(tmp_path / "own")
    # what is for credentials alone comes first, as the CLI has it
    env["PULUMI_CREDENTIALS_PATH"] = str(tmp_path / "none")
    assert backend(tmp_path, env).states.folder == tmp_path / "checkout/.state/.pulumi"


def test_an_access_token_is_for_pulumis_service(tmp_path: Path, env: dict[str, str]) -> None:
    env["PULUMI_ACCESS_TOKEN"] = "pul-x"
    made = backend(tmp_path, env)
    assert "PULUMI_BACKEND_URL" not in env
    assert (made.url, made.states.folder) == ("https://api.pulumi.com", None)
    login(tmp_path / "credentials", "azblob://state")
    assert backend(tmp_path, env).url == "azblob://state"


def test_the_selected_stack_is_that_of_the_backend(tmp_path: Path, env: dict[str, str]) -> None:
    login(tmp_path / "credentials", "https://cloud.example/")
    made = backend(tmp_path, env)
    digest = hashlib.sha1(f"{made.checkout}/Pulumi.yaml".encode(), usedforsecurity=False).hexdigest()
    file = Path(env["PULUMI_HOME"], f"workspaces/datadocker-{digest}-workspace.json")
    file.parent.mkdir()
    file.write_text(json.dumps({"stacks": {"https://cloud.example": "team/datadocker/a", "s3://bucket": "b"}}))
    assert made.selected() == "team/datadocker/a"


@pytest.mark.usefixtures("eight_bits")
def test_what_the_cli_writes_is_read_alike_in_every_locale(tmp_path: Path, env: dict[str, str]) -> None:
    env["PULUMI_BACKEND_URL"] = f"file://{tmp_path}/für"
    made = backend(tmp_path, env)
    does(made, "echo für alle\n")
    assert made.cli.output() == "für alle\n"
    digest = hashlib.sha1(f"{made.checkout}/Pulumi.yaml".encode(), usedforsecurity=False).hexdigest()
    file = Path(env["PULUMI_HOME"], f"workspaces/datadocker-{digest}-workspace.json")
    file.parent.mkdir()
    file.write_text(json.dumps({"stacks": {made.url: "mine"}}, ensure_ascii=False), encoding="utf-8")
    assert made.selected() == "mine"
    state = tmp_path / "für/.pulumi/stacks/datadocker/mine.json"
    state.parent.mkdir(parents=True)
    engine = {"type": "pulumi:providers:docker", "inputs": {"host": "ssh://h", "sshOpts": ["-i", "/home/für"]}}
    text = json.dumps({"checkpoint": {"latest": {"resources": [engine]}}}, ensure_ascii=False)
    state.write_text(text, encoding="utf-8")
    assert made.states.engines("mine") == {"ssh://h": ["-i", "/home/für"]}


def test_a_checkout_that_is_moved_goes_on_with_the_stack_that_was_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [v for v in os.environ if v.startswith("PULUMI_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(tmp_path))
    (tmp_path / "bin").symlink_to(os.environ["DATADOCKER_TEST_TOOLCHAIN"])
    monkeypatch.setattr("toolchain.virtualenv.ensure", lambda _: tmp_path)
    monkeypatch.setattr("toolchain.clis.ensure", lambda *_: tmp_path)
    checkout = tmp_path / "0"
    checkout.mkdir()
    (checkout / "Pulumi.yaml").write_text("name: datadocker\nruntime: yaml\n")
    for stack in ("dev", "mine"):
        (checkout / f"Pulumi.{stack}.yaml").touch()

    def run(*arguments: str) -> str:
        monkeypatch.setattr(wrapper, "CHECKOUT", checkout)
        monkeypatch.chdir(checkout)
        cli, env = wrapper._ready([*arguments])
        return subprocess.run([cli, *arguments], env=env, check=True, capture_output=True, text=True).stdout.strip()

    run("stack", "init", "mine")
    checkout = checkout.rename(tmp_path / "1")
    assert run("stack", "--show-name") == "mine"
    assert not (checkout / ".state/.pulumi/stacks/datadocker/dev.json").exists()
    run("stack", "init", "dev")
    checkout = checkout.rename(tmp_path / "2")
    several = r"^none is selected in .*/2, and dev and mine were when .* another path: .* --stack NAME, or by"
    with pytest.raises(ToolchainError, match=several):
        run("config")
    assert "mine" in run("stack", "ls")
    run("stack", "select", "mine")
    assert run("stack", "--show-name") == "mine"
    # one that is gone is meant no more
    run("stack", "rm", "mine", "--yes")
    checkout = checkout.rename(tmp_path / "3")
    assert run("stack", "--show-name") == "dev"


def made_stack(state: Path, owner: str) -> None:
    """The state of a stack that `owner` made."""
    file = state / ".pulumi/stacks/datadocker/mine.json"
    file.parent.mkdir(parents=True)
    stash = {"urn": "urn:pulumi:mine::datadocker::pulumi:index:Stash::checkout", "type": "pulumi:index:Stash",
             "outputs": {"output": {"owner": owner, "place": "unix:///x"}}}  # fmt: skip
    file.write_text(json.dumps({"checkpoint": {"latest": {"resources": [stash]}}}))


def test_a_copy_of_a_checkout_does_nothing_to_the_stack_of_the_first(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, copy = tmp_path / "first", tmp_path / "checkout"
    owner = f"{socket.gethostname()}:{first}#1234abcd"
    for checkout in (first, copy):
        made_stack(checkout / ".state", owner)
    monkeypatch.setattr(wrapper, "CHECKOUT", copy)
    monkeypatch.setattr("toolchain.virtualenv.ensure", lambda _: tmp_path)
    monkeypatch.setattr("toolchain.clis.ensure", lambda *_: tmp_path)
    monkeypatch.setattr("toolchain.engine.ensure", lambda: None)
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(tmp_path))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    with pytest.raises(
        ToolchainError, match=rf"^this is a copy of {first}, and its stack mine is that one's: go on th"
    ):
        wrapper._ready(["destroy", "--stack", "mine"])
    # the first itself goes on, also by another path
    monkeypatch.setattr(wrapper, "CHECKOUT", first)
    wrapper._ready(["destroy", "--stack", "mine"])
    (tmp_path / "mounted").symlink_to(first)
    monkeypatch.setattr(wrapper, "CHECKOUT", tmp_path / "mounted")
    wrapper._ready(["destroy", "--stack", "mine"])


@pytest.mark.parametrize("host", ["", "another.example"])
def test_a_checkout_that_was_moved_or_is_another_hosts_is_no_copy(
    tmp_path: Path, env: dict[str, str], host: str
) -> None:
    first = tmp_path / "first"
    owner = f"{host or socket.gethostname()}:{first}#1234abcd"
    made_stack(tmp_path / "checkout/.state", owner)
    backend(tmp_path, env).check_original("mine")
    # what is in its place now made a stack of its own
    made_stack(first / ".state", owner if host else f"{owner}5")
    backend(tmp_path, env).check_original("mine")


def test_two_runs_that_would_make_a_stack_make_it_once(
    tmp_path: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = backend(tmp_path, env)
    assert made.states.folder is not None
    state = made.states.folder / "stacks/datadocker/mine.json"
    state.parent.mkdir(parents=True)
    (made.checkout / "Pulumi.mine.yaml").touch()
    does(made, f'echo "$@" >> {tmp_path}/called\n[ $2 = select ] || (sleep 0.3; touch {state})\n')
    with ThreadPoolExecutor() as both:
        for done in [both.submit(made.ensure_stack, "mine", select=True) for _ in range(2)]:
            done.result()
    called = (tmp_path / "called").read_text().splitlines()
    assert called.count("stack init mine --no-select --non-interactive") == 1
    assert called.count("stack select mine --non-interactive") == 2


def test_a_file_with_the_salt_of_another_passphrase_is_said_with_what_to_do(
    tmp_path: Path, env: dict[str, str]
) -> None:
    made = backend(tmp_path, env)
    (made.checkout / "Pulumi.mine.yaml").write_text("encryptionsalt: v1:x\n")
    does(made, "echo 'error: could not create secrets manager: incorrect passphrase'\nexit 255\n")
    made.passphrases.choose("mine")
    # to another file: by the one that is here the other stacks are encrypted
    own = r"another passphrase: copy .state/passphrase of .* to another file and name that by PULUMI_CONFIG_.*_FILE, or"
    with pytest.raises(ToolchainError, match=rf"^the encryptionsalt in Pulumi.mine.yaml belongs to {own}"):
        made.ensure_stack("mine", select=False)
    for variable in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_CONFIG_PASSPHRASE"):
        # the value comes first
        env[variable] = "/theirs"
        with pytest.raises(
            ToolchainError, match=rf"another passphrase than {variable} gives: unset it, or .* the right"
        ):
            made.ensure_stack("mine", select=False)


def test_another_passphrase_than_devs_is_said_with_what_to_do(tmp_path: Path, env: dict[str, str]) -> None:
    env["PULUMI_CONFIG_PASSPHRASE"] = ""
    made = backend(tmp_path, env)
    (made.checkout / "Pulumi.dev.yaml").write_text("encryptionsalt: v1:x\n")
    does(made, "echo 'error: could not create secrets manager: incorrect passphrase'\nexit 255\n")
    with pytest.raises(ToolchainError, match=r"^PULUMI_CONFIG_PASSPHRASE is not the passphrase of dev, .*: unset it$"):
        made.ensure_stack("dev", select=False)


VAULT = "secretsprovider: azurekeyvault://v.vault.azure.net/keys/k # ours\nencryptedkey: eA==\n"


def test_a_stack_whose_secrets_a_key_service_keeps_is_made_in_no_state_but_the_teams(
    tmp_path: Path, env: dict[str, str]
) -> None:
    made = backend(tmp_path, env)
    (made.checkout / "Pulumi.prod.yaml").write_text(VAULT)
    does(made, f"touch {tmp_path}/called\n")
    with pytest.raises(ToolchainError, match=r"^Pulumi.prod.yaml names a secretsprovider, .* \(./pulumiw login URL;"):
        made.ensure_stack("prod", select=True)
    assert not (tmp_path / "called").exists()


def test_a_stack_that_is_made_keeps_the_key_that_its_file_has(
    tmp_path: Path, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    env["PULUMI_BACKEND_URL"] = f"file://{tmp_path}/shared"
    made = backend(tmp_path, env)
    (made.checkout / "Pulumi.prod.yaml").write_text(VAULT)
    does(made, f'echo "$@" >> {tmp_path}/called\n')
    made.passphrases.choose("prod")
    made.ensure_stack("prod", select=False)
    told = "--secrets-provider azurekeyvault://v.vault.azure.net/keys/k"
    assert (tmp_path / "called").read_text() == f"stack init prod --no-select {told} --non-interactive\n"
    assert "salt" not in capsys.readouterr().err


def test_a_backend_that_can_not_be_asked_has_no_stack_made_in_it(
    tmp_path: Path, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    env["PULUMI_BACKEND_URL"] = "azblob://state"
    made = backend(tmp_path, env)
    (made.checkout / "Pulumi.prod.yaml").touch()
    does(made, "echo 'error: unable to open bucket azblob://state: AADSTS700082' >&2\nexit 255\n")
    with pytest.raises(
        ToolchainError, match=r"^pulumi stack ls --json failed:\n  error: unable to open .*AADSTS700082$"
    ):
        made.ensure_stack("prod", select=False)
    assert "creating" not in capsys.readouterr().err
