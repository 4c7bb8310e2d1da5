"""What the wrapper understands of a command line, and what it says before it gives way to the CLI."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.nobody import closed_socket, told_as_nobody
from toolchain import commandline, login, targeted, vanished, wrapper
from toolchain.backend import Backend
from toolchain.cli import Cli
from toolchain.passphrase import PUBLISHED, PUBLISHED_SALT
from toolchain.progress import ToolchainError

# a program's way to the CLI: Python's gRPC to a port of this machine
CALL = """
from concurrent.futures import ThreadPoolExecutor
import grpc
class Echo(grpc.GenericRpcHandler):
    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda said, _: said)
server = grpc.server(ThreadPoolExecutor(1), handlers=[Echo()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
assert grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary("/a/b")(b"hi", timeout=10) == b"hi"
server.stop(0)
"""


@pytest.mark.parametrize(
    ("arguments", "stack"),
    [
        (["up", "--stack", "x"], "x"),
        (["up", "-s", "x", "--yes"], "x"),
        (["up", "--stack=x"], "x"),
        (["up", "-sx"], "x"),
        (["up", "-s=x"], "x"),
        (["up", "-ysx"], "x"),
        (["up", "-ys", "x"], "x"),
        (["up", "-s", "y", "--stack", "x"], "x"),
        (["up", "--skip-preview", "--suppress-outputs"], None),
        (["up"], None),
        (["up", "--stack"], None),
        (["stack", "init", "x"], "x"),
        (["stack", "rm", "--yes", "x"], "x"),
        (["--color", "never", "stack", "select", "x"], "x"),
        (["stack", "init", "--copy-config-from", "dev", "x"], "x"),
        (["stack", "new", "x"], "x"),
        (["stack", "remove", "--force", "x"], "x"),
        (["cancel", "--yes", "x"], "x"),
        (["cancel"], None),
        (["stack", "rename", "x"], None),
        (["stack", "init"], None),
        (["stack", "ls"], None),
    ],
)
def test_the_stack_that_is_named(arguments: list[str], stack: str | None) -> None:
    assert commandline.named_stack(arguments) == stack


@pytest.mark.parametrize(
    ("arguments", "env", "stack", "refreshes", "part"),
    [
        (["up"], {"STACK": "x"}, "x", False, False),
        (["up", "-s", "y"], {"STACK": "x"}, "y", False, False),
        (["up"], {"STACK": ""}, None, False, False),
        (["up"], {"REFRESH": "true"}, None, True, False),
        (["up"], {"REFRESH": "false", "TARGET": "urn,urn2"}, None, False, True),
        (["config", "set", "secret", "--", "-s3cret"], {}, None, False, False),
        (["up", "--", "--refresh", "-t", "urn"], {}, None, False, False),
    ],
)
def test_options_may_be_in_the_environment_and_end_with_two_dashes(
    arguments: list[str], env: dict[str, str], stack: str | None, refreshes: bool, part: bool
) -> None:
    asked = commandline.understood(arguments, {"PATH": "/bin", **{f"PULUMI_OPTION_{k}": v for k, v in env.items()}})
    assert commandline.named_stack(asked) == stack
    assert commandline.command_of(asked) == arguments[0]
    assert vanished.is_refresh(arguments[0], asked) is refreshes
    assert targeted.is_part(arguments[0], asked) is part


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["state", "rename", "urn", "new"], "state"),
        (["-C", "help", "up"], "up"),
        (["up", "--stack", "env"], "up"),
        (["env", "ls"], "env"),
        (["policy", "ls"], "policy"),
    ],
)
def test_the_command_is_no_word_of_anothers(arguments: list[str], command: str) -> None:
    assert commandline.command_of(arguments) == command


@pytest.mark.parametrize("arguments", [[], ["--color", "never"], ["up", "-h"]])
def test_a_command_line_without_a_command_tells_how_it_is_used(arguments: list[str]) -> None:
    assert commandline.asks_for_help(arguments)
    assert not commandline.asks_for_help(["up"])


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 3)
    with pytest.raises(ToolchainError, match=r"^user 2147483645 has no home on this machine: set HOME to a folder"):
        wrapper._find_home()


def test_a_program_that_is_gone_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wrapper, "_ready", lambda _: (tmp_path / "pulumi", {}))
    monkeypatch.chdir(wrapper.CHECKOUT)
    with pytest.raises(SystemExit):
        wrapper.main(["version"])
    assert capsys.readouterr().err.startswith(f"pulumiw: {tmp_path}/pulumi: No such file or directory: ")


def test_a_folder_that_is_gone_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ToolchainError, match=r"^the folder that this is run in was deleted: cd to another one$"):
        wrapper._folder(["up"])


def test_from_elsewhere_it_goes_to_its_checkout_and_to_no_other_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "docs").mkdir(parents=True)
    monkeypatch.setattr(wrapper, "CHECKOUT", checkout)
    monkeypatch.chdir(tmp_path)
    assert wrapper._folder(["up"]) == checkout
    assert capsys.readouterr().err == f"pulumiw: this is for the stacks of {checkout}: going there\n"
    # the CLI goes where it is told to itself
    assert wrapper._folder(["-C", "checkout", "up"]) == tmp_path
    # what concerns no stack is for where one is
    assert wrapper._folder(["new", "python"]) == tmp_path
    with pytest.raises(ToolchainError, match=rf"^\.\./x is not in {checkout}, whose stacks this is for: run pulumi"):
        wrapper._folder(["up", "--cwd=../x"])
    monkeypatch.chdir(checkout / "docs")
    assert wrapper._folder(["up"]) == checkout / "docs"
    assert capsys.readouterr().err == ""


@pytest.fixture
def warm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout that has all of its toolchain, and a CLI that does nothing."""
    monkeypatch.setattr(wrapper, "CHECKOUT", tmp_path)
    monkeypatch.setattr("toolchain.virtualenv.ensure", lambda _: tmp_path)
    monkeypatch.setattr("toolchain.clis.ensure", lambda *_: tmp_path)
    monkeypatch.setattr(Cli, "run", lambda *_: None)
    monkeypatch.setattr(Cli, "output", lambda *_: '{"deployment": {}}')
    monkeypatch.setenv("PULUMI_CREDENTIALS_PATH", str(tmp_path))
    for variable in ("PULUMI_BACKEND_URL", "PULUMI_HOME", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("arguments", "selected"),
    [
        (["stack", "rename", "x"], None),
        (["stack", "rename", "x"], "organization/datadocker/dev"),
        (["stack", "rename", "--stack", "dev", "x"], "y"),
        (["stack", "rename", "organization/datadocker/dev"], "y"),
    ],
)
def test_a_name_that_would_give_another_stack_the_published_passphrase_is_refused(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], selected: str | None
) -> None:
    monkeypatch.setattr(Backend, "selected", lambda _: selected)
    with pytest.raises(ToolchainError, match="no stack is renamed from dev or to it: "):
        wrapper._ready(arguments)


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("arguments", "selected"),
    [
        (["stack", "rename", "x"], "y"),
        (["stack", "rename", "-s", "y", "x"], None),
        (["stack", "init"], None),
        (["stack", "new", "--secrets-provider", "passphrase"], "dev"),
        (["stack", "select"], "dev"),
        (["stack", "init", "x"], None),
        (["stack", "create", "x"], None),
        (["stack", "init", "--stack", "x"], None),
        (["stack", "init", "--copy-config-from", "dev", "x"], None),
        (["stack", "rm"], "x"),
        (["new", "--stack", "x"], None),
    ],
)
def test_another_stack_is_made_and_renamed_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], selected: str | None
) -> None:
    monkeypatch.setattr(Backend, "selected", lambda _: selected)
    dev = tmp_path / ".state/.pulumi/stacks/datadocker/dev.json"
    dev.parent.mkdir(parents=True)
    dev.write_text('{"checkpoint": {"latest": {"secrets_providers": {"type": "passphrase"}}}}')
    _, env = wrapper._ready(arguments)
    assert "PULUMI_CONFIG_PASSPHRASE" not in env
    # what is made has the checkout's own
    assert ("PULUMI_CONFIG_PASSPHRASE_FILE" in env) == (arguments[0] != "new")


