"""docs/azure.md says what is: its picture is the stack's own, and its settings exist."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pulumi
import pytest

from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.toolchain.test_stack_files import EVERY_PATH
from tests.unit.azure_parts import AzureRecorder, logged_in, settings_of
from tests.unit.azure_picture import draw
from tests.unit.conftest import Build

PAGE, PICTURE = Path("docs/azure.md"), Path("docs/azure.svg")
# drivers/azure/azure.go of docker/machine 0.16
FLAGS = """availability-set client-id client-secret custom-data dns docker-port environment image location no-public-ip
open-port private-ip-address resource-group size ssh-user static-public-ip storage-type subnet subnet-prefix
subscription-id use-private-ip vnet""".split()  # noqa: SIM905
# what drivers/azure/azure.go of rancher/machine has besides
RANCHER = """accelerated-networking availability-zone disk-size enable-public-ip-standard-sku encryption-at-host
fault-domain-count managed-disks nsg plan tags tenant-id update-domain-count""".split()  # noqa: SIM905


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    monkeypatch.setattr(pulumi, "export", lambda *_: None)
    return logged_in(monkeypatch, tmp_path)


def test_the_picture_is_the_stacks_own(build: Build, recorder: AzureRecorder) -> None:
    settings = parse(settings_of("staging"), file="Pulumi.staging.yaml")
    build(lambda: build_stack(settings, *docker_host(settings)))
    drawn = draw(recorder)
    if os.environ.get("DATADOCKER_DRAW"):
        PICTURE.write_text(drawn)
    assert PICTURE.read_text() == drawn, "DATADOCKER_DRAW=1 ./test unit -k picture draws it anew"


def test_every_flag_of_docker_machine_has_its_row() -> None:
    rows = re.findall(r"^\| `--azure-([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(FLAGS) == set(rows)
    more = re.findall(r"^\| (`--azure-.*`) \(rancher/machine\) \|", PAGE.read_text(), re.MULTILINE)
    assert set(RANCHER) == {flag for row in more for flag in re.findall(r"`--azure-([a-z-]+)`", row)}


def test_every_setting_that_the_page_names_exists() -> None:
    known = [path.removeprefix("datadocker:").replace("[0]", "[]") for path in EVERY_PATH]
    # of which a stack's value is the only one
    known += ["host.kind", "shares.kind"]
    named = re.findall(r"`((?:host|shares|databases\[\])(?:\.[A-Za-z]+)+)", PAGE.read_text())
    assert len(named) > 20
    for setting in named:
        assert any(path == setting or path.startswith((f"{setting}.", f"{setting}[")) for path in known), setting
