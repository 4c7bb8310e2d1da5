"""What may happen to a machine with the plugin and to the server of its shares."""

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.machines.machine import Machine
from tests.machines.plugin import NAME, ROOTFS
from tests.machines.samba import SambaServer, new_key
from tests.plugin.site import PLUGIN_PID, TAKEOVER, WORKER_PID, docker, mount_calls, running, wait_until
from tests.plugin.stage import Stage

# With what TCP waits on after it, and the age of the last renewal, shorter than what a holder may be silent for.
SHORT = TAKEOVER / 6
LONG = TAKEOVER + 6
# An emulated machine's boot, and what its plugin waits for each of two shares.
START_SECONDS = 400


# After a second, and after two more: an emulated machine's next worker may not serve yet at the first.
PAUSES = 3.0


@dataclass(frozen=True)
class Fault:
    """One thing that happens, and is over when `strike` returns."""

    strike: Callable[[Stage], None]
    says: str
    """What the plugin logs for it, in one line for each volume; nothing if it had nothing to do."""
    away: bool = False
    """Whether the plugin is away meanwhile, and with it its volumes."""
    pauses: float = 0
    """Seconds that the engine waits before it asks again what was under way."""
    own_kernel: bool = False
    """Whether it takes a kernel that ends with its machine: another keeps its boot id, and waits for lost servers."""


def kill_plugin(stage: Stage) -> None:
    stage.machine.run(f"kill -9 $({PLUGIN_PID})")


def kill_worker(stage: Stage) -> None:
    """What does its work is killed, and nothing else is started anew."""
    first = stage.machine.run(PLUGIN_PID).out
    since = stage.now()
    stage.machine.run(f"kill -9 $({WORKER_PID})")
    wait_until(lambda: any("begins anew" in line for line in stage.log(since)), START_SECONDS)
    stage.goes_on()
    assert stage.machine.run(PLUGIN_PID).out == first


def upgrade_plugin(stage: Stage) -> None:
    """As the provider does: containers are stopped, the plugin is exchanged, all start again."""
    docker(stage.machine, "stop", "-t", "60", *stage.containers)
    _exchange_plugin(stage.machine)
    docker(stage.machine, "start", *stage.containers)


def exchange_plugin(stage: Stage) -> None:
    """As the README says for people without Pulumi, while containers run."""
    since = stage.now()
    _exchange_plugin(stage.machine)
    _wait_for_starts(stage, since)


def _exchange_plugin(machine: Machine) -> None:
    """The old plugin is removed, a new one is created and set as it was.

    Its files are moved over, since packing 90 MB takes an emulated machine minutes.
    """
    settings = json.loads(docker(machine, "plugin", "inspect", NAME).out)[0]["Settings"]["Env"]
    machine.run(f"docker plugin disable -f {NAME} && mv {ROOTFS} /var/lib/docker/plugins/kept")
    config = json.loads(docker(machine, "plugin", "inspect", NAME).out)[0]["Config"]
    machine.put(json.dumps(config | {"Description": "the next build"}).encode(), "/root/next/config.json")
    machine.run(f"docker plugin rm -f {NAME} && mkdir -p /root/next/rootfs && docker plugin create {NAME} /root/next")
    machine.run(f"root={ROOTFS} && rm -rf $root && mv /var/lib/docker/plugins/kept $root")
    docker(machine, "plugin", "set", NAME, *settings)
    docker(machine, "plugin", "enable", "--timeout", "120", NAME)


def set_plugin(stage: Stage) -> None:
    """It is disabled by force for another setting, while containers run: its mounts go, and theirs stay for a while."""
    machine, since = stage.machine, stage.now()
    docker(machine, "plugin", "disable", "-f", NAME)
    docker(machine, "plugin", "set", NAME, "LOG_LEVEL=info")
    docker(machine, "plugin", "enable", "--timeout", "120", NAME)
    _wait_for_starts(stage, since)


def _wait_for_starts(stage: Stage, since: str) -> None:
    """Waits until the plugin has started what it had to stop on each volume."""

    def started_again() -> bool:
        said = [line for line in stage.log(since) if "started again" in line and "not started" not in line]
        return all(any(f"volume={volume} " in line for line in said) for volume in stage.holders)

    wait_until(started_again, START_SECONDS)


def restart_engine(stage: Stage, *, live_restore: bool) -> None:
    stage.machine.put(json.dumps({"live-restore": live_restore}).encode(), "/etc/docker/daemon.json")
    restart = "systemctl restart docker || { journalctl -u docker -u containerd -n 60 --no-pager >&2; exit 1; }"
    stage.machine.run(f"systemctl reload docker && sleep 1 && {restart}", timeout=180)


def cut_power(stage: Stage) -> None:
    stage.machine.reboot_hard()


def reboot(stage: Stage) -> None:
    stage.machine.reboot()


def start_without_server(stage: Stage) -> None:
    """The machine starts, and its engine has given the mounts up, before the server is back."""
    stage.site.server.stop()
    _start_in_vain(stage)
    stage.site.server.start()


