"""The plugin in a machine is, file by file, the build under test."""

import json

from tests.machines import images
from tests.machines.machine import Machine
from tests.machines.plugin import NAME, ROOTFS, Files, MachinePlugin
from tests.plugin.managed import Docker

# the same that `MachinePlugin.files` says of the archive, and nothing of what is mounted there
LIST = f"""cd {ROOTFS} && python3 -c '
import hashlib, json, os, stat
found = {{}}
def add(path):
    s = os.lstat(path)
    content = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(s.st_mode) else ""
    link = os.readlink(path) if stat.S_ISLNK(s.st_mode) else ""
    time = 0 if stat.S_ISDIR(s.st_mode) or path.endswith(".pyc") else int(s.st_mtime)
    found[path.removeprefix("./")] = [stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid, time, link, content]
for folder, folders, files in os.walk("."):
    for name in folders + files:
        add(os.path.join(folder, name))
print(json.dumps(found))'
"""
# made in it by the engine that runs it
MOUNTED = (
    "dev",
    "proc",
    "sys",
    "run",
    "mnt",
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/mtab",
    ".dockerenv",
    "var/lib/datadocker",
)


def comparable(files: Files) -> Files:
    return {path: was for path, was in files.items() if path.rstrip("/") and not path.startswith(MOUNTED)}


def test_the_installed_files_are_those_of_the_build(machine_plugin: MachinePlugin) -> None:
    with machine_plugin.snapshot.restore() as machine:
        machine_plugin.install(machine)
        machine.run(["docker", "plugin", "disable", NAME])
        installed = comparable(json.loads(machine.run(LIST, timeout=300).out))
    # a hard link of the archive is a file of its own when it is listed
    expected = {p: was[1:] for p, was in comparable(machine_plugin.files).items() if was[0] != "1"}
    assert {p: installed.get(p) for p in expected} == expected
    assert {p for p in installed if p not in machine_plugin.files} == set()


def test_a_container_writes_to_a_volume_of_the_plugin(plugin_machine: Machine) -> None:
    docker = Docker(plugin_machine.docker_socket)
    docker("volume", "create", "-d", NAME, "-o", "share=logs", "logs")
    docker("run", "--rm", "-v", "logs:/logs", images.BASE, "sh", "-c", "echo hello >/logs/file")
    assert plugin_machine.run("cat /var/lib/datadocker/shares/logs/file").out == "hello\n"
