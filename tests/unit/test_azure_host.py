"""A host on Azure under mocks: what is made, what is open, what is secret, and what goes and comes with the machine."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pulumi
import pytest

from stacks.build import build as build_stack
from stacks.config import parse
from stacks.hosts import docker_host
from tests.unit.azure_parts import (
    ADDRESS,
    CARD,
    ENGINE,
    GROUP,
    NAT,
    NETWORK,
    PAIR,
    RULES,
    RUN,
    SET,
    STOP,
    SUBNET,
    SUBNETWORK,
    VM,
    AzureRecorder,
    logged_in,
    public_key,
    settings_of,
)
from tests.unit.conftest import Build

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
IMAGE = "docker:index/remoteImage:RemoteImage"
HOST: dict[str, Any] = {"kind": "azure", "location": "westeurope", "sshFrom": ["203.0.113.7/32", "198.51.100.0/24"]}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AzureRecorder:
    return logged_in(monkeypatch, tmp_path)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    made: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", made.__setitem__)
    return made


def stand(
    build: Build, exported: dict[str, Any], *, file: str = "Pulumi.staging.yaml", **change: Any
) -> dict[str, Any]:
    raw = settings_of("staging") | {"host": HOST} | change

    def program() -> dict[str, Any]:
        settings = parse(raw, file=file)
        build_stack(settings, *docker_host(settings))
        return exported

    return dict(build(program))


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
    (file,) = (tmp_path / "cache/datadocker/ssh").iterdir()
    assert file.read_text() == PAIR["private"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    options = json.dumps(recorder.one(ENGINE, "host-engine")["sshOpts"])
    # ssh finds it on whichever machine the stack is used from
    assert f"IdentityFile=${{XDG_CACHE_HOME}}/datadocker/ssh/{file.name}" in options
    assert str(tmp_path) not in options
    assert "PRIVATE KEY" not in options
    for name in ("ssh", "sshConfig", "dockerHost", "dockerContext"):
        assert "PRIVATE KEY" not in out[name]
        assert out[f"{name} is secret"] is False


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
    assert lines[:3] == ["Host box", "  HostName 203.0.113.10", "  User datadocker"]
    assert f"  KnownHostsCommand /bin/echo 203.0.113.10 {PAIR['public']}" in lines


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
    stand(build, exported, host=host)
    assert "host-group" not in recorder.all(GROUP)
    assert recorder.all(NETWORK) == {}
    assert recorder.one(VM, "host-machine-vm")["resourceGroupName"] == "ours"
    assert recorder.one(CARD, "host-net-card")["ipConfigurations"][0]["subnet"] == {"id": SUBNET}
    assert recorder.one(SET, "host-machine-set")["sku"] == {"name": "Aligned"}
    assert recorder.one(VM, "host-machine-vm")["availabilitySet"] == {"id": "host-machine-set-id"}


@pytest.mark.parametrize(
    ("change", "there", "refused"),
    [
        ({"name": "other"}, {}, None),
        ({"resourceGroup": "ours", "name": "other"}, {"group": "ours"}, "name"),
        ({"existingResourceGroup": "ours", "name": "other"}, {}, "name"),
        ({"existingResourceGroup": "ours", "location": "eastus"}, {}, "location"),
        ({"existingResourceGroup": "ours"}, {}, None),
        # a group of the stack's own goes where the machine goes
        ({"resourceGroup": "ours", "location": "eastus"}, {"group": "ours"}, None),
        ({"resourceGroup": "new", "name": "other"}, {"group": "ours"}, None),
    ],
)
def test_a_machine_in_a_group_that_stays_keeps_name_and_region(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    change: dict[str, str],
    there: dict[str, str],
    refused: str | None,
) -> None:
    recorder.in_state[CARD, "host-net-card"] = {"name": "datadocker-staging-nic", "location": "West Europe"}
    if "existingResourceGroup" not in change:
        recorder.in_state[GROUP, "host-group"] = {"name": there.get("group", "datadocker-staging")}
    stood = pytest.raises(pulumi.RunError, match=f"set datadocker:host.{refused} back") if refused else nullcontext()
    with stood:
        stand(build, exported, host=HOST | change)


OTHER_SUBNET = SUBNET.replace("/v/", "/w/")


@pytest.mark.parametrize(
    ("there", "made", "change", "refused"),
    [
        (SUBNET, None, {"network": {"subnetId": SUBNET}}, None),
        (SUBNET.lower(), None, {"network": {"subnetId": SUBNET}}, None),
        (SUBNET, None, {"network": {"subnetId": OTHER_SUBNET}}, SUBNET),
        (SUBNET, None, {}, SUBNET),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {}, None),
        ("own", {"addressPrefixes": ["10.60.0.0/24"]}, {}, None),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"subnetId": SUBNET}}, "10.60.0.0/24"),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"addressSpace": "10.61.0.0/16"}}, "10.60.0.0/24"),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"subnet": "10.60.1.0/24"}}, "10.60.0.0/24"),
        # a network may become larger
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"network": {"addressSpace": "10.60.0.0/15"}}, None),
        # all of it is another one, in a group of its own or in another that exists
        (SUBNET, None, {"resourceGroup": "new"}, None),
        ("own", {"addressPrefix": "10.60.0.0/24"}, {"resourceGroup": "new", "network": {"subnetId": SUBNET}}, None),
        (SUBNET, None, {"existingResourceGroup": "theirs", "network": {"subnetId": OTHER_SUBNET}}, None),
        # a killed run was making it: only what it asked for is known
        ("", None, {"network": {"subnetId": SUBNET}}, None),
    ],
)
def test_a_machine_that_stays_keeps_its_subnet(
    build: Build,
    recorder: AzureRecorder,
    exported: dict[str, Any],
    there: str,
    made: dict[str, Any] | None,
    change: dict[str, Any],
    refused: str | None,
) -> None:
    card = SUBNET.replace("/n/", "/datadocker-staging/").split("virtualNetworks")[0] + "networkInterfaces/x"
    recorder.in_state[CARD, "host-net-card"] = {
        "name": "datadocker-staging-nic",
        "location": "westeurope",
        "ipConfigurations": [
            {"name": "primary"} | ({"id": f"{card}/ipConfigurations/primary", "subnet": {"id": there}} if there else {})
        ],
    }
    if "existingResourceGroup" not in change:
        recorder.in_state[GROUP, "host-group"] = {"name": "datadocker-staging"}
    if made:
        recorder.in_state[SUBNETWORK, "host-net-subnet"] = made
    said = f"^datadocker-staging is in the subnet {refused}, .*: set datadocker:host.network back"
    with pytest.raises(pulumi.RunError, match=said) if refused else nullcontext():
        stand(build, exported, host=HOST | change)
    assert bool(recorder.all(CARD)) is not bool(refused)


Options = dict[tuple[str, str], pulumi.ResourceOptions]


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Options:
    """Type and name → options of all that is registered."""
    seen: Options = {}
    register = pulumi.runtime.resource.register_resource

    def watched(
        res: Any, typ: str, name: str, custom: bool, remote: bool, new: Any, props: Any, opts: Any, *more: Any
    ) -> Any:
        seen[typ, name] = opts
        return register(res, typ, name, custom, remote, new, props, opts, *more)

    monkeypatch.setattr("pulumi.resource.register_resource", watched)
    return seen


def test_all_that_is_on_the_machine_shares_its_fate(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], options: Options
) -> None:
    stand(build, exported, images={"mysql": "mysql:8.4"})
    assert (IMAGE, "mysql-pull") in options
    on_host = {
        key: opts
        for key, opts in options.items()
        if key[0].startswith(("docker:", "datadocker-engine:")) and key[0] != STOP
    }
    assert len(on_host) > 10
    for key, opts in on_host.items():
        assert opts.deleted_with is not None, key
        assert opts.replacement_trigger is not None, key
        # one that can't be pulled costs nobody a container, and its deletion deletes nothing
        pulled = key[1].endswith("-pull")
        assert opts.delete_before_replace is not pulled, key
        assert "host-stop" in [r._name for r in opts.depends_on], key  # type: ignore[union-attr]
    # and that comes after the bootstrap, also where mocks answer in another order
    assert [r._name for r in options[STOP, "host-stop"].depends_on] == ["host-machine-ready"]  # type: ignore[union-attr]
    assert [r._name for r in options[ENGINE, "host-engine"].depends_on] == ["host-stop"]  # type: ignore[union-attr]
    # its own deletion is what stops the containers, so it is never skipped
    assert options[STOP, "host-stop"].deleted_with is None
    assert recorder.one(STOP, "host-stop")["machine"] == "4711-of-this-machine"
    machine = options[VM, "host-machine-vm"]
    assert machine.delete_before_replace is True
    assert {"osProfile.customData", "storageProfile.imageReference", "zones"} <= set(machine.replace_on_changes or [])
    # a size changes in place
    assert not any("hardware" in path for path in machine.replace_on_changes or [])


@pytest.mark.parametrize("preview", [True, False])
def test_a_preview_of_a_change_in_place_replaces_nothing(
    build: Build, recorder: AzureRecorder, exported: dict[str, Any], preview: bool, tmp_path: Path
) -> None:
    recorder.in_state = {(VM, "host-machine-vm"): {"vmId": "the-one-before"}}
    pulumi.runtime.set_mocks(recorder, project="datadocker", stack="staging", preview=preview)
    stand(build, exported)
    assert (tmp_path / "cache").exists() is not preview
    # in an update it is Azure's word that counts
    expected = "the-one-before" if preview else "4711-of-this-machine"
    assert recorder.one(STOP, "host-stop")["machine"] == expected


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
