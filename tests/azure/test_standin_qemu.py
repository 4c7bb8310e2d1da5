"""A virtual machine of the stand-in is a real one, booted with the custom data that was sent."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure import effects
from tests.azure.cloud import Cloud
from tests.azure.errors import PartialError
from tests.azure.qemu import QemuRoom
from tests.azure.samples import COMPUTE, NETWORK, SAMPLES, put
from tests.azure.served import ServedShares

VM = "compute:VirtualMachine"
CUSTOM = """#cloud-config
ssh_keys: {host_keys}
write_files:
  - {path: /root/written, content: by cloud-init}
  - {path: /etc/waagent.conf, content: "Provisioning.SshHostKeyPairType=ed25519\\n", append: true}
runcmd:
  - [sh, -c, "echo done >/root/ran"]
"""


pytestmark = pytest.mark.machines


@pytest.fixture
def room() -> Iterator[QemuRoom]:
    made = QemuRoom()
    yield made
    made.close()


@pytest.fixture
def shares(room: QemuRoom) -> Iterator[ServedShares]:
    made = ServedShares(room)
    yield made
    made.close()


def answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), 5) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False


def test_a_machine_from_its_creation_to_its_deletion(tmp_path: Path, room: QemuRoom, shares: ServedShares) -> None:
    key = tmp_path / "key"
    host_key = tmp_path / "host"
    for file in (key, host_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    pinned = host_key.with_suffix(".pub").read_text()
    host_keys = json.dumps({"ed25519_private": host_key.read_text(), "ed25519_public": pinned})
    login_key = key.with_suffix(".pub").read_text().strip()
    public = {"path": "/home/datadocker/.ssh/authorized_keys", "keyData": login_key}
    cloud = Cloud(machines=room, shares=shares)
    for token in list(SAMPLES)[: list(SAMPLES).index(VM)]:
        put(cloud, token)
    custom = {
        "osProfile__customData": base64.b64encode(CUSTOM.replace("{host_keys}", host_keys).encode()).decode(),
        "osProfile__linuxConfiguration__ssh": {"publicKeys": [public]},
    }
    put(cloud, VM, **custom)
    command = "compute:VirtualMachineRunCommandByVirtualMachine"
    put(cloud, command, source={"script": "cloud-init status --wait && cat /root/written /root/ran && hostname"})
    ran = cloud.only(command).facts["ran"]
    assert ran[0] == 0, ran
    assert "by cloud-init" in ran[1]
    assert "done" in ran[1]
    address = cloud.only("network:PublicIPAddress").facts["ipAddress"]
    (tmp_path / "known").write_text(f"{address} {pinned}")
    options = [
        "-F/dev/null",
        "-oStrictHostKeyChecking=yes",
        f"-oUserKnownHostsFile={tmp_path}/known",
        "-oBatchMode=yes",
    ]
    login = ["ssh", *options, "-i", str(key), f"datadocker@{address}"]
    said = subprocess.run(
        [*login, "sudo id -un; docker --version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert said.stdout.startswith("root\nDocker version"), said.stderr
    # a share is there under Azure's name and port
    for token in ("storage:StorageAccount", "storage:FileShare"):
        put(cloud, token)
    login_data = f"username=demodata1\npassword={cloud.only('storage:StorageAccount').facts['keys'][0]}\n"
    mount = "mount -t cifs -o vers=3.1.1,seal,credentials=/root/login //demodata1.file.core.windows.net/logs /mnt"
    put(
        cloud,
        command,
        runCommandName="mount",
        source={"script": f'printf "%s" "$login" >/root/login && {mount} && echo there >/mnt/file'},
        protectedParameters=[{"name": "login", "value": login_data}],
    )
    assert (shares.servers["demodata1"].share("logs") / "file").read_text() == "there\n"
    # a premium account's by NFS, too
    premium = {"accountName": "demonfs1", "kind": "FileStorage", "sku": {"name": "Premium_LRS"}}
    put(cloud, "storage:StorageAccount", **premium, enableHttpsTrafficOnly=False)
    for name in ("one", "two"):
        nfs = {"accountName": "demonfs1", "shareName": name, "enabledProtocols": "NFS", "shareQuota": 100}
        put(cloud, "storage:FileShare", **nfs)
    mount = "mount -t nfs4 -o vers=4.1,sec=sys,proto=tcp demonfs1.file.core.windows.net:/demonfs1/two /srv"
    put(cloud, command, runCommandName="nfs", source={"script": f"{mount} && echo there >/srv/file"})
    assert (shares.exports["demonfs1"].exports["demonfs1/two"] / "file").read_text() == "there\n"
    # whom the account does not let in finds nobody, nor does who mounts NFS where transfers have to be secure
    probe = "timeout 5 bash -c '</dev/tcp/{}.file.core.windows.net/{}'"
    by_smb, by_nfs = probe.format("demodata1", 445), probe.format("demonfs1", 2049)
    assert [machine_run(room, line) for line in (by_smb, by_nfs)] == [0, 0]
    put(cloud, "storage:StorageAccount", networkRuleSet={"defaultAction": "Deny"})
    put(cloud, "storage:StorageAccount", **premium, enableHttpsTrafficOnly=True)
    assert [machine_run(room, line) for line in (by_smb, by_nfs)] == [1, 1]
    inside = {"virtualNetworkResourceId": cloud.only("network:Subnet").id}
    put(cloud, "storage:StorageAccount", networkRuleSet={"defaultAction": "Deny", "virtualNetworkRules": [inside]})
    assert machine_run(room, by_smb) == 0
    # the agent runs nothing where the host key that it waits for is not made
    (machine,) = room.machines.values()
    machine.run("sed -i '$d' /etc/waagent.conf")
    with pytest.raises(PartialError, match="has timed out"):
        put(cloud, command, runCommandName="early", source={"script": "true"})
    # another size is another boot of the same disk
    put(cloud, VM, **custom, hardwareProfile__vmSize="Standard_D2s_v5")
    assert subprocess.run([*login, "true"], timeout=120, check=False).returncode == 0
    assert machine_run(room, by_smb) == 0
    # the security group decides
    rule = f"{NETWORK}/networkSecurityGroups/security/securityRules/ssh"
    cloud.delete(rule)
    assert not answers(address, 22)
    put(cloud, "network:SecurityRule")
    assert answers(address, 22)
    cloud.client = "198.51.100.7"
    effects.refresh_ports(cloud)
    assert not answers(address, 22)
    cloud.delete(f"{COMPUTE}/virtualMachines/vm")
    assert not room.machines


def machine_run(room: QemuRoom, line: str) -> int:
    """Exit code of a shell line in the only machine."""
    (machine,) = room.machines.values()
    return machine.run(line, check=False).code


def test_two_stand_ins_on_one_machine_have_addresses_of_their_own(room: QemuRoom) -> None:
    other = QemuRoom()
    try:
        taken = [put_address(Cloud(machines=each)) for each in (room, other)]
        assert taken[0] != taken[1]
    finally:
        other.close()


def put_address(cloud: Cloud) -> str:
    put(cloud, "resources:ResourceGroup")
    return str(put(cloud, "network:PublicIPAddress").facts["ipAddress"])
