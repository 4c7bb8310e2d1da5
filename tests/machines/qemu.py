"""A machine's QEMU process."""

import os
import re
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.machines import ports
from tests.machines.gdb import write_memory
from tests.machines.process import Supervised
from tests.machines.qmp import Qmp

MEMORY = "2G"
# without KASLR the kernel's variables are where System.map says, see identity.py
APPEND = "rw quiet mitigations=off nokaslr net.ifnames=0 console=ttyS0 systemd.show_status=0"
# __START_KERNEL_map of x86-64, docs.kernel.org/arch/x86/x86_64/mm.html
KERNEL_MAPPING = 0xFFFFFFFF80000000
STATE_TIMEOUT = 60


@dataclass(frozen=True)
class Memory:
    """What a machine's memory and devices were when it was stopped."""

    ram: Path
    state: Path
    shared: bool = False
    """Whether what the machine writes to its memory ends up in `ram`."""

    @property
    def boot_id_file(self) -> Path:
        """Where the kernel's boot id is: a line of /proc/kallsyms."""
        return self.ram.with_name("boot_id")

    @property
    def boot_id_address(self) -> int:
        """The physical address of the kernel's boot id; with nokaslr it is the virtual one less the mapping's."""
        return int(self.boot_id_file.read_text().split()[0], 16) - KERNEL_MAPPING


class Qemu:
    """One QEMU process, its disk and its memory. SSH is forwarded from a free port of 127.0.0.1."""

    packages = ("qemu-system-x86", "qemu-utils")
    programs = ("qemu-system-x86_64", "qemu-img")
    disk = "disk.qcow2"
    saved = ("ram", "state", "boot_id")
    """Names of the files that `save` writes."""
    own_kernel = True

    def __init__(self, image: Path, folder: Path, disk: Path, *, memory: Memory | None = None) -> None:
        """Starts it: from `memory`, stopped, if its state exists; else it boots."""
        (folder / "qmp").unlink(missing_ok=True)
        self.console = folder / "console.log"
        self._folder = folder
        self._memory = memory
        self.restored = restored = memory is not None and memory.state.exists()
        self._process = Supervised(
            _command(image, folder, disk, memory) + (["-S", "-incoming", "defer"] if restored else []),
            log=folder / "qemu.log",
        )
        try:
            self.qmp = Qmp(folder / "qmp")
            if restored:
                assert memory is not None
                self._migrate("migrate-incoming", f"exec:cat {memory.state}")
            self.ssh_port = self._forwarded(22)
        except BaseException as error:
            self._process.kill()
            error.add_note((folder / "qemu.log").read_text(errors="replace")[-2000:])
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.running

    @staticmethod
    def overlay(backing: Path, disk: Path) -> None:
        """Makes a disk that is what `backing` is, and keeps its own changes."""
        kind = "raw" if backing.suffix == ".raw" else "qcow2"
        # relative: an entry of the cache is made under another name
        relative = os.path.relpath(backing.resolve(), disk.parent.resolve())
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", relative, "-F", kind, disk], check=True)

    def wake(self) -> None:
        """Lets a restored one run, with a boot id of its own: by that id the product tells machines' lives apart."""
        assert self._memory is not None
        write_memory(self.qmp, self._folder, self._memory.boot_id_address, uuid.uuid4().bytes)
        self.resume()

    def pause(self) -> None:
        """Stops the machine's processors."""
        self.qmp.execute("stop")

    def resume(self) -> None:
        """Goes on where `pause` stopped."""
        self.qmp.execute("cont")

    def unplug(self) -> None:
        """Pulls the network cable."""
        self.qmp.execute("set_link", name="nic", up=False)

    def plug(self) -> None:
        """Plugs it in again."""
        self.qmp.execute("set_link", name="nic", up=True)

    def save(self) -> None:
        """Stops the machine, writes its state beside its memory, and ends the process."""
        assert self._memory is not None
        assert self._memory.shared
        self.qmp.execute("stop")
        self._migrate("migrate", f"exec:cat > {self._memory.state}")
        self.qmp.execute("quit")
        self._process.wait(60)
        self.close()

    def wait(self, seconds: float) -> None:
        """Waits until the machine has switched itself off."""
        self._process.wait(seconds)

    def close(self) -> None:
        """Kills it, as a power cut would."""
        self._process.kill()
        self.qmp.close()

    def forward(self, port: int) -> int:
        """Returns a port of 127.0.0.1 that leads to one of the machine's."""
        self.qmp.monitor(f"hostfwd_add net tcp:127.0.0.1:0-:{port}")
        return self._forwarded(port)

    def _forwarded(self, port: int) -> int:
        shown = self.qmp.monitor("info usernet")
        found = re.search(rf"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+{port}\s", shown)
        assert found, shown
        return int(found[1])

    def host_ports(self) -> set[int]:
        """Ports of 127.0.0.1 from which the machine's connections come to servers on this machine."""
        return ports.used_by(self.pid)

    def _migrate(self, command: str, uri: str) -> None:
        # the memory itself is in its file, and is neither written nor read
        capability = {"capability": "x-ignore-shared", "state": True}
        self.qmp.execute("migrate-set-capabilities", capabilities=[capability])
        self.qmp.execute(command, uri=uri)
        self.qmp.wait_for_migration(STATE_TIMEOUT)


def _command(image: Path, folder: Path, disk: Path, memory: Memory | None) -> list[str]:
    if memory:
        backend = (
            f"memory-backend-file,id=ram,size={MEMORY},mem-path={memory.ram},share={'on' if memory.shared else 'off'}"
        )
    else:
        backend = f"memory-backend-ram,id=ram,size={MEMORY}"
    command = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"]
    # less to emulate than in newer models
    command += ["-cpu", "Westmere", "-smp", "2"]
    command += ["-machine", "pc,memory-backend=ram,usb=off,vmport=off", "-accel", "tcg,thread=multi,tb-size=512"]
    command += ["-object", backend, "-m", MEMORY]
    command += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd.img"), "-append", APPEND]
    command += ["-drive", f"file={disk},format=qcow2,if=none,id=disk,discard=unmap"]
    command += ["-device", "virtio-blk-pci,drive=disk"]
    command += ["-netdev", "user,id=net,hostfwd=tcp:127.0.0.1:0-:22", "-device", "virtio-net-pci,netdev=net,id=nic"]
    # a restored machine is told that it is one, and makes new random numbers
    command += ["-device", "virtio-rng-pci", "-device", "vmgenid,guid=auto"]
    command += ["-serial", f"file:{folder / 'console.log'}", "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off"]
    return command
