"""A host on Azure under mocks: what is made, what is open, and what is secret."""

from __future__ import annotations

import base64
import json
import re
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pulumi
import pytest

from tests.azure.kinds import KINDS
from tests.unit.azure_parts import (
    ADDRESS,
    CARD,
    ENGINE,
    GROUP,
    HOST,
    NAT,
    NETWORK,
    PAIR,
    RULES,
    RUN,
    SET,
    SHARE,
    STOP,
    SUBNET,
    SUBNETWORK,
    VM,
    AzureRecorder,
    logged_in,
    public_key,
    settings_of,
    stand,
)
from tests.unit.conftest import Build, Options
from toolchain.halfmade import IDS

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


def test_each_resource_has_the_type_that_it_has_today(
    build: Build, recorder: AzureRecorder, options: Options, exported: dict[str, Any]
) -> None:
    """Those of Azure's other versions, up to sixty for each, take the program a tenth of its time."""
    stand(build, exported)
    on_azure = {made: o.aliases for made, o in options.items() if made[0].startswith("azure-native:")}
    assert {GROUP, CARD, VM, SHARE} <= {typ for typ, _ in on_azure}
    assert [made for made, aliases in on_azure.items() if aliases] == []


def test_staging_is_a_machine_that_only_ssh_reaches(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    stand(build, exported)
    assert recorder.one(GROUP, "host-group")["resourceGroupName"] == "datadocker-staging"
    rules = recorder.one(RULES, "host-net-rules")["securityRules"]
    assert [(r["access"], r["destinationPortRange"]) for r in rules] == [("Allow", "22"), ("Deny", "*")]
    assert rules[0]["sourceAddressPrefixes"] == HOST["sshFrom"]
    assert rules[0]["priority"] < rules[1]["priority"]
    assert "2376" not in json.dumps(rules)
    address = recorder.one(ADDRESS, "host-net-ip")
    assert (address["sku"]["name"], address["publicIPAllocationMethod"]) == ("Standard", "Static")
    subnet = recorder.one(SUBNETWORK, "host-net-subnet")
    assert subnet["serviceEndpoints"] == [{"service": "Microsoft.Storage"}]
    assert recorder.all(NAT) == {}
    card = recorder.one(CARD, "host-net-card")
    assert card["ipConfigurations"][0]["publicIPAddress"] == {"id": "host-net-ip-id"}
    assert card["networkSecurityGroup"] == {"id": "host-net-rules-id"}


@pytest.mark.parametrize(("location", "suffix"), [(HOST["location"], ""), ("eastus", ".Global")])
def test_a_subnet_reaches_shares_of_another_region(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], location: str, suffix: str
) -> None:
    stand(build, exported, shares=settings_of("staging")["shares"] | {"location": location})
    subnet = recorder.one(SUBNETWORK, "host-net-subnet")
    assert subnet["serviceEndpoints"] == [{"service": f"Microsoft.Storage{suffix}"}]


