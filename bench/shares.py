"""Shares over SMB and NFS in a machine: a volume of the plugin beside the same mount by hand, and beside rclone's."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import BenchError, load, say
from bench.measured import Comparison, Series
from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.qemu import Qemu
from tests.machines.samba import SambaServer
from tests.plugin.bound_host import bound_host
from tests.plugin.site import Site, create, mount_calls, run_mysql, wait_for_holder

IDLE_VOLUMES = 200
TRANSACTION_SECONDS = 20
# an emulated machine's figures scatter by a tenth, and what they are to tell apart differs by a twentieth
FILES_PER_ROUND = 9
# and by far more from rclone's
RCLONE_FILES_PER_ROUND = 3
MOUNTS_PER_ROUND = 3
SHARE = "bench"
HAND, RCLONE = "/mnt/hand", "/mnt/rclone"
CREDENTIALS = "/root/credentials"

# each prints one line that ends with dd's figure; the file of 32 MiB is dropped from memory before it is read
WRITE = "dd if=/dev/zero of={0}/file bs=1M count=32 conv=fsync"
READ = "sync; echo 3 >/proc/sys/vm/drop_caches; dd if={0}/file of=/dev/null bs=1M"
SMALL = "dd if=/dev/zero of={0}/small bs=4k count=1000 oflag=dsync"
TASKS = {"32 MiB written, then fsync": WRITE, "32 MiB read back": READ, "4 KiB writes, each synced": SMALL}
SEQUENTIAL = ("32 MiB written, then fsync", "32 MiB read back")
# a file each: rclone takes no notice of fsync, but close waits until the server has the file
FILES = """python3 - {0} <<'END'
import os, sys, time
began = time.monotonic()
for number in range(200):
    file = os.open(f"{{sys.argv[1]}}/small-{{number}}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(file, bytes(4096))
    os.fsync(file)
    os.close(file)
print(f"{{200 * 4096}} bytes in all, {{time.monotonic() - began}} s,")
END
"""

# one process for all: an emulated machine takes longer to start a curl than to mount
MOUNT_EACH = """
import glob, http.client, json, socket, sys
path, = glob.glob("/run/docker/plugins/*/azurefile.sock")
for number in range(1, int(sys.argv[1]) + 1):
    for call in ("Mount", "Unmount"):
        connection = http.client.HTTPConnection("plugin")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        connection.request("POST", f"/VolumeDriver.{call}", json.dumps({"Name": f"idle-{number}", "ID": "once"}))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        if answer.get("Err"):
            sys.exit(answer["Err"])
"""

# what the kernel shows of a mount and does not take, or takes in another form
NOT_TAKEN = ("rw", "relatime", "addr", "clientaddr", "namlen", "username")

# one row a transaction, each on the disk before the next: the server's own defaults
TRANSACTIONS = """
create schema if not exists bench;
create table bench.rows_ (n int auto_increment primary key, text varchar(100));
delimiter //
create procedure bench.write_rows(seconds int)
begin
  declare stop datetime(6) default sysdate(6) + interval seconds second;
  declare done int default 0;
  while sysdate(6) < stop do
    insert into bench.rows_ (text) values (repeat('x', 100));
    set done = done + 1;
  end while;
  select done;
end//
delimiter ;
"""


def measure_shares(rounds: int) -> Iterator[Comparison]:
    """Mounts, files, memory and MySQL over SMB and NFS, and MySQL on the machine's own disk beside them."""
    with tempfile.TemporaryDirectory() as folder:
        plugin = MachinePlugin(Path(folder), Qemu)
        for kind in (SambaServer, GaneshaServer):
            with _server(kind) as server:
                yield from _over(Site(plugin, server), rounds)
                # a database takes no folder that has other files in it
                yield _transactions(Site(plugin, server), [f"share={SHARE}", "folder=mysql"], rounds)
        with _server(SambaServer) as server:
            yield _claiming(Path(folder), server, rounds)
            yield _transactions(Site(plugin, server), [f"share={SHARE}", "protocol=local"], rounds)


@contextlib.contextmanager
def _server(kind: type[SambaServer | GaneshaServer]) -> Iterator[SambaServer | GaneshaServer]:
    if kind is GaneshaServer:
        with GaneshaServer(SHARE) as server:
            yield server
    else:
        with SambaServer(audited=False) as server:
            server.add_share(SHARE)
            yield server


def _over(site: Site, rounds: int) -> Iterator[Comparison]:
    smb = isinstance(site.server, SambaServer)
    name = "SMB 3.1.1, encrypted" if smb else "NFS 4.1"
    say(f"files over {name}")
    with site.machines("bench") as (machine,):
        began = load()
        create(machine, "files", f"share={SHARE}", *(["nosharesock=true"] if smb else []))
        plugin = machine.run(["docker", "plugin", "inspect", "-f", "{{.Id}}", "azurefile"]).out.strip()
        ours = f"/var/lib/docker/plugins/{plugin}/propagated-mount/files"
        _attach(machine)
        by_hand = _mount_line(machine, site, _shown_options(machine, ours))
        _detach(machine)
        yield _mounting(machine, by_hand, name, rounds, began)
        _attach(machine)
        machine.run(by_hand)
        if different := _shown_options(machine, ours) ^ _shown_options(machine, HAND):
            raise BenchError(f"the mount by hand is not the same: {' '.join(sorted(different))}")
        for title, task in TASKS.items():
            tasks = task.format(ours), task.format(HAND)
            times = rounds * FILES_PER_ROUND
            yield _compare(machine, f"{title}, {name}", tasks, times, "mount by hand", 0.95, began)
        if smb:
            with _rclone(machine, site):
                files, times = FILES.format(RCLONE), rounds * RCLONE_FILES_PER_ROUND
                tasks = SMALL.format(ours), files
                title = f"4 KiB on the server before the next: a synced write, {name}"
                yield _compare(machine, title, tasks, times, "rclone mount, a file closed", 5, began)
                tasks = FILES.format(ours), files
                title = f"4 KiB on the server before the next: a file closed, {name}"
                yield _compare(machine, title, tasks, times, "rclone mount, a file closed", None, began)
                for title in SEQUENTIAL:
                    tasks = TASKS[title].format(ours), TASKS[title].format(RCLONE)
                    yield _compare(machine, f"{title}, {name}", tasks, rounds, "rclone mount", None, began)
            yield from _memory(machine, began)


def _shown_options(machine: Machine, target: str) -> frozenset[str]:
    """How the kernel describes a mount."""
    # the plugin's mount reaches the machine on two ways, and is shown twice
    return frozenset(machine.run(["findmnt", "-no", "OPTIONS", target]).out.split()[0].split(","))


def _mount_line(machine: Machine, site: Site, shown: frozenset[str]) -> str:
    """The command that makes the plugin's mount by hand."""
    options = [option for option in sorted(shown) if option.split("=")[0] not in NOT_TAKEN]
    options.append(f"port={site.server.port}")
    if isinstance(site.server, SambaServer):
        machine.put(site.server.credentials, CREDENTIALS, 0o600)
        options += [f"credentials={CREDENTIALS}", "nosharesock"]
        kind, source = "cifs", f"//{Machine.share_address}/{SHARE}"
    else:
        kind, source = "nfs4", f"{Machine.share_address}:/{SHARE}"
    return f"mkdir -p {HAND} && mount -t {kind} -o {','.join(options)} {source} {HAND}"


def _attach(machine: Machine) -> float:
    """Has the plugin mount the volume; returns the seconds of its answer."""
    answer, seconds = mount_calls(machine, "files", 1)[0]
    if "Mountpoint" not in answer:
        raise BenchError(f"the plugin does not mount the share: {answer}")
    return seconds


def _detach(machine: Machine) -> None:
    """Has the plugin unmount what `_attach` mounted."""
    # the ID of a first of `mount_calls`
    body = shlex.quote('{"Name":"files","ID":"t0"}')
    call = f"curl -sS --unix-socket /run/docker/plugins/*/azurefile.sock -d {body} http://x/VolumeDriver.Unmount"
    answer = json.loads(machine.run(call).out)
    if answer.get("Err") or "/propagated-mount/files " in machine.run("cat /proc/mounts").out:
        raise BenchError(f"the plugin does not unmount the share: {answer}")


def _mounting(machine: Machine, by_hand: str, name: str, rounds: int, began: float) -> Comparison:
    ours, peer = Series("Mount at the plugin's socket"), Series("mount by hand")
    clock = f"s=$(date +%s%N); {by_hand} && echo $(($(date +%s%N) - s)) && umount {HAND}"
    # the first one of each loads what the others find loaded
    for number in range(rounds * MOUNTS_PER_ROUND + 1):
        seconds = int(machine.run(clock).out) / 1e9, _attach(machine)
        _detach(machine)
        if number:
            peer.values.append(seconds[0])
            ours.values.append(seconds[1])
    return Comparison(f"Mounting a share, {name}", "s", ours, peer, 0.05, difference=True, load=began)


def _claiming(folder: Path, server: SambaServer | GaneshaServer, rounds: int) -> Comparison:
    """A Mount's own part, where nothing is emulated: a folder stands for what the kernel would mount."""
    assert isinstance(server, SambaServer)
    ours, peer = Series("Mount, a folder in place of the share"), Series("that folder bound by hand")
    began = load()
    share, by_hand = folder / "share", folder / "hand"
    for made in (share, by_hand):
        made.mkdir()
    plugin = bound_host(folder / "host", share, server)
    try:
        plugin.start()
        plugin.create("files", share=SHARE, exclusive="true")
        for number in range(rounds * MOUNTS_PER_ROUND + 1):
            started = time.monotonic()
            subprocess.run(["mount", "--bind", share, by_hand], check=True)
            bound = time.monotonic()
            subprocess.run(["umount", by_hand], check=True)
            called = time.monotonic()
            plugin.mount("files", "a")
            answered = time.monotonic()
            plugin.unmount("files", "a")
            # the first one of each loads what the others find loaded
            if number:
                peer.values.append(bound - started)
                ours.values.append(answered - called)
    finally:
        plugin.close()
    title = "What the fence adds to a Mount over SMB, not emulated"
    return Comparison(title, "s", ours, peer, 0.05, difference=True, load=began)


def _compare(
    machine: Machine,
    title: str,
    tasks: tuple[str, str],
    times: int,
    peer_name: str,
    target: float | None,
    began: float,
) -> Comparison:
    say(title)
    ours, peer = Series("volume of the plugin"), Series(peer_name)
    for number in range(times):
        pair = list(zip((ours, peer), tasks, strict=True))
        # whoever comes second may find the server busy with what the first one left
        for series, task in pair if number % 2 else reversed(pair):
            said = machine.run(f"exec 2>&1; export LC_ALL=C; {task}", timeout=300).out
            size, seconds = re.findall(r"^(\d+) bytes .*, ([\d.e-]+) s,", said, re.MULTILINE)[-1]
            series.values.append(float(size) / float(seconds) / 1e6)
    return Comparison(title, "MB/s", ours, peer, target, at_least=True, load=began)


@contextlib.contextmanager
def _rclone(machine: Machine, site: Site) -> Iterator[None]:
    """The same share mounted by rclone, whose own SMB client uploads a file when it is closed."""
    server = site.server
    assert isinstance(server, SambaServer)
    hidden = machine.run("rclone obscure -", input=server.key.encode()).out.strip()
    place = f"type = smb\nhost = {Machine.share_address}\nport = {server.port}\nuser = {server.account}"
    machine.put(f"[bench]\n{place}\npass = {hidden}\n".encode(), "/root/.config/rclone/rclone.conf", 0o600)
    machine.run(f"mkdir -p {RCLONE} && rclone mount --daemon bench:{SHARE} {RCLONE}")
    try:
        yield
    finally:
        machine.run(["umount", RCLONE])


def _memory(machine: Machine, began: float) -> Iterator[Comparison]:
    say(f"memory with {IDLE_VOLUMES} volumes on the share")
    body = f'{{"Name":"idle-\'$n\'","Opts":{{"share":"{SHARE}","folder":"\'$n\'","exclusive":"true"}}}}'
    call = f"curl -sf --unix-socket /run/docker/plugins/*/azurefile.sock -d '{body}' http://x/VolumeDriver.Create"
    machine.run(f"for n in $(seq {IDLE_VOLUMES}); do {call} >/dev/null || exit; done", timeout=300)
    created = Series(f"the plugin with {IDLE_VOLUMES} volumes", [_plugin_memory(machine)])
    yield Comparison("Memory of the plugin (PSS), SMB", "MB", created, target=64, load=began)
    # it has the folder around all of theirs
    _detach(machine)
    machine.run(["python3", "-c", MOUNT_EACH, str(IDLE_VOLUMES)], timeout=900)
    used = Series(f"the plugin with {IDLE_VOLUMES} volumes", [_plugin_memory(machine)])
    yield Comparison("Memory of the plugin (PSS), SMB, each mounted once", "MB", used, target=64, load=began)


def _plugin_memory(machine: Machine) -> float:
    """Megabytes of all its processes."""
    script = (
        "id=$(docker plugin inspect -f '{{.Id}}' azurefile); for p in $(grep -l $id /proc/[0-9]*/cgroup); do "
        "awk '/^Pss:/ {print $2}' ${p%cgroup}smaps_rollup; done"
    )
    return sum(int(line) for line in machine.run(script).out.split()) * 1024 / 1e6


def _transactions(site: Site, options: list[str], rounds: int) -> Comparison:
    name = "its own disk" if "protocol=local" in options else type(site.server).__name__
    names = {"SambaServer": "SMB 3.1.1, encrypted", "GaneshaServer": "NFS 4.1"}
    title = f"MySQL, one row a transaction, {names.get(name, name)}"
    say(title)
    began = load()
    with site.machines("bench", database=True) as (machine,):
        create(machine, "dbs", *options, "exclusive=true", "for=database")
        run_mysql(machine, "mydb", "dbs", 6603)
        wait_for_holder(machine, "dbs", "mydb")
        client = "docker exec -i mydb mysql -uroot -pmypassword -h127.0.0.1 -N"
        machine.run(client, input=TRANSACTIONS.encode(), timeout=120)
        line = f"{client} -e 'call bench.write_rows({TRANSACTION_SECONDS})'"
        done = [int(machine.run(line, timeout=TRANSACTION_SECONDS + 60).out.split()[-1]) for _ in range(rounds)]
    series = Series("MySQL 9.7", [rows / TRANSACTION_SECONDS for rows in done])
    return Comparison(title, "transactions/s", series, load=began)