def start_with_another_key(stage: Stage) -> None:
    """The account's key is another one since the machine was up, and the host is told it when nothing could start."""
    _samba(stage).set_key(new_key())
    _start_in_vain(stage)
    stage.site.write_key(stage.machine)


def _start_in_vain(stage: Stage) -> None:
    since = stage.now()
    # An engine that forgot that a container ran starts none.
    stage.machine.run("sync -f /var/lib/docker")
    stage.machine.reboot_hard()

    def given_up() -> bool:
        failed = [line for line in stage.log(since) if "mount failed" in line]
        return all(any(f"volume={volume} " in line for line in failed) for volume in stage.holders)

    wait_until(given_up, START_SECONDS)


def stop_server(stage: Stage, seconds: float) -> None:
    stage.site.server.stop()
    time.sleep(seconds)
    stage.site.server.start()


def pause_server(stage: Stage, seconds: float) -> None:
    stage.site.server.pause()
    time.sleep(seconds)
    stage.site.server.resume()


def drop_packets(stage: Stage, seconds: float) -> None:
    stage.machine.cut(stage.site.server.port)
    time.sleep(seconds)
    stage.machine.heal()


def wrong_key(stage: Stage) -> None:
    """The account gets another key, connections end, and the host is told the new one only when all has stopped."""
    server = _samba(stage)
    server.set_key(new_key())
    server.disconnect()
    wait_until(lambda: not any(running(stage.machine, name) for name in stage.containers), TAKEOVER)
    stage.site.write_key(stage.machine)


def switch_key(stage: Stage) -> None:
    """The account gets its second key, the host is told, and the connections that the first one opened end."""
    server = _samba(stage)
    server.set_key(new_key())
    stage.site.write_key(stage.machine)
    server.disconnect()


def fill_shares(stage: Stage) -> None:
    """Shares have no room for a while, and nobody is stopped for it."""
    filling = [stage.site.folder(share) / "filling" for share in stage.holders]
    for file in filling:
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["dd", "if=/dev/zero", f"of={file}", "bs=64K"], check=True, capture_output=True)
    time.sleep(TAKEOVER / 2)
    for file in filling:
        file.unlink()


def lose_machine(stage: Stage) -> None:
    """The machine is gone for good: another, refused at first, gets the folders after a time and starts the same."""
    two = stage.restore("two")
    stage.machine.kill()
    gone = time.monotonic()
    for volume, (container,) in stage.holders.items():
        assert f'held by container "{container}"' in mount_calls(two, volume, 1)[0][0]
    # What comes once the holder has missed its renewals waits within its Mount.
    time.sleep(TAKEOVER / 2)
    stage.machine = two
    stage.write_lines()
    assert TAKEOVER * 5 / 6 < time.monotonic() - gone < TAKEOVER * 2
    stage.start_database()


def _samba(stage: Stage) -> SambaServer:
    assert isinstance(stage.site.server, SambaServer)
    return stage.site.server


LOST = "lease lost, its containers are stopped"

BOTH = {
    "the plugin is killed": Fault(kill_plugin, "lease resumed", away=True),
    "the plugin's worker is killed": Fault(kill_worker, "lease resumed", pauses=PAUSES),
    "the plugin is upgraded": Fault(upgrade_plugin, "msg=mounted", away=True),
    "the plugin is exchanged by hand": Fault(exchange_plugin, LOST, away=True),
    "the plugin is set anew": Fault(set_plugin, LOST, away=True),
    "the engine restarts, and containers live on": Fault(lambda s: restart_engine(s, live_restore=True), "", away=True),
    "the engine restarts, and containers with it": Fault(
        lambda s: restart_engine(s, live_restore=False), "msg=mounted", away=True
    ),
    "the server is away for a moment": Fault(lambda s: stop_server(s, SHORT), ""),
    "the server is away for long": Fault(lambda s: stop_server(s, LONG), LOST),
    "the server hangs for a moment": Fault(lambda s: pause_server(s, SHORT), ""),
    "the server hangs for long": Fault(lambda s: pause_server(s, LONG), LOST),
    "packets are dropped for a moment": Fault(lambda s: drop_packets(s, SHORT), ""),
    "packets are dropped for long": Fault(lambda s: drop_packets(s, LONG), LOST),
    "the share is full": Fault(fill_shares, "share is full"),
    "the machine is started again": Fault(reboot, "msg=mounted", away=True, own_kernel=True),
    "the power is cut": Fault(cut_power, "msg=mounted", away=True, own_kernel=True),
    "the machine starts without its server": Fault(
        start_without_server, "started, its share is back", away=True, own_kernel=True
    ),
    "the machine is lost": Fault(lose_machine, "dead holder's folder given", away=True),
}
SMB = {
    "the key is a wrong one": Fault(wrong_key, LOST),
    "the key is switched": Fault(switch_key, LOST),
    "the machine starts with another key": Fault(
        start_with_another_key, "started, its share is back", away=True, own_kernel=True
    ),
}