@pytest.mark.usefixtures("warm")
def test_another_passphrase_is_minded_where_dev_is_meant_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"encryptionsalt: {PUBLISHED_SALT}\n")
    for arguments in (["whoami"], ["stack", "ls"], ["up", "--stack", "x", "--help"], ["config", "--stack", "x"], []):
        wrapper._ready(arguments)
    with pytest.raises(ToolchainError, match=r"^PULUMI_CONFIG_PASSPHRASE is not the passphrase of dev"):
        wrapper._ready(["config", "--stack", "dev"])


@pytest.mark.usefixtures("warm")
def test_a_stack_that_has_it_is_let_exchange_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PUBLISHED)
    (tmp_path / "Pulumi.x.yaml").write_text("encryptionsalt: v1:x\n")
    with pytest.raises(ToolchainError, match="is the passphrase that this project publishes for dev"):
        wrapper._ready(["stack", "export", "--stack", "x"])
    _, env = wrapper._ready(["stack", "change-secrets-provider", "passphrase", "--stack", "x"])
    assert env["PULUMI_CONFIG_PASSPHRASE"] == PUBLISHED


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(
    ("made_by", "new", "refused"),
    [("", "x", False), ("y", "x", True), ("was", "x", False), ("was y", "organization/datadocker/was", False)],
)
def test_a_stack_that_stands_is_renamed_only_to_what_it_was(
    monkeypatch: pytest.MonkeyPatch, made_by: str, new: str, refused: bool
) -> None:
    asked = ["stack", "rename", "--stack", "organization/datadocker/y", new]
    labelled = [{"inputs": {"labels": {"io.datadocker.stack": f"datadocker/{name}"}}} for name in made_by.split()]
    monkeypatch.setattr(Cli, "output", lambda *_: json.dumps({"deployment": {"resources": labelled}}))
    if not refused:
        assert wrapper._ready(asked)
        return
    with pytest.raises(ToolchainError, match=r"datadocker/y can't be renamed while it stands: .*: destroy it first \("):
        wrapper._ready(asked)


