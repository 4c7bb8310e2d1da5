"""The committed stack files, changed by the real CLI."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from stacks.settings import Settings
from toolchain.passphrase import PUBLISHED
from toolchain.wrapper import CHECKOUT

SCHEMA = Settings.model_json_schema(by_alias=True)


def paths(described: dict[str, Any], at: str) -> Iterator[str]:
    """Yields the path of each value below `at`; of a list, the first item's."""
    kinds = described.get("anyOf") or described.get("oneOf") or [described]
    holders = [kind for kind in kinds if kind.keys() & {"$ref", "items", "additionalProperties", "patternProperties"}]
    # what may be an object is set part by part
    for kind in holders or kinds[:1]:
        if "$ref" in kind:
            for name, part in SCHEMA["$defs"][kind["$ref"].rpartition("/")[2]]["properties"].items():
                yield from paths(part, f"{at}.{name}")
        elif "items" in kind:
            yield from paths(kind["items"], f"{at}[0]")
        elif holders:
            for value in [*kind.get("patternProperties", {}).values()] or [kind["additionalProperties"]]:
                yield from paths(value, f"{at}.key")
        elif "const" not in kind:
            yield at


def decrypted(value: Any) -> Any:
    """What the CLI gives to a program, every secret being 1."""
    if isinstance(value, list):
        return [decrypted(item) for item in value]
    if isinstance(value, dict):
        return "1" if value.keys() == {"secure"} else {key: decrypted(part) for key, part in value.items()}
    return value


EVERY_PATH = list(
    dict.fromkeys(path for name, part in SCHEMA["properties"].items() for path in paths(part, f"datadocker:{name}"))
)


def test_all_kinds_of_settings_have_a_path() -> None:
    assert {
        "datadocker:prefix", "datadocker:host.socket", "datadocker:host.address", "datadocker:host.sshFrom[0]",
        "datadocker:host.network.subnetId", "datadocker:host.tags.key", "datadocker:shares.allowFrom[0]",
        "datadocker:volumes[0].folder", "datadocker:volumes[0].options.key", "datadocker:databases[0].options.key",
        "datadocker:databases[0].users[0].schemas[0]",
    } <= set(EVERY_PATH)  # fmt: skip


@pytest.mark.parametrize("stack", ["dev", "staging", "prod"])
def test_config_set_changes_every_setting_and_leaves_its_shape(stack: str, tmp_path: Path) -> None:
    file = tmp_path / f"Pulumi.{stack}.yaml"
    shutil.copy(CHECKOUT / file.name, file)
    (tmp_path / "Pulumi.yaml").write_text("name: datadocker\nruntime: yaml\n")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PULUMI_")}
    env = kept | {"PULUMI_BACKEND_URL": f"file://{tmp_path}", "PULUMI_HOME": str(tmp_path / "home"),
                  "PULUMI_CONFIG_PASSPHRASE": PUBLISHED, "PULUMI_SKIP_UPDATE_CHECK": "true"}  # fmt: skip
    # a number is a boolean, too, and to a text the text that it looks like; a password is none, unless it is a secret
    ways = {path: "--secret" if path.lower().endswith("password") else "--plaintext" for path in EVERY_PATH}
    values = [word for path, way in ways.items() for word in (way, f"{path}=1")]
    for command in (["stack", "init", stack], ["config", "set-all", "--stack", stack, "--path", *values]):
        cli = [os.environ["DATADOCKER_TEST_TOOLCHAIN"] + "/pulumi", *command, "--non-interactive"]
        done = subprocess.run(cli, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    config = yaml.safe_load(file.read_text())["config"]
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({key.removeprefix("datadocker:"): decrypted(value) for key, value in config.items()})
    # not each is the value that a setting takes
    assert [error for error in refused.value.errors() if error["type"].endswith("_type")] == []
