"""The machine room whose machines really boot: QEMU, and the very custom data that the program sent."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import threading
from collections.abc import Mapping

from tests.azure import prebuilt
from tests.azure.machines import BootFailed, Order, Ran
from tests.machines.machine import Machine
from tests.machines.qemu import Qemu

SEED = "/var/lib/cloud/seed/nocloud"
PLACE = "/var/lib/waagent/run-command"
BOOT_SECONDS = 300
CLAIM_PORT = 7877
MOST_PORTS = 200
LIKELY = frozenset({22, 80, 443, 2375, 2376, 3306, *range(6600, 6620)})
CLOSED = 9
"""A port of this machine at which nobody answers."""
SSH_PORT = 2222
"""Where the machine's own SSH server is: port 22 is the tests' way in, whose host key is pinned."""
SSH_SERVICE = f"""
[Unit]
After=cloud-init.service network.target
[Service]
ExecStart=/usr/sbin/sshd -D -f /etc/ssh/sshd_own -p {SSH_PORT}
Restart=on-failure
KillMode=process
[Install]
WantedBy=multi-user.target
"""
# users that cloud-init makes have no password, which without PAM is a locked account
SSH_CONFIG = """
HostKey /etc/ssh/ssh_host_ed25519_key
UsePAM yes
UseDNS no
PasswordAuthentication no
PermitRootLogin no
MaxStartups 100
PidFile none
Subsystem sftp internal-sftp
"""
START = f"""
set -eu
cp -p /etc/ssh/ssh_host_ed25519_key /etc/ssh/pinned_key
sed -i 's,^HostKey .*,HostKey /etc/ssh/pinned_key,' /etc/ssh/sshd_config.d/test.conf
systemctl restart ssh.service
rm -f /etc/cloud/cloud-init.disabled /run/cloud-init/disabled
mkdir -p /run/cloud-init && touch /run/cloud-init/enabled
systemctl start cloud-init-local.service cloud-init.service
# after it: cloud-init may have given it other host keys
systemctl -q enable --now own-ssh.service
systemctl start --no-block cloud-config.service cloud-final.service
test -e {SEED}/user-data
"""
# as Debian's images have it
AGENT = b"Provisioning.Agent=cloud-init\nProvisioning.SshHostKeyPairType=auto\n"
# what Azure's agent waits for before it runs any command (azurelinuxagent/pa/provision/cloudinit.py, common/conf.py)
AGENT_READY = """
kind=$(sed -n 's/^Provisioning.SshHostKeyPairType=//p' /etc/waagent.conf | tail -n 1)
[ "$kind" != auto ] || kind=rsa
ls "/etc/ssh/ssh_host_${kind}_key.pub"
"""


class QemuRoom:
    """Machines of `tests.machines`. Call `close`: they do not end with the stack alone."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        """The running machines by their resource's id, in lower case: a test may pause them or cut their network."""
        self.before = ""
        """A shell line that is run in each new machine before cloud-init."""
        self._open: dict[str, set[tuple[str, int]]] = {}
        self._names: dict[tuple[str, int], tuple[str, int, frozenset[str] | None]] = {}
        self._subnets: dict[str, frozenset[str]] = {}
        self._claims: dict[str, socket.socket] = {}
        self._lock = threading.Lock()

    def start(self, order: Order) -> None:
        try:
            machine = prebuilt.ensure().restore(order.name)
        except (OSError, TimeoutError, subprocess.SubprocessError) as error:
            raise BootFailed(str(error)) from error
        with self._lock:
            self.machines[order.id.lower()] = machine
            self._open[order.id.lower()] = set()
            self._subnets[order.id.lower()] = order.subnets
        self.forward(order.id, order.address, order.ports)
        self._tell_names(order.id)
        for path, content in _files(order).items():
            machine.put(content, path, 0o600)
        ran = machine.run(f"{self.before}\n{START}", check=False, timeout=BOOT_SECONDS)
        if ran.code:
            raise BootFailed(ran.text.strip()[-500:])

    def claim(self, address: str) -> bool:
        # a socket that is bound and never listens: other stand-ins on this machine can't bind it
        claim = socket.socket()
        try:
            claim.bind((address, CLAIM_PORT))
            # and what else may use it, such as an SSH server on all addresses
            with socket.socket() as probe:
                probe.bind((address, 22))
        except OSError:
            claim.close()
            return False
        self._claims[address] = claim
        return True

    def release(self, address: str) -> None:
        if claim := self._claims.pop(address, None):
            claim.close()

    def forward(self, machine: str, address: str | None, ports: frozenset[int]) -> None:
        with self._lock:
            running = self.machines.get(machine.lower())
            if running is None:
                return
            old = self._open[machine.lower()]
            new = {(address, port) for port in _few(ports)} if address else set()
            for host, port in old - new:
                _monitor(running, f"hostfwd_remove net tcp:{host}:{port}")
            for host, port in new - old:
                inside = SSH_PORT if port == 22 else port
                _monitor(running, f"hostfwd_add net tcp:{host}:{port}-:{inside}")
            self._open[machine.lower()] = new

    def run_command(self, machine: str, script: str, parameters: Mapping[str, str], seconds: float) -> Ran:
        running = self.machines[machine.lower()]
        # for half an hour; what cloud-init makes is there since the start
        if (agent := running.run(AGENT_READY, check=False)).code:
            raise TimeoutError(f"the agent waits for a host key: {agent.text}")
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in parameters.items())
        way = f"exec {PLACE}/script" if script.startswith("#!") else f"exec bash {PLACE}/script"
        # in files: an argument is there for all to read
        running.put(script.encode(), f"{PLACE}/script", 0o700)
        running.put(f"{exports}{way}\n".encode(), f"{PLACE}/start", 0o700)
        try:
            ran = running.run(["sh", f"{PLACE}/start"], check=False, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error
        return Ran(ran.code, ran.out, ran.err)

    def restart(self, machine: str, size: str) -> None:
        # Azure shuts it down; what is cut off here must be on its disk
        self.machines[machine.lower()].run("sync")
        self.machines[machine.lower()].reboot_hard()
        with self._lock:
            again, self._open[machine.lower()] = self._open[machine.lower()], set()
        for address in {host for host, _ in again}:
            self.forward(machine, address, frozenset(port for host, port in again if host == address))
        self._tell_names(machine)

    def delete(self, machine: str) -> None:
        with self._lock:
            running = self.machines.pop(machine.lower(), None)
            self._open.pop(machine.lower(), None)
            self._subnets.pop(machine.lower(), None)
        if running:
            running.close()

    def _tell_names(self, machine: str) -> None:
        with self._lock:
            running, inside = self.machines[machine.lower()], self._subnets[machine.lower()]
            names = dict(self._names)
        for (name, usual), (address, port, subnets) in names.items():
            _tell(running, name, address, usual, port if _let_in(inside, subnets) else CLOSED)

    def serve(self, name: str, address: str, usual: int, port: int, subnets: frozenset[str] | None) -> None:
        """Lets the machines in these subnets, or all, find a server of this one under a name, at its usual port.

        `address` is one that nobody else has; `port` is where the server listens on 127.0.0.1. Other machines find
        nobody there.
        """
        with self._lock:
            served = address, port, subnets
            if self._names.get((name, usual)) == served:
                return
            self._names[name, usual] = served
            running = [(machine, self._subnets[key]) for key, machine in self.machines.items()]
        for machine, inside in running:
            _tell(machine, name, address, usual, port if _let_in(inside, subnets) else CLOSED)

    def close(self) -> None:
        """Ends all machines."""
        for address in list(self._claims):
            self.release(address)
        for machine in list(self.machines):
            self.delete(machine)


def _files(order: Order) -> dict[str, bytes]:
    user = {
        "name": order.admin,
        "groups": ["adm", "sudo"],
        "sudo": ["ALL=(ALL) NOPASSWD:ALL"],
        "shell": "/bin/bash",
        "lock_passwd": True,
    }
    settings = {
        "datasource_list": ["NoCloud"],
        "network": {"config": "disabled"},
        "disable_root": False,
        "system_info": {"default_user": user},
    }
    about = {"instance-id": order.id, "local-hostname": order.name, "public-keys": list(order.ssh_keys)}
    # what Azure's data source tells cloud-init beside the custom data
    return {
        "/etc/cloud/cloud.cfg.d/99-azure.cfg": json.dumps(settings).encode(),
        "/etc/waagent.conf": AGENT,
        "/etc/ssh/sshd_own": SSH_CONFIG.encode(),
        "/etc/systemd/system/own-ssh.service": SSH_SERVICE.encode(),
        f"{SEED}/meta-data": json.dumps(about).encode(),
        # cloud-init takes an empty file for none
        f"{SEED}/user-data": order.custom_data or b"#cloud-config\n",
    }


def _few(ports: frozenset[int]) -> frozenset[int]:
    """Each is a socket of this machine: of a wide range only what somebody may look for is really there."""
    return ports if len(ports) <= MOST_PORTS else ports & LIKELY


def _let_in(inside: frozenset[str], subnets: frozenset[str] | None) -> bool:
    return subnets is None or bool(inside & subnets)


def _tell(machine: Machine, name: str, address: str, usual: int, port: int) -> None:
    rule = f"OUTPUT -d {address}/32 -p tcp -m tcp --dport {usual} -j DNAT --to-destination"
    machine.run(
        f"grep -q ' {name}$' /etc/hosts || echo '{address} {name}' >>/etc/hosts; "
        # what it was told before goes
        f"iptables -w -t nat -S OUTPUT | grep -F -- '-A {rule} ' | sed 's/^-A/iptables -w -t nat -D/' | sh -e; "
        f"iptables -w -t nat -A {rule} {machine.share_address}:{port}"
    )


def _monitor(machine: Machine, line: str) -> None:
    assert isinstance(machine.runtime, Qemu)
    said = machine.runtime.qmp.monitor(line).strip()
    if said and not said.startswith("host forwarding rule for"):
        raise OSError(f"{line}: {said}")