@pytest.mark.usefixtures("warm")
def test_how_a_stack_is_made_can_be_asked_without_a_name() -> None:
    cli, env = wrapper._ready(["stack", "init", "--help"])
    assert cli.name == "pulumi"
    # no stack is meant that would have a passphrase of its own
    assert env["PULUMI_CONFIG_PASSPHRASE"] == PUBLISHED


def test_a_checkout_behind_a_symbolic_link_is_the_same_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    assert "PWD" not in wrapper.environment(tmp_path)


def test_a_plugin_is_fetched_when_a_resource_asks_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Azure's by dev never, and by a stack on Azure also where the rest was built from source."""
    monkeypatch.delenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", raising=False)
    (tmp_path / "source-1").mkdir()
    env = wrapper.environment(tmp_path / "source-1")
    assert env["PULUMI_OPTION_SKIP_PLUGIN_PRE_INSTALL"] == "true"
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in env


@pytest.mark.parametrize(
    ("given", "kept"),
    [({}, ""), ({"no_proxy": "*"}, "*,"), ({"no_proxy": "a", "no_grpc_proxy": "b.example,c"}, "b.example,c,")],
)
def test_no_proxy_is_asked_for_the_way_to_the_cli(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], kept: str
) -> None:
    for variable in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)
    # nobody's port
    for variable, value in {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", **given}.items():
        monkeypatch.setenv(variable, value)
    env = wrapper.environment(tmp_path)
    done = subprocess.run([sys.executable, "-c", CALL], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert env["no_grpc_proxy"] == f"{kept}127.0.0.1"
    assert env.get("no_proxy") == given.get("no_proxy")


@pytest.mark.usefixtures("warm")
def test_the_stack_decides_on_the_engine_and_no_context_of_dockers(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"DOCKER_HOST": "tcp://somewhere:2375", "DOCKER_CONFIG": "/mine"}
    misleading = {"DOCKER_CONTEXT": "x", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/x", "DOCKER_SSH_OPTS": "-x"}
    for variable, value in (kept | misleading).items():
        monkeypatch.setenv(variable, value)
    _, env = wrapper._ready(["about"])
    for given in (env, os.environ):
        assert kept.items() <= given.items()
        assert not misleading.keys() & given.keys()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["up", "--target", "urn"], True),
        (["update", "--target=urn"], True),
        (["up", "-t", "urn"], True),
        (["up", "-turn"], True),
        (["up", "-t=urn"], True),
        (["up", "-yt", "urn"], True),
        (["up", "-yfturn"], True),
        (["up", "--target-replace", "urn"], True),
        (["up", "--target-replace=urn"], True),
        (["up", "--exclude=urn"], True),
        (["up", "--replace", "urn"], False),
        (["up", "-st"], False),
        (["up", "-mt"], False),
        (["up", "--exclude-dependents"], False),
        (["up", "--exclude", "urn"], True),
        (["up", "--target", "a:AzureFileShares::*", "-t", "a:AzureShare::*"], True),
        (["up", *(word for part in targeted.DATA for word in ("--target", f"a:{part}**"))], False),
        (["up", "--target-dependents"], False),
        (["preview", "--target", "urn"], False),
        (["up"], False),
    ],
)
def test_whether_a_part_of_the_stack_is_updated(arguments: list[str], part: bool) -> None:
    assert targeted.is_part(arguments[0], arguments) is part


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize(
    ("arguments", "set_to", "selected", "said"),
    [
        (["up"], "", False, True),
        (["up", "-s", "far"], "", False, False),
        (["up"], "far", False, False),
        # which one is known later
        (["up"], "", True, False),
        (["up", "-s", "dev"], "far", True, True),
        (["about"], "", False, False),
    ],
)
def test_on_a_cold_machine_a_closed_socket_is_said_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], set_to: str, selected: bool, said: bool
) -> None:
    def build(*_: object) -> Path:
        raise ToolchainError("building")

    monkeypatch.setattr("toolchain.virtualenv.ensure", build)
    with closed_socket() as path:
        checkout = Path(path).parent
        (checkout / "Pulumi.far.yaml").write_text("config:\n  datadocker:host: {kind: ssh, address: h}\n")
        if selected:
            (checkout / ".state/home/workspaces").mkdir(parents=True)
            (checkout / ".state/home/workspaces/datadocker-x-workspace.json").touch()
        monkeypatch.setattr(wrapper, "CHECKOUT", checkout)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        monkeypatch.delenv("PULUMI_HOME", raising=False)
        monkeypatch.setenv("PULUMI_STACK", set_to)
        told = told_as_nobody(lambda: wrapper._ready(arguments))
    assert ("no permission to use the Docker engine's socket" in told) == said
    assert told.endswith(": building") != said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["up", "--stack", "far"], True),
        (["preview", "-s", "organization/datadocker/far"], True),
        (["destroy", "--yes", "-sfar"], True),
        (["refresh", "--stack=far"], True),
        (["up", "--stack", "far", "--help"], False),
        (["up", "--stack", "far", "-c", "azure-native:useMsi=true"], False),
        (["up", "--stack", "far", "--config-file", "other.yaml"], False),
        (["up", "--stack", "near"], False),
        (["config", "--stack", "far"], False),
        (["stack", "init", "far"], False),
    ],
)
def test_on_a_cold_machine_it_is_said_before_anything_is_built_that_nobody_is_logged_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], said: bool
) -> None:
    def build(*_: object) -> Path:
        raise ToolchainError("building")

    for variable in login.BEGUN:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr("toolchain.virtualenv.ensure", build)
    monkeypatch.setattr(wrapper, "CHECKOUT", tmp_path)
    (tmp_path / "Pulumi.far.yaml").write_text("config:\n  datadocker:host: {kind: azure}\n")
    (tmp_path / "Pulumi.near.yaml").write_text("config:\n  datadocker:host: {kind: ssh, address: h}\n")
    expected = f"not logged in to Azure: {login.HOW}" if said else "building"
    with pytest.raises(ToolchainError, match=f"^{re.escape(expected)}$"):
        wrapper._ready(arguments)


