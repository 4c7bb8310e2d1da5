"""What the plugin's README shows works: its volumes, those of 0.5.1 above all, and its compose file."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from azurefile import __main__ as main
from azurefile import options

PLUGIN = Path(options.__file__).parent
README = (PLUGIN / "README.md").read_text()
DEFAULTS = "protocol=local"


def _volumes(text: str) -> list[tuple[str, dict[str, str]]]:
    """Name and options of each `docker volume create`."""
    found = []
    for line in re.findall(r"^docker volume create .*$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        given = dict(words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "-o")
        found.append((words[words.index("--name") + 1], given))
    return found


def _section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_volume_that_it_makes_is_one() -> None:
    volumes = _volumes(README)
    assert len(volumes) >= 5
    for name, given in volumes:
        given = {k: "account1" if v == "ACCOUNT" else v for k, v in given.items()}
        options.parse(name, given, options.parse_defaults(DEFAULTS))


@pytest.mark.parametrize("protocol", ["smb", "nfs", "local"])
def test_volumes_of_0_5_1_work_as_they_are(protocol: str) -> None:
    section = _section("From azurefile 0.5.1")
    stated = re.search(r"DEFAULTS=(\S+)", section)
    assert stated
    defaults = options.parse_defaults(stated[1])
    plain, rich = _volumes(section)
    as_before = options.parse(*plain, defaults)
    assert (as_before.protocol, as_before.share, as_before.create) == ("smb", "myshare", True)
    assert (as_before.filemode, as_before.dirmode) == (0o777, 0o777)
    more = {"server": "files.example"} if protocol == "nfs" else {}
    parsed = options.parse(rich[0], rich[1] | {"protocol": protocol} | more, defaults)
    assert (parsed.folder, parsed.uid, parsed.gid, parsed.filemode) == ("mysql/orders", 999, 999, 0o640)


def test_settings_are_the_same_in_the_readme_the_plugins_config_and_its_program() -> None:
    rows = re.findall(r"^\| `([\w.]+)=\S+` \| (.*) \| `(\S+)` \|$", _section("Install"), re.MULTILINE)
    config = json.loads((PLUGIN / "config.json").read_text())
    settings = {entry["name"]: entry for entry in config["env"]}
    sources = {f"{entry['name']}.source": entry["source"] for entry in config["mounts"]}
    assert {name: default for name, _, default in rows} == sources | {k: v["value"] for k, v in settings.items()}
    command = [sys.executable, "-m", "azurefile", "--help"]
    environment = {name: value for name, value in os.environ.items() if name not in settings} | {"COLUMNS": "1000"}
    said = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=PLUGIN.parent
    ).stdout
    defaults = dict(re.findall(r"--([a-z-]+) [A-Z_]+\s+[^\[]*\[([^\]]*)\]", said.partition("options:")[2]))
    # What a volume without a protocol is, only the config says.
    assert defaults.pop("defaults") == ""
    for name in settings.keys() - {"DEFAULTS"}:
        assert defaults[name.lower().replace("_", "-")] == settings[name]["value"]
    low, high = main._TAKEOVER
    for text in (
        settings["TAKEOVER_SECONDS"]["description"],
        *(m for name, m, _ in rows if name == "TAKEOVER_SECONDS"),
    ):
        assert re.findall(r"\d+", text) == [str(low), str(high)]


def test_the_compose_file_maps_an_exclusive_volume() -> None:
    composed = yaml.safe_load((PLUGIN / "compose.yaml").read_text())
    (name, volume), *_ = composed["volumes"].items()
    assert volume["driver"] == "azurefile"
    parsed = options.parse(name, volume["driver_opts"], options.parse_defaults(DEFAULTS))
    assert (parsed.exclusive, parsed.purpose, parsed.share) == (True, "database", "dbs")
    # no password where others can read it
    assert "PASSWORD_FILE" in str(composed["services"]["mydb"]["environment"])