def test_the_machine_is_debian_and_knows_no_password(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    stand(build, exported, host=HOST | {"zone": "2", "tags": {"team": "data"}, "systemIdentity": True})
    made = recorder.one(VM, "host-machine-vm")
    assert made["storageProfile"]["imageReference"]["offer"] == "debian-12"
    assert made["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert made["networkProfile"]["networkInterfaces"][0]["deleteOption"] == "Detach"
    assert made["osProfile"]["linuxConfiguration"]["disablePasswordAuthentication"] is True
    keys_in = made["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
    assert keys_in == [{"path": "/home/datadocker/.ssh/authorized_keys", "keyData": PAIR["public"]}]
    assert "adminPassword" not in made["osProfile"]
    assert (made["zones"], made["tags"], made["identity"]) == (["2"], {"team": "data"}, {"type": "SystemAssigned"})


def test_the_host_key_comes_by_the_control_plane_as_a_secret_and_is_pinned(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    out = stand(build, exported)
    (profile,) = [m.inputs["osProfile"] for m in recorder.made if m.typ == VM]
    assert recorder.is_secret(VM, "host-machine-vm", "osProfile") or "4dabf18193072939515e22adb298388d" in str(
        profile["customData"]
    )
    text = base64.b64decode(recorder.one(VM, "host-machine-vm")["osProfile"]["customData"]).decode()
    config = json.loads(text.removeprefix("#cloud-config\n"))
    assert config["ssh_keys"] == {"ed25519_private": PAIR["private"], "ed25519_public": PAIR["public"]}
    assert "docker.io" in config["packages"]
    assert ["usermod", "--append", "--groups", "docker", "datadocker"] in config["runcmd"]
    assert f"KnownHostsCommand=/bin/echo 203.0.113.10 {PAIR['public']}" in out["ssh"]
    assert "StrictHostKeyChecking=yes" in out["ssh"]
    assert "StrictHostKeyChecking=no" not in out["ssh"]
    assert out["ssh"].endswith(" datadocker@203.0.113.10")
    assert out["dockerHost"] == "ssh://datadocker@203.0.113.10:22"


def test_the_private_key_is_in_the_state_as_a_secret_and_in_a_file_only_we_read(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], tmp_path: Path
) -> None:
    out = stand(build, exported)
    assert recorder.is_secret("pulumi:index:Stash", "host-login-kept", "input")
    assert recorder.is_secret("pulumi:index:Stash", "host-hostkey-kept", "input")
    assert recorder.is_secret(STOP, "host-stop", "key")
    (file,) = (tmp_path / "home/.cache/datadocker/ssh").iterdir()
    assert file.read_text() == PAIR["private"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    options = json.dumps(recorder.one(ENGINE, "host-engine")["sshOpts"])
    # ssh finds it on whichever machine the stack is used from
    assert f"IdentityFile=${{HOME}}/.cache/datadocker/ssh/{file.name}" in options
    assert str(tmp_path) not in options
    assert "PRIVATE KEY" not in options
    for name in ("ssh", "sshConfig", "dockerHost", "dockerContext"):
        assert "PRIVATE KEY" not in out[name]
        assert out[f"{name} is secret"] is False


@pytest.mark.parametrize("stands", [True, False])
def test_a_preview_reads_what_stands_with_the_key_that_the_state_has(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], tmp_path: Path, stands: bool
) -> None:
    pulumi.runtime.set_mocks(recorder, project="datadocker", stack="staging", preview=True)
    if stands:
        recorder.in_state["pulumi:index:Stash", "host-login-kept"] = {}
    stand(build, exported)
    written = [file.read_text() for file in (tmp_path / "home/.cache/datadocker/ssh").glob("*")]
    assert written == ([PAIR["private"]] if stands else [])


def test_ssh_finds_its_way_where_variables_are_not_set_that_were_set_at_the_up(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = stand(build, exported)
    monkeypatch.delenv("XDG_CACHE_HOME")
    options = json.loads(recorder.one(ENGINE, "host-engine")["sshOpts"])
    # ssh looks for its key once it is connected, and has nobody to talk to then
    for command in (shlex.split(out["ssh"]), ["ssh", *options, "203.0.113.10"]):
        said = subprocess.run(
            [command[0], "-o", "ProxyCommand=sh -c 'read banner'", *command[1:]], capture_output=True, text=True
        )
        assert "has no value" not in said.stderr
        assert re.search("Connection (closed|reset)|Broken pipe", said.stderr), said.stderr


def test_nothing_touches_the_host_before_its_bootstrap_is_done(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    stand(build, exported)
    made = recorder.one(RUN, "host-machine-ready")
    assert made["treatFailureAsDeploymentFailure"] is True
    assert made["asyncExecution"] is False
    assert "cloud-init status --wait" in made["source"]["script"]
    order = [m.name for m in recorder.made]
    ready = order.index("host-machine-ready")
    on_host = [m.name for m in recorder.made if m.typ.startswith(("docker:", "datadocker-engine:"))]
    assert on_host
    assert all(order.index(name) > ready for name in on_host)
    assert order.index("host-engine") > order.index("host-stop") > ready


def test_another_size_restarts_the_machine_and_so_its_boot_is_waited_for(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    seen = []
    for size in ("Standard_B2s", "Standard_B4ms"):
        recorder.made.clear()
        stand(build, exported, host=HOST | {"size": size})
        command, vm = recorder.one(RUN, "host-machine-ready"), recorder.one(VM, "host-machine-vm")
        seen.append((command["source"]["script"], vm["osProfile"], recorder.one(STOP, "host-stop")["machine"]))
        subprocess.run(["sh", "-n"], input=seen[-1][0], text=True, check=True)
    # one whose script is what it was is not run again
    (first, *machine), (second, *same_machine) = seen
    assert first != second
    assert machine == same_machine


def test_what_our_provider_makes_on_the_host_waits_for_the_docker_provider_too(
    build: Build, exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from components.hosts.azure import AzureHost

    made: list[AzureHost] = []
    resident = AzureHost.resident

    def noted(self: AzureHost, parent: pulumi.Resource, **more: Any) -> pulumi.ResourceOptions:
        made.append(self)
        return resident(self, parent, **more)

    monkeypatch.setattr(AzureHost, "resident", noted)
    stand(build, exported)
    assert made
    # Pulumi fails where it has to ask a provider that is just being changed
    assert all(host.provider in resident(host, host).depends_on for host in made)  # type: ignore[operator]


def test_a_docker_context_finds_the_host_by_the_name_in_the_ssh_config(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    out = stand(build, exported, host=HOST | {"name": "box"})
    assert out["dockerContext"] == "docker context create box --docker host=ssh://box"
    lines = out["sshConfig"].splitlines()
    assert lines[:3] == ["Host box 203.0.113.10", "  HostName 203.0.113.10", "  User datadocker"]
    assert f"  KnownHostsCommand /bin/echo 203.0.113.10 {PAIR['public']}" in lines


@pytest.mark.parametrize(
    ("change", "known"), [({}, True), ({"publicIp": False, "jumpHost": "ops@jump.example.com"}, False)]
)
def test_docker_host_alone_finds_a_public_address_as_the_context_does(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], tmp_path: Path, change: dict[str, Any], known: bool
) -> None:
    out = stand(build, exported, host=HOST | {"name": "box"} | change)
    config = tmp_path / "config"
    config.write_text(out["sshConfig"])
    address = urlsplit(out["dockerHost"]).hostname
    assert address

    def read(name: str) -> set[str]:
        # as Docker's client names it
        asked = ["ssh", "-G", "-F", str(config), "-l", "datadocker", "-p", "22", "--", name]
        said = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        return {line for line in said.splitlines() if not line.startswith("host ")}

    assert f"knownhostscommand /bin/echo {address} {PAIR['public']}" in read("box")
    # a private one may be another machine's, too
    assert (read(address) == read("box")) is known


def test_a_volume_typed_by_hand_is_on_the_stacks_account(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    stand(build, exported, shares={"kind": "azure", "account": "ours"})
    assert recorder.one("datadocker-engine:index:EnginePlugin", "azurefile-plugin")["defaults"] == (
        "account=ours,protocol=smb"
    )
    assert recorder.one(VOLUME, "dbs-volume")["driverOpts"] == {
        "protocol": "smb", "account": "ours", "share": "dbs", "exclusive": "true", "for": "database",
    }  # fmt: skip


def test_databases_are_reached_by_a_tunnel_unless_the_settings_open_their_port(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    open_to = {"name": "open", "volume": "simpledb", "port": 6604, "allowFrom": ["198.51.100.0/24"]}
    out = stand(build, exported, databases=[{"name": "mydb", "volume": "dbs", "port": 6603}, open_to])
    rules = recorder.one(RULES, "host-net-rules")["securityRules"]
    assert [(r["name"], r["destinationPortRange"]) for r in rules][1] == ("open-6604", "6604")
    assert rules[1]["sourceAddressPrefix"] == "198.51.100.0/24"
    made = recorder.all(CONTAINER)
    assert made["mydb-container"]["ports"][0]["ip"] == "127.0.0.1"
    assert made["open-container"]["ports"][0]["ip"] == "0.0.0.0"
    reached = out["databases"]
    assert reached["mydb"]["tunnel"].endswith(" datadocker@203.0.113.10 -N -L 6603:127.0.0.1:6603")
    assert reached["mydb"]["host"] == "127.0.0.1"
    assert reached["open"]["host"] == "203.0.113.10"
    assert "tunnel" not in reached["open"]


@pytest.mark.parametrize(
    ("way", "ssh", "database"),
    [
        ({"jumpHost": "ops@jump.example.com"}, "10.60.0.4", "203.0.113.10"),
        ({"jumpHost": "ops@jump.example.com", "publicIp": False}, "10.60.0.4", "10.60.0.4"),
        ({"privateRoute": True}, "10.60.0.4", "10.60.0.4"),
    ],
)
def test_an_open_database_is_reached_as_before_where_ssh_goes_another_way(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], way: dict[str, Any], ssh: str, database: str
) -> None:
    open_to = {"name": "open", "volume": "simpledb", "port": 6604, "allowFrom": ["198.51.100.0/24"]}
    out = stand(build, exported, host=HOST | way, databases=[open_to])
    assert out["dockerHost"] == f"ssh://datadocker@{ssh}:22"
    assert out["databases"]["open"]["host"] == database


def test_without_a_public_address_there_is_a_way_out_and_a_way_in(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any]
) -> None:
    out = stand(build, exported, host=HOST | {"publicIp": False, "jumpHost": "ops@jump.example.com:2222"})
    assert list(recorder.all(ADDRESS)) == ["host-net-nat-ip"]
    assert recorder.one(SUBNETWORK, "host-net-subnet")["natGateway"] == {"id": "host-net-nat-id"}
    assert "publicIPAddress" not in recorder.one(CARD, "host-net-card")["ipConfigurations"][0]
    assert out["dockerHost"] == "ssh://datadocker@10.60.0.4:22"
    assert "ProxyJump=ops@jump.example.com:2222" in out["ssh"]


def test_what_exists_is_used_and_not_made(build: Build, recorder: AzureRecorder, exported: dict[str, Any]) -> None:
    host = HOST | {"existingResourceGroup": "ours", "network": {"subnetId": SUBNET}, "availabilitySet": "two"}
    recorder.existing = {
        "azure-native:resources:getResourceGroup": {"id": "/ours", "tags": {"datadocker-stack": "datadocker/staging"}},
        "azure-native:network:getSubnet": {"id": SUBNET, "serviceEndpoints": [{"service": "Microsoft.Storage"}]},
    }
    stand(build, exported, host=host)
    assert "host-group" not in recorder.all(GROUP)
    assert recorder.all(NETWORK) == {}
    assert recorder.one(VM, "host-machine-vm")["resourceGroupName"] == "ours"
    assert recorder.one(CARD, "host-net-card")["ipConfigurations"][0]["subnet"] == {"id": SUBNET}
    assert recorder.one(SET, "host-machine-set")["sku"] == {"name": "Aligned"}
    assert recorder.one(VM, "host-machine-vm")["availabilitySet"] == {"id": "host-machine-set-id"}


def test_a_key_that_azure_would_refuse(build: Build, recorder: AzureRecorder, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(public_key("ecdsa-sha2-nistp256", b"nistp256", b"\4" + bytes(64)))
    with pytest.raises(pulumi.RunError, match=r"key\.pub is of the kind ecdsa-sha2-nistp256: Azure takes"):
        stand(build, {}, host=HOST | {"identityFile": str(tmp_path / "key")})
    assert [m for m in recorder.made if m.typ.startswith("azure-native")] == []


def test_a_users_own_key_pair(build: Build, recorder: AzureRecorder, exported: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("private")
    file.chmod(0o600)
    mine = public_key("ssh-ed25519", bytes(32))
    (tmp_path / "key.pub").write_text(f"{mine} me@home\n")
    out = stand(build, exported, host=HOST | {"identityFile": str(file)})
    ssh = recorder.one(VM, "host-machine-vm")["osProfile"]["linuxConfiguration"]["ssh"]
    assert ssh["publicKeys"][0]["keyData"] == mine
    assert f"IdentityFile={file}" in out["ssh"]
    assert "host-login-kept" not in recorder.all("pulumi:index:Stash")


@pytest.mark.parametrize(
    "change", [{"availabilitySet": "two"}, {"publicIp": False, "jumpHost": "ops@jump.example.com"}]
)
def test_a_killed_run_is_known_by_all_that_is_made(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], change: dict[str, Any]
) -> None:
    stand(build, exported, host=HOST | change)
    made = {m.typ for m in recorder.made if m.typ.startswith("azure-native:") and m.name.startswith("host-")}
    assert len(made) > 7
    for typ in made:
        # as toolchain/halfmade.py makes it of what the run asked for, and as the stand-in has it
        assert IDS[typ] == KINDS[typ].path.replace("{subscriptionId}", "{subscription}")