def test_a_checkout_that_another_user_has_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for closed, advised in ((f"{wrapper.CHECKOUT}/.venv", True), ("/elsewhere/home", False)):

        def ready(_: list[str], closed: str = closed) -> None:
            raise PermissionError(13, "Permission denied", closed)

        monkeypatch.setattr(wrapper, "_ready", ready)
        with pytest.raises(SystemExit, match="1"):
            wrapper.main(["version"])
        (said,) = capsys.readouterr().err.splitlines()
        assert said.startswith(f"pulumiw: no permission for {closed}")
        assert ("another user (by sudo?) has used this checkout" in said) == advised
        # the wrapper works from any folder: what is here may be no checkout
        assert said.endswith(f": sudo chown -R $USER {wrapper.CHECKOUT}") == advised
        assert (f"(sudo chown -R $USER {closed})" in said) != advised


def test_of_a_link_it_is_the_name_in_the_checkout_that_was_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    checkout = tmp_path / "my checkout"

    def ready(_: list[str]) -> None:
        raise PermissionError(13, "Permission denied", "/home/me/.cache/venv", None, f"{checkout}/.venv.1")

    monkeypatch.setattr(wrapper, "CHECKOUT", checkout)
    monkeypatch.setattr(wrapper, "_ready", ready)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="1"):
        wrapper.main(["version"])
    said = capsys.readouterr().err
    assert said.startswith(f"pulumiw: no permission for {checkout}/.venv.1: another user (by sudo?) has used this")
    assert said.endswith(f": sudo chown -R $USER '{checkout}'\n")


@pytest.mark.parametrize("files", [("/here/.state",), ("/home/me/.cache/venv", None, "/here/.state")])
def test_what_goes_wrong_with_a_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], files: tuple[Any, ...]
) -> None:
    def ready(_: list[str]) -> None:
        raise OSError(30, "Read-only file system", *files)

    monkeypatch.setattr(wrapper, "_ready", ready)
    with pytest.raises(SystemExit, match="1"):
        wrapper.main(["version"])
    assert capsys.readouterr().err.startswith("pulumiw: /here/.state: Read-only file system: ")


@pytest.mark.parametrize("unset", [True, False])
def test_without_a_home_in_the_environment_it_is_the_users(monkeypatch: pytest.MonkeyPatch, unset: bool) -> None:
    monkeypatch.setenv("HOME", "")
    if unset:
        monkeypatch.delenv("HOME")
    homes: list[str] = []
    monkeypatch.setattr(wrapper, "_ready", lambda _: (Path("pulumi"), dict(os.environ)))
    monkeypatch.setattr(os, "execve", lambda _, __, env: homes.append(env.get("HOME")))
    wrapper.main(["version"])
    assert homes == [pwd.getpwuid(os.getuid()).pw_dir]


@pytest.mark.parametrize("script", ["pulumiw", "test"])
def test_an_older_python_is_said_at_once(script: str) -> None:
    older = f"import sys; sys.version_info = (3, 10, 13); exec(open({script!r}).read())"
    done = subprocess.run(
        [sys.executable, "-c", older], cwd=wrapper.CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == f"{script}: this needs Python 3.11 or newer, and this is 3.10: python3.11 ./{script} …\n"
